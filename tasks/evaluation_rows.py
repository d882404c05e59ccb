"""The rows of an evaluation as files: Parquet as the evaluate step keeps them, JSONL as the harness writes them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.harness import LIST_COLUMNS
from tasks.errors import NothingToCompare

PARQUET_MAGIC = b"PAR1"
# What a row must say to be compared with another.
NEEDED = ("item_id", "cluster", "benchmark", "task", "judged", "final_correct", "step_correct", "expected")


def read_rows_file(path: Path) -> list[dict[str, Any]]:
    """The rows as `evaluation.harness` wrote them, from a Parquet file."""
    return [
        {
            key: json.loads(value) if key in LIST_COLUMNS and isinstance(value, str) else value
            for key, value in row.items()
        }
        for row in pq.read_table(path).to_pylist()
    ]


def write_rows_file(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The rows as a Parquet file; lists become JSON texts."""
    flat = [{**row, **{name: json.dumps(row[name]) for name in LIST_COLUMNS}} for row in rows]
    pq.write_table(pa.Table.from_pylist(flat), path, compression="zstd")


def recorded_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that a person names, Parquet or JSONL by its content. NothingToCompare where it is neither,
    is empty or has rows of something else."""
    try:
        with path.open("rb") as file:
            parquet = file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
        rows = read_rows_file(path) if parquet else list(_lines(path))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise NothingToCompare(f"{path} can't be read as rows of an evaluation: {error}") from error
    if not rows:
        raise NothingToCompare(f"{path} has no rows")
    for number, row in enumerate(rows, start=1):
        absent = [column for column in NEEDED if not isinstance(row, dict) or column not in row]
        if absent:
            raise NothingToCompare(f"{path}, row {number}: no {', '.join(absent)}; it is no row of an evaluation")
    return rows


def _lines(path: Path) -> Iterator[Any]:
    """As the harness does, a torn last line (a killed evaluation) is passed over."""
    *whole, last = path.read_bytes().split(b"\n")
    for line in whole:
        if line.strip():
            yield json.loads(line)
    with contextlib.suppress(ValueError):
        yield json.loads(last)
