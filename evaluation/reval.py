"""REval: questions about the execution of HumanEval and ClassEval programs (Chen et al., arXiv 2403.16437).

Data: r-eval/REval, data/DREval_data.jsonl (programs, inputs, outputs, tests) and data/DREval_tasks.jsonl (points to
ask about). No licence file; the programs come from HumanEval and ClassEval, both MIT. Upstream joins the two files by
position; here they are joined by `task_id`, so a part of the benchmark is as good as all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.benchmark_files import About, BenchmarkError, Download, find_files, read_rows

NAME = "reval"
LICENCE = "none stated; programs from HumanEval (MIT) and ClassEval (MIT)"
SOURCE = "github.com/r-eval/REval, folder data/"
_RAW = "https://raw.githubusercontent.com/r-eval/REval/main/data"
ABOUT = About(
    NAME,
    LICENCE,
    SOURCE,
    num_rows=154,
    patterns=("data/DREval_data.jsonl", "DREval_data.jsonl"),
    downloads=tuple(
        Download("url", f"{_RAW}/{name}", f"data/{name}") for name in ("DREval_data.jsonl", "DREval_tasks.jsonl")
    ),
    sizes={"DREval_data.jsonl": 697_634, "DREval_tasks.jsonl": 216_219},
)
_DATA_SCHEMA: dict[str, type | tuple[type, ...]] = {
    "task_id": str,
    "entry_point": str,
    "code": str,
    "inputs": list,
    "outputs": list,
    "test": (str, type(None)),
}
_TASKS_SCHEMA: dict[str, type | tuple[type, ...]] = {"task_id": str, "idx": int, "tasks": list}


@dataclass(frozen=True)
class Point:
    """A line (1-based) and the variable whose value after it is asked for."""

    line: int
    variable: str


@dataclass(frozen=True)
class Pair:
    """One input of a program, its points, and the assertions to complete for the output task.

    `input` is an argument tuple's text (HumanEval) or the body of a test method (ClassEval).
    """

    input_index: int
    input: str
    output: str | None
    points: tuple[Point, ...]
    output_prediction: str


@dataclass(frozen=True)
class RevalRow:
    """One program. `test` is None for a function (HumanEval), a unittest module's text for a class (ClassEval)."""

    item_id: str
    index: int
    entry_point: str
    source: str
    test: str | None
    pairs: tuple[Pair, ...]

    @property
    def num_points(self) -> int:
        return sum(len(pair.points) for pair in self.pairs)


def load(folder: Path) -> list[RevalRow]:
    """Programs that both files have, in the data file's order. BenchmarkError where a program has no points."""
    [data_path] = find_files(Path(folder), ABOUT)
    tasks_path = data_path.with_name("DREval_tasks.jsonl")
    if not tasks_path.is_file():
        raise BenchmarkError(f"{tasks_path} is missing; it belongs beside {data_path.name}")
    tasks = {row["task_id"]: row for row in read_rows(tasks_path, _TASKS_SCHEMA, "task_id")}
    rows = []
    for data in read_rows(data_path, _DATA_SCHEMA, "task_id"):
        if data["task_id"] not in tasks:
            raise BenchmarkError(f"{data['task_id']} of {data_path} has no points in {tasks_path}")
        rows.append(_joined(data, tasks[data["task_id"]], tasks_path))
    ABOUT.check_count(len(rows), data_path)
    return rows


def _joined(data: dict[str, Any], asked: dict[str, Any], where: Path) -> RevalRow:
    try:
        pairs = tuple(_pair(data, one) for one in asked["tasks"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BenchmarkError(f"the points of {data['task_id']} in {where} don't fit its data: {error!r}") from error
    return RevalRow(data["task_id"], asked["idx"], data["entry_point"], data["code"], data["test"], pairs)


def _pair(data: dict[str, Any], one: dict[str, Any]) -> Pair:
    index = one["input_idx"]
    num_lines = len(data["code"].splitlines())
    points = tuple(Point(point["lineno"], point["var"]) for point in one["task"])
    for point in points:
        if not 1 <= point.line <= num_lines:
            raise ValueError(f"line {point.line} of {num_lines}")
    output = data["outputs"][index] if data["outputs"] else None
    return Pair(index, data["inputs"][index], output, points, one["output_pred"])
