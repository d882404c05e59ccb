"""Checkpoints: resumable state of a training run, believed only when it is complete.

The trainer writes optimiser, scheduler, random state, position and weights into `checkpoint-N`; when everything is
on the disk a marker is written last. A kill in between leaves a folder without the marker, which the next start
removes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

COMPLETE = "COMPLETE"
PREFIX = "checkpoint-"


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


def last_complete(folder: Path) -> Path | None:
    """The newest complete checkpoint under `folder`; incomplete ones are removed, as nothing may build on them."""
    if not folder.is_dir():
        return None
    complete = []
    for path in folder.iterdir():
        if not path.name.startswith(PREFIX):
            continue
        if (path / COMPLETE).exists():
            complete.append(path)
        else:
            shutil.rmtree(path)
    return max(complete, key=update_of, default=None)


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
