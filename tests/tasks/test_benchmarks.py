"""The benchmarks folder: its digest, its programs, and what `stepcode benchmarks` says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import stepcode
from tasks.benchmarks import benchmark_programs, benchmarks_digest, present
from tasks.errors import BenchmarksMissing

CRUX = {"id": "sample_0", "code": "def f(a):\n    return a", "input": "1", "output": "1"}
HUMANEVAL = {
    "task_id": "HumanEval/9",
    "prompt": "def inc(n):\n",
    "entry_point": "inc",
    "canonical_solution": "    return n + 1\n",
    "test": "",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, row in (("cruxeval", CRUX), ("humaneval", HUMANEVAL)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dev.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path


def test_the_programs_of_every_benchmark_are_kept_out_of_training(folder: Path) -> None:
    assert benchmark_programs(folder) == {
        "cruxeval/sample_0": "def f(a):\n    return a",
        "humaneval/HumanEval/9": "def inc(n):\n    return n + 1\n",
    }


def test_the_digest_changes_with_any_benchmark_and_not_with_a_download_under_way(folder: Path) -> None:
    before = benchmarks_digest(folder)
    (folder / "humaneval" / "x.part").write_text("half")
    (folder / "notes.txt").write_text("mine")
    assert benchmarks_digest(folder) == before
    (folder / "humaneval" / "dev.jsonl").write_text(json.dumps({**HUMANEVAL, "test": "x"}))
    assert benchmarks_digest(folder) != before


def test_without_a_folder_there_is_nothing_and_a_wrong_one_is_an_error(tmp_path: Path) -> None:
    assert (present(None), benchmarks_digest(None), benchmark_programs(None)) == ([], None, {})
    assert benchmarks_digest(tmp_path) is None
    with pytest.raises(BenchmarksMissing, match="STEPCODE_BENCHMARKS"):
        present(tmp_path / "nowhere")


def run(folder: Path | None, *arguments: str) -> tuple[int, str, str]:
    environment = {"STEPCODE_BENCHMARKS": None if folder is None else str(folder)}
    ended = CliRunner().invoke(stepcode.app, ["benchmarks", *arguments], env=environment)
    return ended.exit_code, ended.stdout, ended.stderr


def test_the_list_shows_what_is_there_and_how_to_get_the_rest(folder: Path) -> None:
    code, out, _ = run(folder, "list", "--json")
    records = {one["name"]: one for one in json.loads(out)}
    assert code == 0
    assert len(records) == 9
    here, missing = records["humaneval"], records["mbpp_plus"]
    assert (here["there"], here["rows"], here["complete"], here["note"]) == (True, 1, False, "1 of 164 rows")
    assert [len(digest) for digest in here["sha256"].values()] == [64]
    assert (missing["there"], missing["rows"]) == (False, 0)
    assert "stepcode benchmarks fetch mbpp_plus" in missing["note"]
    code, out, _ = run(folder, "list")
    assert code == 0
    assert "in part" in out
    assert "missing" in out


def test_a_benchmark_that_is_no_good_is_an_error_that_names_the_line(folder: Path) -> None:
    (folder / "humaneval" / "dev.jsonl").write_text("{")
    code, _, err = run(folder, "list")
    assert code == 1
    assert "line 1 of" in err


def test_fetch_needs_a_folder_and_a_name_that_exists(tmp_path: Path) -> None:
    code, _, err = run(None, "fetch", "humaneval")
    assert (code, "STEPCODE_BENCHMARKS" in err) == (1, True)
    code, _, err = run(tmp_path / "new", "fetch", "nope")
    assert (code, "there is no benchmark 'nope'" in err) == (1, True)
    assert not (tmp_path / "new").exists()


def test_fetch_keeps_what_is_there_and_shows_it(tmp_path: Path) -> None:
    (tmp_path / "humaneval").mkdir()
    (tmp_path / "humaneval" / "HumanEval.jsonl.gz").write_bytes(b"")
    code, _, err = run(tmp_path, "fetch", "humaneval")
    assert (code, "has no rows" in err) == (1, True)
