"""A stage in a process of its own: whole or resumable, dead with its parent, and its failures explained."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.services.processes import all_gone
from tests.training.tiny_data import tiny_recipe
from training.errors import TrainingError
from training.launch import ROOT, environment, launch
from training.metrics import read_metrics

WAIT_S = 60


def test_a_stage_killed_goes_on_and_ends_like_one_that_was_not(tmp_path: Path, dataset: Path, sft_folder: Path) -> None:
    """`kill -9` of the process that launched: training dies with it; the same call goes on."""
    recipe = tiny_recipe(sft__updates=400, sft__checkpoint_every=5)
    out = tmp_path / "out"
    code = (
        "import sys; from pathlib import Path; from training.config import parse_recipe;"
        "from training.launch import launch; import json;"
        "launch('sft', parse_recipe(json.loads(sys.argv[1]), ''), {'dataset': Path(sys.argv[2])}, Path(sys.argv[3]))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, recipe.model_dump_json(), str(dataset), str(out)], cwd=ROOT, env=environment(1)
    )
    deadline = time.monotonic() + WAIT_S
    while len(read_metrics(out / "metrics.jsonl")) < 12 and time.monotonic() < deadline:
        time.sleep(0.05)
    training = psutil.Process(parent.pid).children()
    assert training, "the stage runs in a process of its own"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert all_gone(training, deadline - time.monotonic())
    assert not (out / "DONE.json").exists()
    done = max(row["update"] for row in read_metrics(out / "metrics.jsonl"))
    assert 5 <= done < 400

    shorter = tiny_recipe(sft__updates=done + 10, sft__checkpoint_every=5)
    rows: list[dict[str, Any]] = []
    launch("sft", shorter, {"dataset": dataset}, out, rows.append)
    assert json.loads((out / "DONE.json").read_text())["updates"] == done + 10
    final = [row["update"] for row in read_metrics(out / "metrics.jsonl") if "loss" in row]
    assert final == list(range(1, done + 11))
    again: list[dict[str, Any]] = []
    launch("sft", shorter, {"dataset": dataset}, out, again.append)
    assert again == read_metrics(out / "metrics.jsonl"), "a finished stage is left as it is and told again"


def test_a_failed_stage_shows_the_end_of_its_log(tmp_path: Path, dataset: Path) -> None:
    recipe = tiny_recipe(slice__levels=[6])
    with pytest.raises(TrainingError, match=r"(?s)exit code 1.*log\.txt.*no program of .* is in the recipe's slice"):
        launch("sft", recipe, {"dataset": dataset}, tmp_path / "out")
    assert not (tmp_path / "out" / "DONE.json").exists()


def test_a_stage_that_outlasts_its_deadline_is_stopped(tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(TrainingError, match="did not end within 1 s"):
        launch("sft", tiny_recipe(sft__updates=100000), {"dataset": dataset}, tmp_path / "out", deadline_s=1)
    spec = json.loads((tmp_path / "out" / "spec.json").read_text())
    assert spec["parent_pid"] == os.getpid()


def test_missing_inputs_are_named(tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(TrainingError, match="rl needs the folder 'model'"):
        launch("rl", tiny_recipe(), {"dataset": dataset}, tmp_path)
    with pytest.raises(ValueError, match="unknown stage"):
        launch("pretrain", tiny_recipe(), {"dataset": dataset}, tmp_path)


def test_a_batch_that_several_devices_cannot_share_is_refused(tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(TrainingError, match=r"sft\.micro_batches 1 can't be shared by 2 processes: use 2"):
        launch("sft", tiny_recipe(parallel__devices=2, sft__micro_batches=1), {"dataset": dataset}, tmp_path)


def test_waiting_threads_are_passive() -> None:
    """Spinning OpenMP threads cost a factor of ten where cores are shared."""
    assert environment(3)["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment(3)["OMP_NUM_THREADS"] == "3"
