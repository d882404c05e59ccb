"""Benchmark files: what is published of a benchmark, finding its files, and reading rows with their schema checked.

A file is JSONL (plain or gzipped), a JSON list, or Parquet; a row is the same dict from each. What is not there, or
not what it should be, is a BenchmarkError that says what and where.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Schema = Mapping[str, type | tuple[type, ...]]
_CHUNK_BYTES = 1 << 20


class BenchmarkError(RuntimeError):
    """A benchmark that is not there or not what it should be; the message says where and what to do."""


@dataclass(frozen=True)
class Download:
    """Files to get: those of a Hugging Face data set that match `name`, or the one at a URL, kept as `name`."""

    kind: Literal["hub", "url"]
    place: str
    name: str


@dataclass(frozen=True)
class About:
    """What is published of a benchmark.

    `num_rows` is the whole benchmark's; `patterns` are its files' usual names, the first that is there counts;
    `sizes` are published sizes in bytes by file name.
    """

    name: str
    licence: str
    source: str
    num_rows: int
    patterns: tuple[str, ...]
    downloads: tuple[Download, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def advice(self) -> str:
        return f"get it: stepcode benchmarks fetch {self.name} (from {self.source})"

    def check_count(self, num_rows: int, where: Path) -> None:
        """BenchmarkError for more rows than there are."""
        if num_rows > self.num_rows:
            raise BenchmarkError(f"{where} has {num_rows} rows; {self.name} has {self.num_rows}")


def find_files(folder: Path, about: About) -> list[Path]:
    """The files of the first pattern that is there, in folder/NAME or in the folder itself, by name."""
    if not folder.is_dir():
        raise BenchmarkError(f"no folder {folder} for the benchmark {about.name}; {about.advice}")
    for base in (folder / about.name, folder):
        for pattern in about.patterns:
            found = sorted(path for path in base.glob(pattern) if path.is_file())
            if found:
                return found
    looked = ", ".join(about.patterns)
    raise BenchmarkError(f"{about.name} is not in {folder}: looked for {looked}; {about.advice}")


def read_all(folder: Path, about: About, schema: Schema, key: str) -> list[dict[str, Any]]:
    """Rows of all files of a benchmark, in order, each value of `key` only once over all of them."""
    paths = find_files(Path(folder), about)
    rows = [row for path in paths for row in read_rows(path, schema, key)]
    if len({row[key] for row in rows}) < len(rows):
        raise BenchmarkError(f"{paths[0].parent}: a {key} of {about.name} is there twice")
    about.check_count(len(rows), paths[0])
    return rows


def read_rows(path: Path, schema: Schema, key: str | Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a file that have the fields of `schema` with those types, and each value of `key`, one field or
    several together, only once."""
    keys = (key,) if isinstance(key, str) else tuple(key)
    rows: list[dict[str, Any]] = []
    seen: set[Any] = set()
    for where, row in _raw_rows(path):
        check_row(row, schema, where)
        value = tuple(row[one] for one in keys)
        if value in seen:
            raise BenchmarkError(f"{where}: {', '.join(keys)} {', '.join(map(repr, value))} is there twice")
        seen.add(value)
        rows.append(row)
    if not rows:
        raise BenchmarkError(f"{path} has no rows")
    return rows


def check_row(row: Any, schema: Schema, where: str) -> None:
    """BenchmarkError for a row that has not the fields of `schema` with those types."""
    if not isinstance(row, dict):
        raise BenchmarkError(f"{where} is no JSON object")
    for name, kind in schema.items():
        if name not in row:
            raise BenchmarkError(f"{where} has no field {name!r}")
        if not isinstance(row[name], kind):
            raise BenchmarkError(f"{where}: {name!r} is of type {type(row[name]).__name__}")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _raw_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """(where it stands, row) of each row, whatever the file's form."""
    try:
        if path.suffix == ".parquet":
            yield from _parquet_rows(path)
        elif path.suffix == ".json":
            yield from _listed_rows(path)
        else:
            yield from _json_lines(path)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path} can't be read: {error}") from error


def _json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"line {number} of {path}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BenchmarkError(f"{where} is no JSON: {error}") from error
            yield where, row


def _listed_rows(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        rows = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BenchmarkError(f"{path} is no JSON: {error}") from error
    if not isinstance(rows, list):
        raise BenchmarkError(f"{path} is no JSON list")
    for number, row in enumerate(rows, 1):
        yield f"row {number} of {path}", row


def _parquet_rows(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except pa.ArrowException as error:
        raise BenchmarkError(f"{path} is no Parquet file: {error}") from error
    for number, row in enumerate(rows, 1):
        yield f"row {number} of {path}", {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """A date as the text that JSON has."""
    return value.isoformat() if isinstance(value, datetime.date | datetime.datetime) else value
