"""Every moment of an update is in one phase: on a clock that stands still but for what a test does."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from trl import GRPOTrainer

from tests.training.tiny_data import tiny_recipe
from training import bilevel, rl
from training.engines.sampler import SamplerEngine
from training.gpu_busy import GpuBusy
from training.metrics import read_metrics
from training.phases import PHASES, Phases


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def costs(self, seconds: float, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, which takes so long."""

        def slow(*given: Any, **named: Any) -> Any:
            self.now += seconds
            return function(*given, **named)

        return slow


def test_a_phase_takes_its_time_from_the_one_around_it() -> None:
    clock = Clock()
    phases = Phases(clock)
    clock.now += 1000  # before the update
    phases.begin()
    clock.now += 1
    with phases("other"):
        clock.now += 2
        with phases("grade"):
            clock.now += 4
        with pytest.raises(KeyError), phases("generate"):
            clock.now += 8
            raise KeyError
        clock.now += 16
        assert phases.now == "other"
    clock.now += 32
    expected = {"train": 33.0, "other": 18.0, "grade": 4.0, "generate": 8.0}
    assert phases.seconds() == {f"{phase}_s": expected.get(phase, 0.0) for phase in PHASES}
    clock.now += 64
    assert phases.seconds()["train_s"] == 97
    phases.begin()
    assert set(phases.seconds().values()) == {0.0}


def test_what_a_device_still_does_is_finished_in_its_phase() -> None:
    clock = Clock()
    waiting = [0.0]

    def settle() -> None:
        clock.now += waiting.pop() if waiting else 0

    phases = Phases(clock, settle)
    phases.begin()
    waiting.clear()
    with phases("reference"):
        waiting.append(5.0)
    assert phases.seconds()["reference_s"] == 5


@pytest.mark.parametrize("parts", [1, 2])
def test_each_part_of_an_update_is_in_its_phase(
    tmp_path: Path, dataset: Path, sft_folder: Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    torch.set_num_threads(1)
    clock = Clock()
    monkeypatch.setattr(rl, "Phases", lambda: Phases(clock))
    monkeypatch.setattr(SamplerEngine, "sync", clock.costs(1000, SamplerEngine.sync))
    monkeypatch.setattr(SamplerEngine, "generate", clock.costs(100, SamplerEngine.generate))
    monkeypatch.setattr(bilevel, "grade_example", clock.costs(10, bilevel.grade_example))
    logps = GRPOTrainer._get_per_token_logps_and_entropies
    monkeypatch.setattr(GRPOTrainer, "_get_per_token_logps_and_entropies", clock.costs(1, logps))
    monkeypatch.setattr(bilevel, "token_advantages", clock.costs(0.5, bilevel.token_advantages))
    recipe = tiny_recipe(rl__beta=0.01, rl__updates=2, rl__length_parts=parts, rl__micro_batches=1)
    rl.run_rl(recipe, dataset, sft_folder / "model", tmp_path, "local")
    rows = [row for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row]
    assert len(rows) == 2
    for row in rows:
        assert {phase: row[f"{phase}_s"] for phase in PHASES} == {
            "generate": 100,
            "sync": 1100,  # the probe lets the engine continue its texts
            "grade": 60,
            "reference": 1,  # TRL asks for it in one batch
            "other": 0.5,
            "train": parts,
        }
        assert row["update_s"] == sum(row[f"{phase}_s"] for phase in PHASES)
        assert row["generate_tokens_per_s"] == pytest.approx(row["generated_tokens"] / 100, rel=1e-5)


def test_an_updates_time_is_the_sum_of_its_phases(
    tmp_path: Path, dataset: Path, sft_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at the clock takes one second, dynamic sampling and its rounds included."""
    torch.set_num_threads(1)
    ticks = count()
    looks: list[int] = []

    def tick() -> float:
        looks.append(next(ticks))
        return float(looks[-1])

    monkeypatch.setattr(rl, "Phases", lambda: Phases(tick))
    recipe = tiny_recipe(rl__updates=1, rl__dynamic_sampling=2)
    rl.run_rl(recipe, dataset, sft_folder / "model", tmp_path, "local")
    (row,) = [row for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row]
    begun = 1  # the first look is that of the constructor
    assert row["update_s"] == sum(row[f"{phase}_s"] for phase in PHASES) == looks[-1] - begun
    assert (row["generate_s"], row["grade_s"], row["sync_s"]) == (3, 3, 1)


def test_readings_belong_to_the_phase_that_runs() -> None:
    phases, values = Phases(), iter([0.2, 0.4, 1.0])
    busy = GpuBusy(lambda: next(values), lambda: phases.now)
    with phases("generate"):
        assert busy.sample()
        assert busy.sample()
    assert busy.sample()
    assert busy.take() == pytest.approx({"generate_gpu_busy": 0.3, "train_gpu_busy": 1.0})
    assert busy.take() == {}
    assert not busy.sample(), "a reading that fails is none"
    assert busy.take() == {}


def test_a_thread_reads_until_it_is_closed_or_reading_fails() -> None:
    values = iter([0.25] * 3)
    with GpuBusy(lambda: next(values), lambda: "train", every_s=0.001) as busy:
        busy._thread.join(60)
        assert not busy._thread.is_alive(), "it ends with the fourth reading, which fails"
        assert busy.take() == {"train_gpu_busy": 0.25}
    with GpuBusy(lambda: 1.0, lambda: "train", every_s=0.001) as busy:
        assert busy._thread.is_alive()
    assert not busy._thread.is_alive()


def test_without_a_gpu_nothing_is_read_or_logged(sft_folder: Path) -> None:
    with GpuBusy(None, lambda: "train") as busy:
        assert not busy._thread.is_alive()
    assert not any(key.endswith("gpu_busy") for row in read_metrics(sft_folder / "metrics.jsonl") for key in row)


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_both_stages_log_what_is_read(
    tmp_path: Path, dataset: Path, sft_folder: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    from training import sft

    torch.set_num_threads(1)

    class Read(GpuBusy):
        """Half busy, without a thread."""

        def __init__(self, read: object, phase: Callable[[], str]) -> None:
            super().__init__(None, phase)

        def take(self) -> dict[str, float]:
            return {"train_gpu_busy": 0.5}

    monkeypatch.setattr(sft if stage == "sft" else rl, "GpuBusy", Read)
    if stage == "sft":
        sft.run_sft(tiny_recipe(sft__updates=1), dataset, tmp_path)
    else:
        rl.run_rl(tiny_recipe(rl__updates=1), dataset, sft_folder / "model", tmp_path, "local")
    assert [row["train_gpu_busy"] for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row] == [0.5]
