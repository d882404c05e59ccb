"""The processes of one training stage: which of them this is, and how they wait for each other and agree.

A stage on one device is one process, and everything here is trivial there. Files are written by the first process
alone; what the others read of them, they read after it.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch.distributed as dist

from training.errors import TrainingError

LOCK = ".lock"
LOCK_S, POLL_S = 120.0, 0.2
# Longer than any single act of one process that the others wait for: preparing data, a held-out check.
COLLECTIVE_S = 7200


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this is the process that writes metrics, model and DONE.json."""
    return not dist.is_initialized() or dist.get_rank() == 0


def wait_for_all() -> None:
    """Return once every process has come here."""
    if dist.is_initialized():
        dist.barrier()


def agreed(value: Any) -> Any:
    """The first process's value, on all of them."""
    if not dist.is_initialized():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def gathered(value: Any, group: Any = None) -> list[Any]:
    """Every process's value, in the order of ranks, on all of them; of those of `group` where it is given."""
    if not dist.is_initialized():
        return [value]
    boxes: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(boxes, value, group=group)
    return boxes


def neighbours(size: int) -> Any:
    """The group of this process: ranks 0 to size - 1, size to 2 size - 1, and so on. Called by all processes together;
    `size` divides their number."""
    ranks = range(world_size())
    groups = [list(ranks[first : first + size]) for first in ranks[::size]]
    own, _ = dist.new_subgroups_by_enumeration(groups, timeout=timedelta(seconds=COLLECTIVE_S), backend="gloo")
    return own


@contextmanager
def first_alone() -> Iterator[None]:
    """The body is run by the first process, and by the others once it has finished there."""
    if not is_first():
        dist.barrier()
    yield
    if is_first():
        wait_for_all()


@contextmanager
def only_writer(out_dir: Path) -> Iterator[None]:
    """Hold the output folder's lock on the first process, so that a run that is being replaced has ended.

    The kernel gives it back when its holder dies. TrainingError where another run holds it for LOCK_S seconds.
    """
    if not is_first():
        yield
        return
    out_dir.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + LOCK_S
    with (out_dir / LOCK).open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TrainingError(f"another run writes into {out_dir}: wait for it, or end it") from None
                time.sleep(POLL_S)
        yield
