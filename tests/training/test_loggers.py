"""Loggers get the rows of metrics.jsonl: TensorBoard's files are read back, the others where they are installed."""

from __future__ import annotations

import importlib
import json
import math
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.training.tiny_data import tiny_recipe
from training.config import Recipe, load_recipe
from training.errors import TrainingError
from training.loggers import open_loggers
from training.metrics import MetricsFile, read_metrics
from training.phases import PHASES
from training.rl import run_rl
from training.sft import run_sft

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "training.md"
GPU_ONLY = {"peak_memory_gib", "train_gpu_busy"}
GPU_ONLY_RL = GPU_ONLY | {f"{phase}_gpu_busy" for phase in PHASES}


class Recorded:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.closed = False

    def log(self, update: int, numbers: dict[str, float]) -> None:
        self.rows.append((update, numbers))

    def close(self) -> None:
        self.closed = True


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Every scalar of a folder of event files: name -> update -> value."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: {one.step: one.value for one in events.Scalars(name)} for name in events.Tags()["scalars"]}


def test_loggers_get_the_finite_numbers_of_a_row(tmp_path: Path) -> None:
    logger = Recorded()
    metrics = MetricsFile(tmp_path / "metrics.jsonl", [logger])
    metrics.append(
        {"stage": "rl", "update": 3, "updates": 9, "loss": 0.5, "kl": math.nan, "format": None, "rollouts": 6}
    )
    metrics.close()
    assert logger.rows == [(3, {"rl/loss": 0.5, "rl/rollouts": 6.0})]
    assert logger.closed


def test_tensorboard_has_every_number_of_the_file(tmp_path: Path, dataset: Path) -> None:
    torch.set_num_threads(1)
    run_sft(tiny_recipe(logging__to=["tensorboard"]), dataset, tmp_path)
    found = scalars(tmp_path / "tensorboard")
    rows = read_metrics(tmp_path / "metrics.jsonl")
    for row in rows:
        for key, value in row.items():
            if key not in ("stage", "update", "updates") and value is not None:
                assert found[f"sft/{key}"][row["update"]] == pytest.approx(value, rel=1e-5)
    assert set(found["sft/loss"]) == {1, 2, 3, 4, 5, 6}
    assert set(found["sft/held_out_step"]) == {0, 3, 6}


def test_a_resumed_run_has_each_update_once_in_tensorboard(tmp_path: Path, dataset: Path) -> None:
    torch.set_num_threads(1)
    recipe = tiny_recipe(logging__to=["tensorboard"])
    run_sft(recipe, dataset, tmp_path, stop_after=3)
    late = open_loggers(recipe, "sft", tmp_path, 3)[0]  # rows that a kill left after the last checkpoint
    late.log(5, {"sft/loss": 99.0})
    late.close()
    run_sft(recipe, dataset, tmp_path)
    losses = scalars(tmp_path / "tensorboard")["sft/loss"]
    written = {row["update"]: row["loss"] for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row}
    assert losses == pytest.approx(written, rel=1e-5)


def documented() -> dict[str, set[str]]:
    """Column -> stages, by the table of docs/training.md."""
    section = DOCUMENT.read_text("utf-8").partition("\n## Metrics\n")[2].partition("\n## ")[0]
    found: dict[str, set[str]] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != 5 or cells[1] in ("column", "---"):
            continue
        for name in re.findall(r"`([^`]+)`", cells[1]):
            assert name not in found, f"{name} is documented twice"
            found[name] = {"SFT": {"sft"}, "RL": {"rl"}, "both": {"sft", "rl"}}[cells[2]]
    return found


def general(column: str) -> str:
    """The column as the table names it."""
    if column.startswith("final_reward_"):
        return "final_reward_TASK"
    return re.sub(r"^(step_reward|num_steps)_\d+$", r"\1_N", column)


def columns(folder: Path) -> set[str]:
    return {general(key) for row in read_metrics(folder / "metrics.jsonl") for key in row}


