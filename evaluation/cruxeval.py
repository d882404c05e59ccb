"""CRUXEval: 800 short Python functions with one input and its output (Gu et al., arXiv 2401.03065).

Data: facebookresearch/cruxeval, data/cruxeval.jsonl; Hugging Face cruxeval-org/cruxeval, split test. Licence: MIT,
code and data. The function is always `f`; `input` is its argument list as text, `output` a Python literal.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.benchmark_files import BenchmarkError, find_file, read_rows
from execution.program import Program

__all__ = ["LICENCE", "BenchmarkError", "CruxevalRow", "load"]

NAME = "cruxeval"
LICENCE = "MIT"
NUM_ROWS = 800
ENTRY_POINT = "f"
_FILES = (
    "cruxeval/dev.jsonl",
    "cruxeval/cruxeval.jsonl",
    "cruxeval/test.jsonl",
    "cruxeval.jsonl",
    "test.jsonl",
    "dev.jsonl",
)
_SCHEMA = {"id": str, "code": str, "input": str, "output": str}


@dataclass(frozen=True)
class CruxevalRow:
    """One sample: `source` defines f, `arguments` and `output` are texts; f(arguments) == output."""

    item_id: str
    source: str
    arguments: str
    output: str

    @property
    def program(self) -> Program:
        return Program(self.source, f"{ENTRY_POINT}({self.arguments})", origin=f"{NAME}:{self.item_id}")


def load(folder: Path) -> list[CruxevalRow]:
    """The rows in `folder` (or its subfolder cruxeval), in the file's order. BenchmarkError where there are none."""
    source = "get cruxeval-org/cruxeval from Hugging Face (test.jsonl)"
    path = find_file(Path(folder), _FILES, NAME, source)
    rows = read_rows(path, _SCHEMA, "id")
    if len(rows) > NUM_ROWS:
        raise BenchmarkError(f"{path} has {len(rows)} rows; CRUXEval has {NUM_ROWS}")
    return [CruxevalRow(row["id"], row["code"], row["input"], row["output"]) for row in rows]
