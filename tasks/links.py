"""Links for people: the run in the Prefect UI, and a page of the reports folder (served while `stepcode up` is)."""

from __future__ import annotations

from pathlib import Path

from prefect.runtime import deployment, flow_run

from tasks.workspace import Workspace


def run_link(workspace: Workspace) -> str | None:
    """The run's page in the Prefect UI, where a server stays up that has it; None for an embedded server's run."""
    stays = deployment.id or (workspace.home / "run" / "server.json").exists()
    return str(flow_run.ui_url) if stays else None


def report_link(workspace: Workspace, page: Path) -> str:
    """A link that a browser on this machine opens."""
    if (workspace.home / "run" / "reports.json").exists():
        return f"http://127.0.0.1:{workspace.settings.reports_port}/{page.name}"
    return page.resolve().as_uri()
