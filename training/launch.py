"""Launch a training stage in a process of its own, follow its progress, and answer for how it ended.

On several devices that process is the driver of Ray Train workers (`training.workers`), which end with it.

A process apart, because a training run needs its own threads and environment, may hold a GPU, and must be killable.
It dies with its parent. The same output folder goes on from the last checkpoint; a finished one is left as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from training.batch_plan import plan_updates
from training.checkpoints import write_atomically
from training.config import Recipe
from training.errors import TrainingError
from training.metrics import Follower
from training.run import DONE

STAGE_INPUTS: dict[str, tuple[str, ...]] = {"sft": ("dataset",), "rl": ("dataset", "model")}
POLL_S = 0.2
STOP_S = 10.0
TAIL_LINES = 30
LITTLE_BYTES = 64 << 20
ROOT = Path(__file__).resolve().parent.parent


def launch(
    stage: Literal["sft", "rl"] | str,
    recipe: Recipe,
    inputs: Mapping[str, Path],
    out_dir: Path,
    on_progress: Callable[[dict[str, Any]], None] = lambda row: None,
    *,
    sandbox_backend: str = "bubblewrap",
    deadline_s: float | None = None,
    ray_address: str = "",
) -> None:
    """Run `stage` to its end; the result is out_dir/model, out_dir/metrics.jsonl and out_dir/DONE.json.

    `inputs` holds "dataset", and for "rl" also "model" (folders); for "sft" it may hold a model to start
    from. `on_progress` gets every row of the metrics once, those of an earlier, interrupted run included.
    `ray_address` is the cluster of a stage on several devices (RAY_ADDRESS unless given, else a local one). Raises
    TrainingError where the stage fails or outlasts its deadline (the recipe's unless given).
    """
    if stage not in STAGE_INPUTS:
        raise ValueError(f"unknown stage {stage!r}; the stages are {', '.join(STAGE_INPUTS)}")
    for role in STAGE_INPUTS[stage]:
        if role not in inputs or not Path(inputs[role]).is_dir():
            raise TrainingError(f"{stage} needs the folder {role!r}: {inputs.get(role, 'not given')}")
    if recipe.parallel.devices > 1 and (problems := plan_updates(recipe).problems):
        raise TrainingError("; ".join(problems))
    out_dir.mkdir(parents=True, exist_ok=True)
    follower = Follower(out_dir / "metrics.jsonl")
    if not (out_dir / DONE).exists():
        _run(stage, recipe, inputs, out_dir.resolve(), on_progress, follower, sandbox_backend, deadline_s, ray_address)
    for row in follower.new_rows():
        on_progress(row)


def _run(
    stage: str,
    recipe: Recipe,
    inputs: Mapping[str, Path],
    out_dir: Path,
    on_progress: Callable[[dict[str, Any]], None],
    follower: Follower,
    sandbox_backend: str,
    deadline_s: float | None,
    ray_address: str,
) -> None:
    threads = recipe.threads or max(1, (os.cpu_count() or 1) // recipe.parallel.devices)
    told = recipe.model_dump(mode="json")
    if recipe.slice.problems:  # the stage runs in another folder than its parent
        told["slice"]["problems"] = str(Path(recipe.slice.problems).resolve())
    spec = {
        "stage": stage,
        "recipe": told,
        "inputs": {role: str(Path(path).resolve()) for role, path in inputs.items()},
        "out_dir": str(out_dir),
        "sandbox_backend": sandbox_backend,
        "threads": threads,
        "parent_pid": os.getpid(),
    }
    spec_path, log_path = out_dir / "spec.json", out_dir / "log.txt"
    write_atomically(spec_path, json.dumps(spec, indent=1, sort_keys=True))
    limit_s = deadline_s or (recipe.sft.deadline_s if stage == "sft" else recipe.rl.deadline_s)
    deadline = time.monotonic() + limit_s
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "training.run", "--spec", str(spec_path)],
            cwd=ROOT,
            env=environment(threads) | ({"RAY_ADDRESS": ray_address} if ray_address else {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                for row in follower.new_rows():
                    on_progress(row)
                if time.monotonic() > deadline:
                    raise TrainingError(
                        f"{stage} of recipe {recipe.name} did not end within {limit_s:g} s and was stopped; start it"
                        f" again to go on from its last checkpoint, or raise {stage}.deadline_s. {_tail(log_path)}"
                    )
                time.sleep(POLL_S)
        finally:
            _stop(process)
    if process.returncode != 0 or not (out_dir / DONE).exists():
        raise TrainingError(
            f"{stage} of recipe {recipe.name} ended with {_ending(process.returncode)}."
            f" {_space(out_dir)}{_tail(log_path)}"
        )


def environment(threads: int) -> dict[str, str]:
    """This process's environment with what training needs.

    Passive waiting of OpenMP threads is worth a factor of ten where cores are shared.
    """
    return {
        **os.environ,
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "TRL_EXPERIMENTAL_SILENCE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the stage and everything it started; it has a session of its own."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, number)
        try:
            process.wait(STOP_S)
            return
        except subprocess.TimeoutExpired:
            continue


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _space(out_dir: Path) -> str:
    """A sentence where the disk is so full that it may be the reason, and that the log may not say so."""
    free = shutil.disk_usage(out_dir).free
    if free > LITTLE_BYTES:
        return ""
    return (
        f"The disk of {out_dir} has {free / 2**20:.1f} MiB left: free some space, and start it again to go on from its"
        " last checkpoint. "
    )


def _tail(log_path: Path) -> str:
    lines = log_path.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]
    return f"The end of {log_path}:\n" + "\n".join(lines)
