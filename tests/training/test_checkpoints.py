"""Checkpoints are believed only when whole; metrics go on without gaps or doubles."""

import json
from pathlib import Path

import pytest

from training.checkpoints import (
    best_figures,
    best_update,
    complete,
    last_complete,
    mark_complete,
    prune,
    publish_folder,
    remove_incomplete,
    update_of,
    write_atomically,
)
from training.metrics import Follower, MetricsFile, last_held_out, read_metrics


def make(folder: Path, update: int, whole: bool = True) -> Path:
    checkpoint = folder / f"checkpoint-{update}"
    checkpoint.mkdir()
    (checkpoint / "weights").write_text("w")
    if whole:
        mark_complete(checkpoint)
    return checkpoint


def test_the_newest_complete_checkpoint_wins_and_torn_ones_go(tmp_path: Path) -> None:
    for update in (9, 20, 100):
        make(tmp_path, update, whole=update != 100)
    found = last_complete(tmp_path)
    assert found is not None
    assert update_of(found) == 20
    assert (tmp_path / "checkpoint-100").exists(), "looking removes nothing"
    remove_incomplete(tmp_path)
    assert [update_of(path) for path in complete(tmp_path)] == [9, 20]
    assert not (tmp_path / "checkpoint-100").exists()


def test_the_last_two_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    rows = [{"update": n, "held_out_all_correct": figure} for n, figure in ((0, 0.9), (2, 0.5), (4, 0.75), (6, 0.75))]
    rows += [{"update": 8, "held_out_all_correct": 0.25}, {"update": 10, "loss": 1.0}]
    kept = []
    for update in (2, 4, 6, 8, 10, 12):
        make(tmp_path, update)
        prune(tmp_path, [row for row in rows if row["update"] <= update])
        kept.append([update_of(path) for path in complete(tmp_path)])
    # 6 is as good as 4 and newer; 10 and 12 were not measured
    assert kept == [[2], [2, 4], [4, 6], [6, 8], [6, 8, 10], [6, 10, 12]]
    assert best_figures(tmp_path, rows) == {"best_update": 6, "best_held_out_all_correct": 0.75}


def test_without_held_out_checks_no_checkpoint_is_best(tmp_path: Path) -> None:
    make(tmp_path, 2)
    assert best_update([2], [{"update": 2, "loss": 0.1}]) is None
    assert best_figures(tmp_path, [{"update": 2, "loss": 0.1}]) == {}


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert last_complete(tmp_path) is None
    assert last_complete(tmp_path / "missing") is None


def test_another_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="checkpoint-N"):
        update_of(tmp_path / "checkpoint-x")


def test_published_folder_replaces_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").write_text("")
    (tmp_path / "model.tmp").mkdir()
    (tmp_path / "model.tmp" / "new").write_text("")
    publish_folder(tmp_path / "model.tmp", tmp_path / "model")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["new"]
    assert not (tmp_path / "model.tmp").exists()


def test_written_files_replace_whole(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.json", "1")
    write_atomically(tmp_path / "a.json", "2")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.json", "2")]


def test_rows_after_the_resume_point_are_dropped(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    for update in range(5):
        metrics.append({"update": update, "loss": 1 / 3})
    with metrics.path.open("a") as file:
        file.write('{"update": 5, "lo')  # torn by a kill
    metrics.keep_until(2)
    assert [row["update"] for row in read_metrics(metrics.path)] == [0, 1, 2]
    metrics.append({"update": 3})
    assert [row["update"] for row in read_metrics(metrics.path)] == [0, 1, 2, 3]


def test_not_a_number_becomes_null(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    metrics.append({"update": 1, "loss": float("nan"), "rate": 1.23456789e-7})
    assert json.loads(metrics.path.read_text()) == {"update": 1, "loss": None, "rate": 1.23457e-7}


def test_a_follower_sees_every_complete_row_once(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    follower = Follower(metrics.path)
    assert follower.new_rows() == []
    metrics.append({"update": 1})
    assert follower.new_rows() == [{"update": 1}]
    with metrics.path.open("a") as file:
        file.write('{"update"')
    assert follower.new_rows() == []
    with metrics.path.open("a") as file:
        file.write(": 2}\n")
    assert follower.new_rows() == [{"update": 2}]


def test_first_and_last_held_out_check_of_a_run(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    assert last_held_out(metrics.path) == {}
    for update, step in ((0, 0.25), (1, None), (2, 0.5)):
        metrics.append({"update": update} | ({} if step is None else {"held_out_step": step}))
    assert last_held_out(metrics.path) == {"start_held_out_step": 0.25, "held_out_step": 0.5}
