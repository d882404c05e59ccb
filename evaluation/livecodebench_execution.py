"""LiveCodeBench, code execution: 479 LeetCode solutions with a call and its result (Jain et al., arXiv 2403.07974).

Data: Hugging Face livecodebench/execution-v2, split test. Licence as its card says: "cc". `input` is the whole call
with keyword arguments; the programs bring no imports (`evaluation.scorers.livecodebench.IMPORTS` stand before them).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.benchmark_files import About, BenchmarkError, Download, read_all

NAME = "livecodebench_execution"
LICENCE = "cc"
SOURCE = "Hugging Face livecodebench/execution-v2"
ABOUT = About(
    NAME,
    LICENCE,
    SOURCE,
    num_rows=479,
    patterns=("data/test-*.parquet", "test-*.parquet", "test.parquet", "test.jsonl", "dev.jsonl", "dev_rows*.jsonl"),
    downloads=(Download("hub", "livecodebench/execution-v2", "data/test-*.parquet"),),
)
_SCHEMA: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "question_id": int,
    "function_name": str,
    "code": str,
    "input": str,
    "output": str,
    "contest_date": str,
    "difficulty": str,
}


@dataclass(frozen=True)
class ExecutionRow:
    """One sample: `call` (text) on `source` gives `output` (a literal's text). Samples of one `question_id` are of
    one problem. `contest_date` is an ISO date."""

    item_id: str
    question_id: int
    entry_point: str
    source: str
    call: str
    output: str
    contest_date: str
    difficulty: str


def load(folder: Path) -> list[ExecutionRow]:
    """The rows in `folder` (or its subfolder livecodebench_execution), in order. BenchmarkError where there are none,
    or where a row's call is not one of its function."""
    return [
        ExecutionRow(
            row["id"],
            row["question_id"],
            row["function_name"],
            row["code"],
            _call(row["input"], row["function_name"], row["id"]),
            row["output"],
            row["contest_date"][:10],
            row["difficulty"].lower(),
        )
        for row in read_all(folder, ABOUT, _SCHEMA, "id")
    ]


def _call(text: str, entry_point: str, item_id: str) -> str:
    if not text.lstrip().startswith(f"{entry_point}("):
        raise BenchmarkError(f"{NAME}: the input of {item_id} is no call of {entry_point}: {text[:80]!r}")
    return text
