"""MBPP: 974 small problems with three assertions each, and 427 of them sanitized (Austin et al., arXiv 2108.07732).

Data: google-research/google-research, mbpp/mbpp.jsonl and sanitized-mbpp.json; Hugging Face
google-research-datasets/mbpp, configurations full and sanitized. Licence: CC-BY-4.0. The test ids are 11 to 510.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.benchmark_files import About, Download, read_all

NAME = "mbpp"
SANITIZED = "mbpp_sanitized"
LICENCE = "CC-BY-4.0"
SOURCE = "github.com/google-research/google-research/tree/master/mbpp, Hugging Face google-research-datasets/mbpp"
TEST_IDS = range(11, 511)
_RAW = "https://raw.githubusercontent.com/google-research/google-research/master/mbpp"
ABOUT = About(
    NAME,
    LICENCE,
    SOURCE,
    num_rows=974,
    patterns=("mbpp.jsonl", "full/*.parquet", "dev.jsonl"),
    downloads=(Download("url", f"{_RAW}/mbpp.jsonl", "mbpp.jsonl"),),
    sizes={"mbpp.jsonl": 563_743},
)
ABOUT_SANITIZED = About(
    SANITIZED,
    LICENCE,
    SOURCE,
    num_rows=427,
    patterns=("sanitized-mbpp.json", "sanitized/*.parquet", "dev.jsonl"),
    downloads=(Download("url", f"{_RAW}/sanitized-mbpp.json", "sanitized-mbpp.json"),),
)
_SCHEMA = {"task_id": int, "text": str, "code": str, "test_list": list, "test_setup_code": str}
_SANITIZED_SCHEMA = {"task_id": int, "prompt": str, "code": str, "test_list": list, "test_imports": list}


@dataclass(frozen=True)
class MbppRow:
    """One problem: `text` describes it, `source` solves it; `set_up` (lines) comes before a solution, `tests`
    (assertions) after it."""

    item_id: str
    number: int
    text: str
    source: str
    tests: tuple[str, ...]
    set_up: tuple[str, ...] = ()
    benchmark: str = NAME

    @property
    def is_test(self) -> bool:
        """Whether it is of the published test split."""
        return self.number in TEST_IDS


def load(folder: Path) -> list[MbppRow]:
    """The rows in `folder` (or its subfolder mbpp), by number. BenchmarkError where there are none."""
    rows = [
        MbppRow(
            f"mbpp/{row['task_id']}",
            row["task_id"],
            row["text"],
            row["code"].replace("\r\n", "\n"),
            tuple(row["test_list"]),
            tuple(filter(None, [row["test_setup_code"].replace("\r\n", "\n")])),
        )
        for row in read_all(folder, ABOUT, _SCHEMA, "task_id")
    ]
    return sorted(rows, key=lambda row: row.number)


def load_sanitized(folder: Path) -> list[MbppRow]:
    """The sanitized rows in `folder` (or its subfolder mbpp_sanitized), by number."""
    rows = [
        MbppRow(
            f"mbpp/{row['task_id']}",
            row["task_id"],
            row["prompt"],
            row["code"],
            tuple(row["test_list"]),
            tuple(row["test_imports"]),
            SANITIZED,
        )
        for row in read_all(folder, ABOUT_SANITIZED, _SANITIZED_SCHEMA, "task_id")
    ]
    return sorted(rows, key=lambda row: row.number)
