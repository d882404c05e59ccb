"""The process of one training stage: `python -m training.run --spec spec.json`, started by `training.launch`.

The spec names the stage, the recipe, the inputs and the output folder. DONE.json is written last: a stage without it
has not finished, and goes on from its last checkpoint when it is started again. Where the recipe asks for several
devices this process starts Ray Train workers (`training.workers`) that run the stage, and waits for them.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DONE = "DONE.json"
PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Ask Linux to kill this process when the one that started it is gone; leave at once if it is gone already."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit("the process that started this training is gone")


def run_stage(spec: dict[str, Any]) -> dict[str, Any]:
    """Run the stage of a spec, or this worker's part of it; returns the summary that DONE.json gets."""
    with uncollected():
        import torch

        from training.config import parse_recipe, started_from
        from training.processes import only_writer

        if spec["stage"] == "sft":
            from training.sft import run_sft
        else:
            from training.rl import run_rl

    recipe = parse_recipe(spec["recipe"], "the recipe of the spec")
    torch.set_num_threads(spec["threads"])
    torch.set_num_interop_threads(1)
    out_dir = Path(spec["out_dir"])
    inputs = {role: Path(path) for role, path in spec["inputs"].items()}
    with only_writer(out_dir):
        if spec["stage"] == "sft":
            if "model" in inputs:
                recipe = started_from(recipe, inputs["model"])
            return run_sft(recipe, inputs["dataset"], out_dir)
        return run_rl(recipe, inputs["dataset"], inputs["model"], out_dir, spec["sandbox_backend"])


@contextmanager
def uncollected() -> Iterator[None]:
    """For imports: what they make stays as long as the process, and looking through it for garbage while it grows, and
    at every full collection afterwards, is in vain."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def leave_group() -> None:
    """Leave the process group together: a worker that exits while another still speaks to it makes that one abort."""
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description="Run one training stage.")
    parser.add_argument("--spec", type=Path, required=True, help="JSON file written by training.launch")
    arguments = parser.parse_args()
    spec = json.loads(arguments.spec.read_text("utf-8"))
    die_with_parent(spec["parent_pid"])
    started = time.monotonic()
    if spec["recipe"]["parallel"]["devices"] > 1:
        from training.workers import run_workers

        summary = run_workers(spec)
    else:
        summary = run_stage(spec)
        leave_group()
    summary["process_s"] = round(time.monotonic() - started, 2)

    from training.checkpoints import write_atomically

    write_atomically(Path(spec["out_dir"]) / DONE, json.dumps(summary, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
