"""Where a page under the reports folder is opened: over HTTP while `stepcode up` serves it, else as a file."""

from __future__ import annotations

from pathlib import Path

from tasks.workspace import Workspace


def report_link(workspace: Workspace, page: Path) -> str:
    """A link that a browser on this machine opens."""
    if (workspace.home / "run" / "reports.json").exists():
        return f"http://127.0.0.1:{workspace.settings.reports_port}/{page.name}"
    return page.resolve().as_uri()
