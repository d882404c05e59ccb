"""A stage on two Ray Train workers: the updates of one process, and one of them may be killed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from infra.processes import is_running
from tests.training.runs import assert_same_weights, below, figures, random_update, run, updates
from tests.training.tiny_data import taught_recipe
from training.checkpoints import complete, update_of
from training.errors import EngineError, EngineMismatch, ExamplesError, TrainingError
from training.launch import launch
from training.workers import refuse_small, would_come_again

NUM_UPDATES = {"sft": 120, "rl": 12}
COMPARED = 3  # afterwards rounding may choose another token, and the runs part
SHORT = {
    "sft__updates": NUM_UPDATES["sft"],
    "sft__checkpoint_every": 10,
    "sft__evaluate_every": 40,
    "rl__updates": NUM_UPDATES["rl"],
    "rl__checkpoint_every": 3,
    "rl__evaluate_every": 6,
}


def train_workers() -> list[psutil.Process]:
    return below("RayTrainWorker")


@pytest.mark.slow
def test_two_workers_train_as_one_process_and_survive_a_kill(
    tmp_path: Path, taught_dataset: Path, taught_model: Path
) -> None:
    """RL; a worker is lost in SFT alike. Losses and gradients are compared in test_two_processes.py, of both."""
    one, two = taught_recipe(**SHORT), taught_recipe(**SHORT, parallel__devices=2)
    alone = run("rl", one, taught_dataset, taught_model, tmp_path / "one")
    shared = run("rl", two, taught_dataset, taught_model, tmp_path / "two")
    assert [row["update"] for row in updates(shared)] == list(range(1, NUM_UPDATES["rl"] + 1))
    for mine, theirs in zip(updates(alone)[:COMPARED], updates(shared)[:COMPARED], strict=True):
        assert mine["grad_norm"] > 0.01
        assert theirs.pop("stage") == mine.pop("stage") == "rl"
        for row in (mine, theirs):
            row.pop("engine_difference", None)  # rounding itself
            row.pop("entropy", None)  # TRL's is a mean over micro-batches, which hold other rows
        assert [key for key in mine if mine[key] is None] == [key for key in theirs if theirs[key] is None]
        numbers = {key: value for key, value in mine.items() if value is not None}
        assert {key: theirs[key] for key in numbers} == pytest.approx(numbers, rel=1e-5, abs=1e-6)
        assert theirs.keys() == mine.keys()
    summary = json.loads((shared / "DONE.json").read_text())
    assert summary["workers"] == 2
    assert summary["best_update"] in [update_of(path) for path in complete(shared / "checkpoints")]
    assert train_workers() == [], "Ray and its workers end with the stage"

    fatal = random_update(7, NUM_UPDATES["rl"])
    killed: list[psutil.Process] = []

    def kill_one(row: dict[str, Any]) -> None:
        if not killed and "loss" in row and row["update"] >= fatal:
            killed.append(train_workers()[fatal % 2])
            killed[0].kill()

    disturbed = run("rl", two, taught_dataset, taught_model, tmp_path / "killed", kill_one)
    assert len(killed) == 1
    assert len(re.findall("Started training worker group", (disturbed / "log.txt").read_text())) == 2
    assert figures(disturbed) == figures(shared)
    assert_same_weights(disturbed, shared)


@pytest.mark.slow
def test_what_would_fail_again_is_not_tried_again(tmp_path: Path, taught_dataset: Path) -> None:
    recipe = taught_recipe(parallel__devices=2, slice__levels=[6])
    with pytest.raises(TrainingError, match=r"(?s)TrainingError: worker \d: ExamplesError: no program of"):
        launch("sft", recipe, {"dataset": taught_dataset}, tmp_path)
    assert len(re.findall("Started training worker group", (tmp_path / "log.txt").read_text())) <= 2


@pytest.mark.slow
def test_workers_end_with_their_driver_and_the_stage_goes_on(
    tmp_path: Path, taught_dataset: Path, taught_model: Path
) -> None:
    recipe = taught_recipe(**SHORT, parallel__devices=2)
    workers: list[psutil.Process] = []

    def kill_driver(row: dict[str, Any]) -> None:
        if not workers and row["update"] >= 20:
            workers.extend(train_workers())
            below("-m training.run")[0].kill()

    with pytest.raises(TrainingError, match="ended with signal SIGKILL"):
        run("sft", recipe, taught_dataset, taught_model, tmp_path, kill_driver)
    assert len(workers) == 2
    run("sft", recipe, taught_dataset, taught_model, tmp_path)
    assert not any(map(is_running, workers))
    assert [row["update"] for row in updates(tmp_path)] == list(range(1, NUM_UPDATES["sft"] + 1))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ExamplesError("no program"), True),
        (EngineMismatch("stale"), True),
        (torch.OutOfMemoryError("of a device"), True),
        (KeyError("of the code"), True),
        (EngineError("the actor's node is gone"), False),
        (RuntimeError("[gloo/transport/tcp/pair.cc] Connection closed by peer"), False),
        (torch.distributed.DistBackendError("NCCL error"), False),
        (OSError(28, "No space left on device"), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: Exception, again: bool) -> None:
    assert would_come_again(error) is again


def test_a_cluster_that_is_too_small_is_named() -> None:
    recipe = taught_recipe(parallel__devices=4)
    with pytest.raises(TrainingError, match=r"parallel\.devices = 4, and the Ray cluster has 2 GPUs"):
        refuse_small(recipe, {"CPU": 16.0, "GPU": 2.0}, use_gpu=True)
    refuse_small(recipe, {"CPU": 4.0}, use_gpu=False)


def test_a_cluster_without_gpus_for_the_actors_is_named() -> None:
    recipe = taught_recipe(parallel__devices=4, parallel__engine_devices=2, rl__engine="vllm_actor")
    with pytest.raises(TrainingError, match=r"4 workers and an actor of 2 GPUs for each .* need 12 GPUs, and .* 11"):
        refuse_small(recipe, {"CPU": 64.0, "GPU": 11.0}, use_gpu=True)
    with pytest.raises(TrainingError, match=r"an actor of 1 CPUs for each .* need 8 CPUs, and .* 7: use rl.engine"):
        refuse_small(recipe, {"CPU": 7.0}, use_gpu=False)
    refuse_small(recipe, {"CPU": 8.0, "GPU": 12.0}, use_gpu=True)
    refuse_small(taught_recipe(parallel__devices=4, rl__engine="vllm"), {"GPU": 4.0}, use_gpu=True)
