"""A stage goes on from the store's checkpoint on a machine that has none; a store that is down costs nothing."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datastore.artifacts import ArtifactStore, open_store
from datastore.checkpoints import Checkpoints
from datastore.database import open_database
from tasks.checkpoint_uploads import Uploader, forget, kept_in_store, restore_last
from tests.training.runs import assert_same_weights, below, figures, run
from tests.training.tiny_data import taught_recipe
from training.checkpoints import complete, mark_complete, update_of
from training.errors import TrainingError
from training.metrics import read_metrics

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
            for process in below("training.run"):
                process.kill()

    lost, other = tmp_path / "lost", tmp_path / "other"
    with (
        pytest.raises(TrainingError, match="SIGKILL"),
        kept_in_store(checkpoints, JOB, STEP, lost, poll_s=0.05),
    ):
        run("rl", recipe, taught_dataset, taught_model, lost, kill)
    assert updates_in(checkpoints)[-1] >= 6
    with kept_in_store(checkpoints, JOB, STEP, other, poll_s=0.05):
        assert [update_of(path) for path in complete(other / "checkpoints")] == updates_in(checkpoints)
        run("rl", recipe, taught_dataset, taught_model, other)
    assert figures(other) == figures(straight)
    assert_same_weights(other, straight)
    assert [path.name for path in complete(other / "checkpoints")] == [
        path.name for path in complete(straight / "checkpoints")
    ]
    assert updates_in(checkpoints)
    forget(checkpoints, JOB, STEP)
    assert updates_in(checkpoints) == []


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


def checked(out: Path, update: int, figure: float) -> Path:
    """`written`, and a held-out check of that update, all others as they were."""
    metrics = out / "metrics.jsonl"
    before = metrics.read_text() if metrics.exists() else ""
    folder = written(out, update)
    metrics.write_text(before + f'{{"update": {update}, "held_out_all_correct": {figure}}}\n')
    return folder


def store_two(checkpoints: Checkpoints, out: Path) -> None:
    """Checkpoint 2, the best, and 4, the newest."""
    uploader = Uploader(checkpoints, JOB, STEP, out)
    for update, figure in ((2, 1.0), (4, 0.5)):
        checked(out, update, figure)
        assert uploader.once()


def updates_in(checkpoints: Checkpoints) -> list[int]:
    return [one.update for one in checkpoints.stored(JOB, STEP)]


def test_the_best_stays_in_the_store_and_comes_back_with_the_newest(
    tmp_path: Path, checkpoints: Checkpoints, store: ArtifactStore
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    uploader = Uploader(checkpoints, JOB, STEP, out)
    kept = []
    for update, figure in ((2, 0.5), (4, 0.75), (6, 0.25), (8, 0.5)):
        checked(out, update, figure)
        assert uploader.once()
        assert not uploader.once(), "nothing is stored twice"
        kept.append(updates_in(checkpoints))
    assert kept == [[2], [4], [4, 6], [4, 8]]
    assert len(list(store.backend.digests())) == 2
    assert restore_last(checkpoints, JOB, STEP, other) == 8
    assert [update_of(path) for path in complete(other / "checkpoints")] == [4, 8]
    assert (other / "checkpoints" / "checkpoint-4" / "model.safetensors").read_text() == "weights 4"
    assert (other / "metrics.jsonl").read_text() == (out / "metrics.jsonl").read_text()
    assert sorted(path.name for path in other.iterdir()) == ["checkpoints", "metrics.jsonl"]
    checked(out, 10, 1.0)
    assert uploader.once()
    assert updates_in(checkpoints) == [10]
    forget(checkpoints, JOB, STEP)
    assert list(store.backend.digests()) == []


def test_a_best_that_was_missed_is_copied_after_the_newest(tmp_path: Path, checkpoints: Checkpoints) -> None:
    out = tmp_path / "out"
    checked(out, 2, 1.0)
    checked(out, 4, 0.5)
    uploader = Uploader(checkpoints, JOB, STEP, out)
    assert uploader.once()
    assert updates_in(checkpoints) == [4]
    assert uploader.once()
    assert updates_in(checkpoints) == [2, 4]
    assert not uploader.once()


def test_a_stage_that_starts_again_stores_nothing_again(
    tmp_path: Path, checkpoints: Checkpoints, store: ArtifactStore
) -> None:
    out = tmp_path / "out"
    checked(out, 2, 1.0)
    assert Uploader(checkpoints, JOB, STEP, out).once()
    (out / "metrics.jsonl").open("a").write('{"update": 3}\n')
    assert not Uploader(checkpoints, JOB, STEP, out).once()
    assert len(list(store.backend.digests())) == 1


def test_the_best_is_fetched_where_a_kill_left_only_the_newest(tmp_path: Path, checkpoints: Checkpoints) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    store_two(checkpoints, out)
    assert restore_last(checkpoints, JOB, STEP, other) == 4
    shutil.rmtree(other / "checkpoints" / "checkpoint-2")
    assert restore_last(checkpoints, JOB, STEP, other) is None
    assert [update_of(path) for path in complete(other / "checkpoints")] == [2, 4]


def test_a_best_that_can_not_be_read_costs_only_itself(
    tmp_path: Path, checkpoints: Checkpoints, store: ArtifactStore, caplog: pytest.LogCaptureFixture
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    store_two(checkpoints, out)
    store.backend.remove(checkpoints.stored(JOB, STEP)[0].digest)
    assert restore_last(checkpoints, JOB, STEP, other) == 4
    assert [update_of(path) for path in complete(other / "checkpoints")] == [4]
    assert "the best checkpoint of train-rl, of update 2, could not be fetched" in caplog.text


def test_a_damaged_newest_gives_way_to_the_one_before(
    tmp_path: Path, checkpoints: Checkpoints, store: ArtifactStore
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    store_two(checkpoints, out)
    newest = checkpoints.stored(JOB, STEP)[-1]
    store.backend.remove(newest.digest)
    store.backend.write(newest.digest, io.BytesIO(b"damage"), 6, "application/octet-stream")
    assert restore_last(checkpoints, JOB, STEP, other) == 2
    assert updates_in(checkpoints) == [2], "or it would hide the next ones"
    written(other, 3)
    assert Uploader(checkpoints, JOB, STEP, other).once()
    assert not (other / ".restored").exists()


def test_another_try_at_a_checkpoint_has_the_same_bytes(
    tmp_path: Path, checkpoints: Checkpoints, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    written(out, 2)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints._database, "write", lambda _: 1 / 0)  # the database is lost after the bytes are there
        assert not Uploader(checkpoints, JOB, STEP, out).once()
    (out / "metrics.jsonl").open("a").write('{"update": 3}\n')
    assert Uploader(checkpoints, JOB, STEP, out).once()
    assert len(list(store.backend.digests())) == 1


def test_metrics_here_that_end_before_the_stored_checkpoint_give_way(tmp_path: Path, checkpoints: Checkpoints) -> None:
    """This machine came to update 2, another one to 6, and now this one goes on: no update is missing."""
    here, there = tmp_path / "here", tmp_path / "there"
    written(here, 2)
    written(there, 6)
    assert Uploader(checkpoints, JOB, STEP, there).once()
    assert restore_last(checkpoints, JOB, STEP, here) == 6
    assert [row["update"] for row in read_metrics(here / "metrics.jsonl")] == [1, 2, 3, 4, 5, 6]


def test_a_checkpoint_that_is_being_pruned_is_not_stored_in_part(
    tmp_path: Path, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    folder = written(out, 2)
    copy = shutil.copyfile

    def copy_while_pruned(source: Path, target: Path) -> None:
        copy(source, target)
        (folder / "COMPLETE").unlink()
        (folder / "model.safetensors").unlink()
        (folder / "optimizer.pt").write_text("not removed yet")

    monkeypatch.setattr("tasks.checkpoint_uploads.shutil.copyfile", copy_while_pruned)
    assert not Uploader(checkpoints, JOB, STEP, out).once()
    assert updates_in(checkpoints) == []
    assert caplog.records == [], "which is no failure"


def test_an_unforeseen_error_ends_no_thread_and_hides_no_failure(
    tmp_path: Path, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    written(out, 2)
    failures = threading.Semaphore(0)

    def broken(*given: object) -> None:
        failures.release()
        raise KeyError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "save", broken)
        with (
            pytest.raises(ZeroDivisionError),
            kept_in_store(checkpoints, JOB, STEP, out, poll_s=0.01),
        ):
            assert failures.acquire(timeout=60)
            assert failures.acquire(timeout=60), "the thread tries again"
            raise ZeroDivisionError
    assert len([record for record in caplog.records if "KeyError('a defect')" in record.getMessage()]) == 1
    assert Uploader(checkpoints, JOB, STEP, out).once()