def test_the_documented_columns_are_those_that_are_written(tmp_path: Path, dataset: Path, sft_folder: Path) -> None:
    torch.set_num_threads(1)
    shares = {f"slice__rl_{task}": 0.25 for task in ("input", "code", "questions")}
    recipe = tiny_recipe(rl__beta=0.01, rl__updates=1, rl__prompts_per_update=4, rl__dynamic_sampling=1, **shares)
    run_rl(recipe, dataset, sft_folder / "model", tmp_path, "local")
    table = documented()
    assert columns(sft_folder) | GPU_ONLY == {name for name, stages in table.items() if "sft" in stages}
    assert columns(tmp_path) | GPU_ONLY_RL == {name for name, stages in table.items() if "rl" in stages}


def test_every_update_of_rl_has_its_columns(tmp_path: Path, dataset: Path, sft_folder: Path) -> None:
    torch.set_num_threads(1)
    recipe = tiny_recipe(rl__updates=2, slice__max_states=4)
    run_rl(recipe, dataset, sft_folder / "model", tmp_path, "local")
    first, second = [set(row) for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row]
    assert first == second
    assert {f"step_reward_{place}" for place in range(1, 5)} <= first
    assert "step_reward_5" not in first
    of_checks = {name for name in documented() if name.startswith("held_out_")} | {"evaluate_s"}
    asked = {name for name, stages in documented().items() if "rl" in stages} - of_checks - GPU_ONLY_RL
    assert {general(name) for name in first} == asked - {"kl", "replaced_groups"}


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_named_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("training.loggers.find_spec", lambda module: None if module == name else find_spec(module))
    recipe = load_recipe("tiny", {"logging.to": ["tensorboard", name]})
    with pytest.raises(TrainingError, match=f"logging.to names {name}.*pip install {name}"):
        open_loggers(recipe, "sft", tmp_path, -1)
    assert not (tmp_path / "tensorboard").exists()


def fake_wandb(calls: list[tuple[str, Any]]) -> SimpleNamespace:
    def init(**given: Any) -> SimpleNamespace:
        calls.append(("init", given))
        log = lambda numbers, step: calls.append(("log", (step, numbers)))  # noqa: E731
        return SimpleNamespace(log=log, finish=lambda: calls.append(("finish", None)))

    return SimpleNamespace(init=init, __spec__=None)


def test_a_resumed_stage_goes_on_in_the_same_wandb_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a stand-in: what is asked of W&B. The real package is tested below where it is installed."""
    calls: list[tuple[str, Any]] = []
    monkeypatch.setitem(sys.modules, "wandb", fake_wandb(calls))
    monkeypatch.setattr("training.loggers.find_spec", lambda module: object())
    recipe = load_recipe("tiny", {"logging.to": ["wandb"], "logging.project": "steps"})
    for update in (1, 2):
        (logger,) = open_loggers(recipe, "rl", tmp_path, update - 1)
        logger.log(update, {"rl/loss": 0.5})
        logger.close()
    starts = [given for kind, given in calls if kind == "init"]
    assert starts[0]["id"] == starts[1]["id"] == (tmp_path / "wandb" / "run_id.txt").read_text()
    assert {(given["project"], given["name"], given["resume"]) for given in starts} == {("steps", "tiny-rl", "allow")}
    assert [value for kind, value in calls if kind == "log"] == [(1, {"rl/loss": 0.5}), (2, {"rl/loss": 0.5})]
    json.dumps(starts[0]["config"])


def logged(recipe: Recipe, folder: Path) -> None:
    for update in (1, 2):
        (logger,) = open_loggers(recipe, "rl", folder, update - 1)
        logger.log(update, {"rl/loss": update / 2})
        logger.close()


@pytest.mark.optional("wandb")
def test_wandb_offline_writes_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logged(load_recipe("tiny", {"logging.to": ["wandb"]}), tmp_path)
    assert len(list(tmp_path.rglob("*.wandb"))) == 2


@pytest.mark.optional("mlflow")
def test_mlflow_has_one_run_of_both_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = importlib.import_module("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    logged(load_recipe("tiny", {"logging.to": ["mlflow"]}), tmp_path)
    run_id = (tmp_path / "mlflow" / "run_id.txt").read_text()
    history = mlflow.MlflowClient().get_metric_history(run_id, "rl/loss")
    assert [(one.step, one.value) for one in history] == [(1, 0.5), (2, 1.0)]
