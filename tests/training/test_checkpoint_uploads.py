"""A stage goes on from the store's checkpoint on a machine that has none; a store that is down costs nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datastore.artifacts import ArtifactStore, open_store
from datastore.checkpoints import Checkpoints
from datastore.database import open_database
from tasks.checkpoint_uploads import Uploader, forget, kept_in_store, restore_last
from tests.training.runs import assert_same_weights, descendants, figures, run, title
from tests.training.tiny_data import taught_recipe
from training.checkpoints import complete, mark_complete, update_of
from training.errors import TrainingError

SHORT = {"rl__updates": 12, "rl__checkpoint_every": 2, "rl__evaluate_every": 4}
JOB, STEP = "train-rl", "step"


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(f"file://{tmp_path}/store")


@pytest.fixture
def checkpoints(tmp_path: Path, store: ArtifactStore) -> Iterator[Checkpoints]:
    with open_database(f"sqlite:///{tmp_path}/stepcode.db") as database:
        yield Checkpoints(database, store)


def written(out: Path, update: int) -> Path:
    """A complete checkpoint folder with the update's number as its weights."""
    folder = out / "checkpoints" / f"checkpoint-{update}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(f"weights {update}")
    (out / "metrics.jsonl").write_text("".join(f'{{"update": {number}}}\n' for number in range(1, update + 1)))
    mark_complete(folder)
    return folder


@pytest.mark.slow
def test_another_machine_goes_on_from_the_store(
    tmp_path: Path, checkpoints: Checkpoints, taught_dataset: Path, taught_model: Path
) -> None:
    recipe = taught_recipe(**SHORT)
    straight = run("rl", recipe, taught_dataset, taught_model, tmp_path / "straight")

    def kill(row: dict[str, Any]) -> None:
        if row["update"] >= 7:
            for pid in [pid for pid in descendants(os.getpid()) if "training.run" in title(pid)]:
                os.kill(pid, signal.SIGKILL)

    lost, other = tmp_path / "lost", tmp_path / "other"
    with (
        pytest.raises(TrainingError, match="SIGKILL"),
        kept_in_store(checkpoints, JOB, STEP, lost, poll_s=0.05),
    ):
        run("rl", recipe, taught_dataset, taught_model, lost, kill)
    stored = checkpoints.last(JOB, STEP)
    assert stored is not None and stored.update >= 6
    with kept_in_store(checkpoints, JOB, STEP, other, poll_s=0.05):
        assert [update_of(path) for path in complete(other / "checkpoints")] == [stored.update]
        run("rl", recipe, taught_dataset, taught_model, other)
    assert figures(other) == figures(straight)
    assert_same_weights(other, straight)
    assert checkpoints.last(JOB, STEP) is not None
    forget(checkpoints, JOB, STEP)
    assert checkpoints.last(JOB, STEP) is None


def test_only_what_is_newer_is_uploaded_and_fetched(tmp_path: Path, checkpoints: Checkpoints) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    uploader = Uploader(checkpoints, JOB, STEP, out)
    assert not uploader.once()
    written(out, 2)
    assert uploader.once() and not uploader.once()
    (out / "checkpoints" / "checkpoint-4").mkdir()  # not complete
    assert not uploader.once()
    (out / "checkpoints" / "checkpoint-4").rmdir()
    written(out, 4)
    assert uploader.once()
    assert restore_last(checkpoints, JOB, STEP, out) is None
    assert restore_last(checkpoints, JOB, STEP, other) == 4
    assert (other / "checkpoints" / "checkpoint-4" / "model.safetensors").read_text() == "weights 4"
    assert [update_of(path) for path in complete(other / "checkpoints")] == [4]
    assert (other / "metrics.jsonl").read_text() == (out / "metrics.jsonl").read_text()
    written(other, 6)
    assert restore_last(checkpoints, JOB, STEP, other) is None


def test_a_store_that_is_down_is_told_once_and_tried_again(
    tmp_path: Path, checkpoints: Checkpoints, caplog: pytest.LogCaptureFixture
) -> None:
    out, place = tmp_path / "out", tmp_path / "store"
    uploader = Uploader(checkpoints, JOB, STEP, out)
    written(out, 2)
    place.rename(tmp_path / "away")
    place.write_text("a file where the folder was")
    assert not uploader.once() and not uploader.once()
    assert len([record for record in caplog.records if "training goes on" in record.message]) == 1
    with kept_in_store(checkpoints, JOB, STEP, out, poll_s=0.01):
        pass
    assert complete(out / "checkpoints"), "what is here stays"
    place.unlink()
    (tmp_path / "away").rename(place)
    assert uploader.once()
    assert restore_last(checkpoints, JOB, STEP, tmp_path / "other") == 2


def test_without_checkpoints_in_the_store_nothing_happens(tmp_path: Path) -> None:
    with kept_in_store(None, JOB, STEP, tmp_path / "out"):
        pass
    assert not (tmp_path / "out").exists()
