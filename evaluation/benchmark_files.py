"""Benchmark files: reading JSONL rows with their schema checked, and the errors that say what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class BenchmarkError(RuntimeError):
    """A benchmark that is not there or not what it should be; the message says where and what to do."""


def find_file(folder: Path, names: Sequence[str], benchmark: str, source: str) -> Path:
    """The first of `names` that exists in `folder` (paths relative to it)."""
    if not folder.is_dir():
        raise BenchmarkError(f"no folder {folder} for the benchmark {benchmark}; {source}")
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise BenchmarkError(f"{benchmark} is not in {folder}: looked for {', '.join(names)}; {source}")


def read_rows(
    path: Path, schema: Mapping[str, type | tuple[type, ...]], key: str | Sequence[str]
) -> list[dict[str, Any]]:
    """Rows of a JSONL file that have the fields of `schema` with those types, and each value of `key`, one field or
    several together, only once."""
    keys = (key,) if isinstance(key, str) else tuple(key)
    rows: list[dict[str, Any]] = []
    seen: set[Any] = set()
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"line {number} of {path}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BenchmarkError(f"{where} is no JSON: {error}") from error
            if not isinstance(row, dict):
                raise BenchmarkError(f"{where} is no JSON object")
            for field, kind in schema.items():
                if field not in row:
                    raise BenchmarkError(f"{where} has no field {field!r}")
                if not isinstance(row[field], kind):
                    raise BenchmarkError(f"{where}: {field!r} is of type {type(row[field]).__name__}")
            name = tuple(row[one] for one in keys)
            if name in seen:
                raise BenchmarkError(f"{where}: {', '.join(keys)} {', '.join(map(repr, name))} is there twice")
            seen.add(name)
            rows.append(row)
    if not rows:
        raise BenchmarkError(f"{path} has no rows")
    return rows
