"""A stage killed at random moments, or out of disk, ends like one that was left alone."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.training.runs import assert_same_weights, below, figures, run
from tests.training.small_disk import small_disk
from tests.training.tiny_data import taught_recipe
from training.checkpoints import complete, update_of
from training.errors import TrainingError

NUM_UPDATES = {"sft": 240, "rl": 30}
SHORT = {
    "sft__updates": NUM_UPDATES["sft"],
    "sft__checkpoint_every": 7,
    "sft__evaluate_every": 30,
    "rl__updates": NUM_UPDATES["rl"],
    "rl__checkpoint_every": 3,
    "rl__evaluate_every": 4,
}


def kill_stage(killed: list[psutil.Process]) -> None:
    """SIGKILL to the stage's process, if it is still there."""
    found = below("training.run")
    for process in found:
        process.kill()
    killed += found


def kept(out: Path) -> list[int]:
    """The updates whose checkpoints are there and whole."""
    return [update_of(path) for path in complete(out / "checkpoints")]


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "kills"), [("sft", 1), ("rl", 3)])
def test_kills_at_random_moments_change_nothing(
    tmp_path: Path, taught_dataset: Path, taught_model: Path, stage: str, kills: int
) -> None:
    recipe = taught_recipe(**SHORT)
    straight = run(stage, recipe, taught_dataset, taught_model, tmp_path / "straight")
    rng, killed, out = random.Random(), list[psutil.Process](), tmp_path / "killed"
    for number in range(kills):
        # the kills are spread over the updates, and each comes at any moment of some of them
        after, delay_s = (number + 0.5) * NUM_UPDATES[stage] / (kills + 1), rng.uniform(0, 0.2)
        timers: list[threading.Timer] = []

        def kill_later(
            row: dict[str, Any], after: float = after, delay_s: float = delay_s, timers: list[Any] = timers
        ) -> None:
            if not timers and row["update"] >= after:
                timers.append(threading.Timer(delay_s, kill_stage, [killed]))
                timers[0].start()

        with pytest.raises(TrainingError, match="ended with signal SIGKILL"):
            run(stage, recipe, taught_dataset, taught_model, out, kill_later)
        timers[0].join()
        assert not (out / "model").exists()
    assert len(killed) == kills
    run(stage, recipe, taught_dataset, taught_model, out)
    assert figures(out) == figures(straight)
    assert_same_weights(out, straight)
    assert list(map(update_of, complete(out / "checkpoints"))) == list(
        map(update_of, complete(straight / "checkpoints"))
    )


@pytest.mark.slow
def test_a_full_disk_costs_checkpoints_and_no_run(tmp_path: Path, taught_dataset: Path, taught_model: Path) -> None:
    """Full for a while: training goes on. Full to the end: it fails, says so, and goes on from the last checkpoint."""
    stage = "sft"
    recipe = taught_recipe(**SHORT)
    straight = run(stage, recipe, taught_dataset, taught_model, tmp_path / "straight")
    first, last = NUM_UPDATES[stage] // 5, NUM_UPDATES[stage] // 2
    with small_disk(tmp_path / "disk") as disk:
        out = disk.folder / "out"
        log, states = out / "log.txt", ["empty"]
        before: list[int] = []

        def failed_checkpoints() -> int:
            return log.read_text().count("could not be written")

        def fill_and_free(row: dict[str, Any]) -> None:
            if states[-1] == "empty" and row["update"] >= first:
                disk.fill()
                before.extend(kept(out))
                states.append("full")
            elif states[-1] == "full" and failed_checkpoints():
                states.append("freed")
                assert set(before) <= set(kept(out))
                disk.free()
            elif states[-1] == "freed" and row["update"] >= last:
                disk.fill()
                states.append("full to the end")

        with pytest.raises(TrainingError, match=r"MiB left: free some space|File too large"):
            run(stage, recipe, taught_dataset, taught_model, out, fill_and_free)
        assert states == ["empty", "full", "freed", "full to the end"]
        assert failed_checkpoints() >= 2, "one in the middle and one at the end"
        assert "Training goes on; a run that ends now would go on from checkpoint-" in log.read_text()
        assert max(before) < kept(out)[-1] < NUM_UPDATES[stage]
        disk.free()
        run(stage, recipe, taught_dataset, taught_model, out)
        assert figures(out) == figures(straight)
        assert_same_weights(out, straight)
