"""Checkpoints: resumable state of a training run, believed only when it is complete.

The trainer writes optimiser, scheduler, random state, position and weights into `checkpoint-N`; when everything is
on the disk a marker is written last. A kill in between leaves a folder without the marker, which the next start
removes. The last two are kept, and the best: the one whose model answered most held-out programs wholly right.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

COMPLETE = "COMPLETE"
PREFIX = "checkpoint-"
KEPT = 2
BEST_BY = "held_out_all_correct"


def update_of(checkpoint: Path) -> int:
    """The number of updates that a checkpoint folder stands for; ValueError for another folder."""
    name = checkpoint.name
    if not name.startswith(PREFIX) or not name.removeprefix(PREFIX).isdigit():
        raise ValueError(f"{checkpoint} is no checkpoint folder: its name is not {PREFIX}N")
    return int(name.removeprefix(PREFIX))


def mark_complete(checkpoint: Path) -> None:
    """Force a checkpoint's files to the disk, then write its marker."""
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file():
            _sync(path)
    marker = checkpoint / COMPLETE
    marker.write_text("", "utf-8")
    _sync(marker)
    _sync(checkpoint)


def complete(folder: Path) -> list[Path]:
    """The complete checkpoints under `folder`, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.glob(f"{PREFIX}*") if (path / COMPLETE).exists()), key=update_of)


def last_complete(folder: Path) -> Path | None:
    """The newest complete checkpoint under `folder`."""
    return max(complete(folder), key=update_of, default=None)


def remove_incomplete(folder: Path) -> None:
    """Remove what a kill left of checkpoints; nothing may build on it. For the only process that writes there."""
    whole = complete(folder)
    for path in folder.glob(f"{PREFIX}*"):
        if path not in whole:
            shutil.rmtree(path)


def best_update(updates: Iterable[int], rows: Sequence[dict[str, Any]]) -> int | None:
    """The one of `updates` with the highest held-out figure in `rows` of metrics, the newest of equals.

    None where no held-out check was made at any of them.
    """
    figures = {row["update"]: row[BEST_BY] for row in rows if row.get(BEST_BY) is not None}
    return max((update for update in updates if update in figures), key=lambda n: (figures[n], n), default=None)


def best_figures(folder: Path, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`best_update` and `best_held_out_all_correct` of the checkpoints under `folder`, for a stage's summary."""
    best = best_update(map(update_of, complete(folder)), rows)
    figures = [row[BEST_BY] for row in rows if row.get("update") == best and BEST_BY in row]
    return {"best_update": best, f"best_{BEST_BY}": figures[-1]} if figures else {}


def prune(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Remove complete checkpoints but the last two and the best by `rows`; the marker goes first."""
    found = complete(folder)
    best = best_update(map(update_of, found), rows)
    for path in found[:-KEPT]:
        if update_of(path) != best:
            (path / COMPLETE).unlink()
            shutil.rmtree(path)


def publish_folder(temporary: Path, final: Path) -> None:
    """Move a folder that is written whole to its name; one that is there already is replaced."""
    for path in sorted(temporary.rglob("*")):
        if path.is_file():
            _sync(path)
    if final.exists():
        shutil.rmtree(final)
    temporary.rename(final)
    _sync(final.parent)


def write_atomically(path: Path, text: str) -> None:
    """Temporary name, fsync, rename: a reader sees the old text or the new one."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
