"""HumanEval: 164 functions to complete from their docstring (Chen et al., arXiv 2107.03374).

Data: openai/human-eval, data/HumanEval.jsonl.gz; Hugging Face openai/openai_humaneval, split test. Licence: MIT.
`entry_point` is not unique over the rows; `task_id` is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.benchmark_files import About, Download, read_all

NAME = "humaneval"
LICENCE = "MIT"
SOURCE = "github.com/openai/human-eval, Hugging Face openai/openai_humaneval"
ABOUT = About(
    NAME,
    LICENCE,
    SOURCE,
    num_rows=164,
    patterns=(
        "HumanEval.jsonl.gz",
        "HumanEval.jsonl",
        "data/HumanEval.jsonl.gz",
        "openai_humaneval/test-*.parquet",
        "test-*.parquet",
        "test.jsonl",
        "dev.jsonl",
    ),
    downloads=(
        Download(
            "url",
            "https://raw.githubusercontent.com/openai/human-eval/master/data/HumanEval.jsonl.gz",
            "HumanEval.jsonl.gz",
        ),
    ),
    sizes={"HumanEval.jsonl": 214_438, "HumanEval.jsonl.gz": 44_877},
)
_SCHEMA = {"task_id": str, "prompt": str, "entry_point": str, "canonical_solution": str, "test": str}


@dataclass(frozen=True)
class HumanEvalRow:
    """One problem: `prompt` + `canonical_solution` is a program; `test` defines check(candidate)."""

    item_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str

    @property
    def source(self) -> str:
        return self.prompt + self.canonical_solution


def load(folder: Path) -> list[HumanEvalRow]:
    """The rows in `folder` (or its subfolder humaneval), in order. BenchmarkError where there are none."""
    return [
        HumanEvalRow(row["task_id"], row["prompt"], row["entry_point"], row["canonical_solution"], row["test"])
        for row in read_all(folder, ABOUT, _SCHEMA, "task_id")
    ]
