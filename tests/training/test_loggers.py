"""Loggers get the rows of metrics.jsonl: TensorBoard's files are read back, the others where they are installed."""

from __future__ import annotations

import importlib
import json
import math
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from evaluation.run_verdicts import VERDICTS
from tests.training.tiny_data import tiny_recipe
from training.config import Recipe, load_recipe
from training.errors import TrainingError
from training.loggers import open_loggers
from training.metrics import MetricsFile, read_metrics
from training.rl import run_rl
from training.sft import run_sft

RL_COLUMNS = {
    "loss",
    "grad_norm",
    "learning_rate",
    "entropy",
    "kl",
    "step_reward",
    "final_reward",
    "all_correct",
    "format",
    "zero_std_step",
    "zero_std_final",
    "all_correct_step",
    "all_correct_final",
    "length",
    "generate_s",
    "grade_s",
    "sync_s",
    "reference_s",
    "other_s",
    "train_s",
    "update_s",
    "tokens_per_s",
    "generate_tokens_per_s",
    "grade_tokens_per_s",
    "train_tokens_per_s",
    "generated_tokens",
    "rollouts",
    "unjudged",
    *(f"sandbox_{verdict}" for verdict in VERDICTS),
}


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


def test_every_update_of_rl_has_its_columns(tmp_path: Path, dataset: Path, sft_folder: Path) -> None:
    torch.set_num_threads(1)
    recipe = tiny_recipe(rl__beta=0.01, rl__updates=1)
    run_rl(recipe, dataset, sft_folder / "model", tmp_path, "local")
    (row,) = [row for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row]
    assert set(row) >= RL_COLUMNS


def test_every_column_is_documented(tmp_path: Path, dataset: Path, sft_folder: Path) -> None:
    document = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text("utf-8")
    columns = {key for row in read_metrics(sft_folder / "metrics.jsonl") for key in row} | RL_COLUMNS
    assert {column for column in columns if f"`{column}`" not in document} == set()


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
