"""CRUXEval: 800 short Python functions with one input and its output (Gu et al., arXiv 2401.03065).

Data: facebookresearch/cruxeval, data/cruxeval.jsonl; Hugging Face cruxeval-org/cruxeval, split test. Licence: MIT,
code and data. The function is always `f`; `input` is its argument list as text, `output` a Python literal.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.benchmark_files import About, BenchmarkError, Download, read_all
from execution.program import Program

__all__ = ["ABOUT", "LICENCE", "BenchmarkError", "CruxevalRow", "load"]

NAME = "cruxeval"
LICENCE = "MIT"
SOURCE = "Hugging Face cruxeval-org/cruxeval, github.com/facebookresearch/cruxeval"
ENTRY_POINT = "f"
ABOUT = About(
    NAME,
    LICENCE,
    SOURCE,
    num_rows=800,
    patterns=("cruxeval.jsonl", "test.jsonl", "data/test-*.parquet", "test-*.parquet", "test.parquet", "dev.jsonl"),
    downloads=(Download("hub", "cruxeval-org/cruxeval", "test.jsonl"),),
    sizes={"cruxeval.jsonl": 186_873, "test.jsonl": 186_873},
)
NUM_ROWS = ABOUT.num_rows
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
    rows = read_all(folder, ABOUT, _SCHEMA, "id")
    return [CruxevalRow(row["id"], row["code"], row["input"], row["output"]) for row in rows]
