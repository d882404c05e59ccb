"""The drift from a stage's start: by hand, from the same start after a resume, and without it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tests.training.engines.models import COMPLETIONS, PROMPTS, tiny, update
from tests.training.tiny_data import taught_recipe
from training.engines import Probe
from training.engines.scores import model_distributions, model_logprobs
from training.metrics import read_metrics
from training.rl import run_rl
from training.start_drift import START, StartDrift

PROBE = Probe(PROMPTS, COMPLETIONS, 1e-4)


def test_the_distributions_are_those_of_the_places_of_the_completions() -> None:
    model = tiny("llama", True)
    logp_PV = model_distributions(model, PROMPTS, COMPLETIONS)
    tokens = torch.tensor([token for ids in COMPLETIONS for token in ids])
    expected = [value for row in model_logprobs(model, PROMPTS, COMPLETIONS) for value in row]
    assert logp_PV.gather(1, tokens[:, None])[:, 0].tolist() == pytest.approx(expected, abs=1e-6)
    assert logp_PV.exp().sum(-1).tolist() == pytest.approx([1.0] * len(tokens), abs=1e-5)


def test_the_divergence_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    # one place: (1/2, 1/2) from (1/4, 3/4), and another that has not moved
    given = [[[0.25, 0.75], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]]
    tables = iter([torch.tensor(one).log() for one in given])
    monkeypatch.setattr("training.start_drift.model_distributions", lambda *_: next(tables))
    drift = StartDrift(PROBE)
    model = tiny("llama", True)
    assert drift.measure(model, 0) == 0.0
    expected = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert drift.measure(model, 1) == pytest.approx(expected / 2)


def test_it_grows_with_the_change_and_goes_on_from_the_same_start(tmp_path: Path) -> None:
    model = tiny("llama", True)
    drift = StartDrift(PROBE)
    assert drift.measure(model, 0) == 0.0
    drift.save(tmp_path)
    moved = []
    for number in (1, 2, 3):
        update(model, 7, 0.01)
        moved.append(drift.measure(model, number))
    assert 0 < moved[0] < moved[1] < moved[2]  # type: ignore[operator]
    resumed = StartDrift(PROBE)
    assert resumed.measure(model, 3) is None, "a model of a later update is no start"
    resumed.load(tmp_path)
    assert resumed.measure(model, 3) == moved[2]


def test_a_resumed_run_logs_what_a_straight_one_does(tmp_path: Path, taught_dataset: Path, taught_model: Path) -> None:
    torch.set_num_threads(1)
    recipe = taught_recipe(rl__updates=4, rl__checkpoint_every=2, rl__learning_rate=1e-3)

    def logged(out: Path) -> list[float | None]:
        rows = read_metrics(out / "metrics.jsonl")
        return [row.get("kl_start_probe") for row in rows if "loss" in row]

    run_rl(recipe, taught_dataset, taught_model, tmp_path / "straight", "local")
    straight = logged(tmp_path / "straight")
    assert straight[0] == 0
    assert all(value is not None and value > 0 for value in straight[2:])
    for name in ("stopped", "older"):
        run_rl(recipe, taught_dataset, taught_model, tmp_path / name, "local", stop_after=2)
    (tmp_path / "older" / "checkpoints" / "checkpoint-2" / START).unlink()  # as a checkpoint of before
    for name in ("stopped", "older"):
        run_rl(recipe, taught_dataset, taught_model, tmp_path / name, "local")
    assert logged(tmp_path / "stopped") == straight
    assert logged(tmp_path / "older") == [*straight[:2], None, None]
