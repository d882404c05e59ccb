"""One training stage on several devices: a Ray Train job with one worker per device.

The process that `training.launch` starts is the driver. Every worker runs `training.run.run_stage`; what depends on
the process is in `training.processes`. A worker that is lost ends the others, and all start again from the last
complete checkpoint, up to `parallel.max_failures` times. Errors that would come again are not tried again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import traceback
from pathlib import Path
from typing import Any
from uuid import uuid4

from training.checkpoints import write_atomically
from training.config import Recipe, parse_recipe
from training.errors import EngineError, EngineMismatch, TrainingError
from training.parallel import num_actors, num_gpus

SUMMARY, FAILURE = "summary.json", "failure.json"
OBJECT_STORE_BYTES = 100 << 20
PASSED_ON = ("OMP_", "MKL_", "TOKENIZERS_", "TRL_", "TRANSFORMERS_", "HF_", "PYTHONPATH", "WANDB_", "MLFLOW_")


def run_workers(spec: dict[str, Any]) -> dict[str, Any]:
    """Run the stage of a spec on `parallel.devices` workers; returns the first worker's summary.

    TrainingError where the cluster is too small, or a worker failed for a reason that would come again.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    from training.processes import COLLECTIVE_S

    recipe = parse_recipe(spec["recipe"], "the recipe of the spec")
    out_dir = Path(spec["out_dir"])
    for name in (SUMMARY, FAILURE):
        (out_dir / name).unlink(missing_ok=True)
    _connect(recipe)
    try:
        use_gpu = ray.cluster_resources().get("GPU", 0) > 0
        refuse_small(recipe, ray.cluster_resources(), use_gpu)
        trainer = TorchTrainer(
            run_on_worker,
            train_loop_config=spec,
            torch_config=TorchConfig(backend="nccl" if use_gpu else "gloo", timeout_s=COLLECTIVE_S),
            scaling_config=ScalingConfig(num_workers=recipe.parallel.devices, use_gpu=use_gpu),
            run_config=RunConfig(
                name=uuid4().hex,  # Ray's own state of an earlier start is not ours to go on from
                storage_path=str(out_dir / "ray"),
                failure_config=FailureConfig(max_failures=recipe.parallel.max_failures),
            ),
        )
        trainer.fit()
    finally:
        ray.shutdown()
        shutil.rmtree(out_dir / "ray", ignore_errors=True)
    if (out_dir / FAILURE).exists():
        failure = json.loads((out_dir / FAILURE).read_text("utf-8"))
        raise TrainingError(f"worker {failure['rank']}: {failure['message']}\n{failure['traceback']}")
    summary: dict[str, Any] = json.loads((out_dir / SUMMARY).read_text("utf-8"))
    (out_dir / SUMMARY).unlink()
    return summary | {"workers": recipe.parallel.devices}


def run_on_worker(spec: dict[str, Any]) -> None:
    """A worker's part. An error of the input or the recipe is noted, and ends the next attempt before it begins."""
    from training.processes import is_first
    from training.run import run_stage

    out_dir = Path(spec["out_dir"])
    if (out_dir / FAILURE).exists():
        return
    try:
        summary = run_stage(spec)
    except Exception as error:
        if would_come_again(error):
            rank = int(os.environ["RANK"])
            note = {"rank": rank, "message": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
            write_atomically(out_dir / FAILURE, json.dumps(note))
        raise
    if is_first():
        write_atomically(out_dir / SUMMARY, json.dumps(summary))


def would_come_again(error: Exception) -> bool:
    """Whether an error is of the recipe, the data or the code; not one of a device, a connection, a disk, an engine
    that died with its node."""
    import torch

    if isinstance(error, torch.distributed.DistError | torch.AcceleratorError | OSError):
        return False
    if isinstance(error, EngineError):
        return isinstance(error, EngineMismatch)
    return type(error) is not RuntimeError  # gloo's, of a lost connection


def _connect(recipe: Recipe) -> None:
    """Join the cluster that RAY_ADDRESS names, or start a small local one that ends with this process."""
    import ray

    variables = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    if address := os.environ.get("RAY_ADDRESS"):
        ray.init(address=address, runtime_env={"env_vars": variables})
        return
    ray.init(
        address="local",
        num_cpus=recipe.parallel.devices + num_actors(recipe),
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        runtime_env={"env_vars": variables, "worker_process_setup_hook": _without_complaints},
    )


def _without_complaints() -> None:
    """Ray's watcher of the controller asks the dashboard, which a local cluster lacks, and says so each second."""
    logging.getLogger("ray.train.v2._internal.execution.controller.placement_group_cleaner").setLevel(logging.ERROR)


def refuse_small(recipe: Recipe, resources: dict[str, float], use_gpu: bool) -> None:
    """Ray would wait without end for what a cluster does not have: devices of the workers, and of their actors."""
    section, actors = recipe.parallel, num_actors(recipe)
    kind, needed = ("GPU", num_gpus(recipe)) if use_gpu else ("CPU", section.devices + actors)
    have = resources.get(kind, 0)
    if have < section.devices:
        raise TrainingError(
            f"parallel.devices = {section.devices}, and the Ray cluster has {have:g} {kind}s: lower it, or name"
            " a larger cluster in RAY_ADDRESS"
        )
    if have < needed:
        each = section.engine_devices if use_gpu else 1
        raise TrainingError(
            f"{section.devices} workers and an actor of {each} {kind}s for each (rl.engine = 'vllm_actor') need"
            f" {needed} {kind}s, and the Ray cluster has {have:g}: use rl.engine = 'vllm', which computes on the"
            " workers' devices, lower parallel.devices, or name a larger cluster in RAY_ADDRESS"
        )
