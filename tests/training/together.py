"""A function run by several gloo processes of this machine at once, without Ray: what each returns, by rank."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

DEADLINE_S = 300.0
PRELOAD = ["training.rl", "training.sft"]


def together(function: Callable[..., Any], *arguments: Any, processes: int = 2) -> list[Any]:
    """`function(*arguments)` in each process: a function of a module, that returns what torch can save.

    The processes are forked from a server that has imported the trainers already. AssertionError with what they said
    where one of them fails.
    """
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    with tempfile.TemporaryDirectory(prefix="together-") as name:
        folder = Path(name)
        started = [
            context.Process(target=_one, args=(rank, processes, folder, function, arguments))
            for rank in range(processes)
        ]
        for process in started:
            process.start()
        for process in started:
            process.join(DEADLINE_S)
        codes = [process.exitcode for process in started]
        for process in started:
            process.kill()
        logs = "\n".join((folder / f"{rank}.log").read_text()[-4000:] for rank in range(processes))
        assert codes == [0] * processes, f"exit codes {codes}\n{logs}"
        return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(processes)]


def _one(rank: int, processes: int, folder: Path, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """What a worker of Ray Train has: a group of processes, and the variables that name a place in it."""
    with (folder / f"{rank}.log").open("w") as log:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "1",  # never used: they meet in a file
        "ACCELERATE_TORCH_DEVICE": "cpu",
        "OMP_NUM_THREADS": "1",
    }
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=processes
    )
    torch.save(function(*arguments), folder / f"{rank}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
