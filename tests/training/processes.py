"""Several processes on this machine that speak gloo, each running one function: what a test of theirs needs."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing

PATIENCE = datetime.timedelta(seconds=120)


def in_processes(number: int, folder: Path, function: Callable[..., None], *arguments: Any) -> None:
    """Run `function(rank, *arguments)` in so many processes at once; raises where one of them does."""
    torch.multiprocessing.spawn(_run, (number, folder / "store", function, arguments), nprocs=number)


def _run(rank: int, number: int, store: Path, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(number)}  # as launchers do
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=number, timeout=PATIENCE)
    function(rank, *arguments)
    dist.barrier()
    dist.destroy_process_group()
