"""The processes below a process, as /proc tells."""

from __future__ import annotations

from pathlib import Path


def children(process_id: int) -> list[int]:
    """Those that any of its threads started; none where it has ended."""
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{process_id}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    except OSError:
        return found
    return found


def descendants(process_id: int) -> list[int]:
    """All processes below this one, parents before their children."""
    found = []
    for child in children(process_id):
        found += [child, *descendants(child)]
    return found
