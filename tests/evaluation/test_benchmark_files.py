"""Loaders: what they accept, what they refuse and how they say it; the development halves where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation import cruxeval, reval
from evaluation.benchmark_files import BenchmarkError
from execution.sandbox import Sandbox

ROW = {"id": "sample_0", "code": "def f(a):\n    return a + 1", "input": "1", "output": "2"}
DATA = {
    "task_id": "DREval/7",
    "entry_point": "g",
    "code": "def g(x):\n    y = x + 1\n    return y\n",
    "inputs": ["(1,)", "(2,)"],
    "outputs": ["2", "3"],
    "test": None,
}
TASKS = {
    "task_id": "DREval/7",
    "idx": 7,
    "tasks": [{"input_idx": 1, "task": [{"lineno": 2, "var": "y"}], "output_pred": "assert g(2) == ??"}],
}


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["cruxeval/dev.jsonl", "cruxeval.jsonl", "test.jsonl"])
def test_cruxeval_is_found_under_its_usual_names(name: str, tmp_path: Path) -> None:
    write(tmp_path / name, ROW)
    [row] = cruxeval.load(tmp_path)
    assert (row.item_id, row.output) == ("sample_0", "2")
    assert row.program.call == "f(1)"
    assert row.program.source == ROW["code"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{key: value for key, value in ROW.items() if key != "output"}], "no field 'output'"),
        ([{**ROW, "output": 2}], "'output' is of type int"),
        ([ROW, ROW], "is there twice"),
        ([[1]], "no JSON object"),
        ([], "has no rows"),
    ],
)
def test_a_cruxeval_file_of_another_form_is_refused(rows: list[Any], message: str, tmp_path: Path) -> None:
    write(tmp_path / "cruxeval.jsonl", *rows)
    with pytest.raises(BenchmarkError, match=message):
        cruxeval.load(tmp_path)


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "cruxeval.jsonl").write_text(json.dumps(ROW) + "\n{oops\n")
    with pytest.raises(BenchmarkError, match=r"line 2 of .* is no JSON"):
        cruxeval.load(tmp_path)


def test_a_missing_benchmark_says_what_was_looked_for_and_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="cruxeval-org/cruxeval"):
        cruxeval.load(tmp_path)
    with pytest.raises(BenchmarkError, match="r-eval/REval"):
        reval.load(tmp_path)
    with pytest.raises(BenchmarkError, match="no folder"):
        cruxeval.load(tmp_path / "nowhere")


def test_reval_is_joined_by_task_and_not_by_position(tmp_path: Path) -> None:
    other = {**DATA, "task_id": "DREval/9", "inputs": ["(5,)"], "outputs": ["6"]}
    other_tasks = {**TASKS, "task_id": "DREval/9", "idx": 9, "tasks": [{**TASKS["tasks"][0], "input_idx": 0}]}
    write(tmp_path / "data" / "DREval_data.jsonl", DATA, other)
    write(tmp_path / "data" / "DREval_tasks.jsonl", other_tasks, TASKS)
    rows = reval.load(tmp_path)
    assert [(row.item_id, row.index, row.num_points) for row in rows] == [("DREval/7", 7, 1), ("DREval/9", 9, 1)]
    [pair] = rows[0].pairs
    assert (pair.input, pair.output, pair.points) == ("(2,)", "3", (reval.Point(2, "y"),))
    assert rows[1].pairs[0].input == "(5,)"


@pytest.mark.parametrize(
    "points",
    [
        [{"input_idx": 5, "task": [], "output_pred": ""}],
        [{"input_idx": 0, "task": [{"lineno": 9, "var": "y"}], "output_pred": ""}],
        [{"input_idx": 0, "output_pred": ""}],
    ],
)
def test_points_that_do_not_fit_their_program_are_refused(points: list[Any], tmp_path: Path) -> None:
    write(tmp_path / "DREval_data.jsonl", DATA)
    write(tmp_path / "DREval_tasks.jsonl", {**TASKS, "tasks": points})
    with pytest.raises(BenchmarkError, match="DREval/7"):
        reval.load(tmp_path)


def test_a_program_without_points_or_a_missing_half_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "DREval_data.jsonl", DATA)
    with pytest.raises(BenchmarkError, match=r"DREval_tasks\.jsonl is missing"):
        reval.load(tmp_path)
    write(tmp_path / "DREval_tasks.jsonl", {**TASKS, "task_id": "DREval/8"})
    with pytest.raises(BenchmarkError, match="no points"):
        reval.load(tmp_path)


def test_the_development_halves_load_whole(benchmarks: Path, sandbox: Sandbox) -> None:
    rows = cruxeval.load(benchmarks)
    assert len(rows) in (400, 800)
    assert all(row.program.call_parts for row in rows)
    programs = reval.load(benchmarks)
    counts = (len(programs), sum(len(row.pairs) for row in programs), sum(row.num_points for row in programs))
    assert counts in ((77, 344, 1683), (154, 690, 3152))
