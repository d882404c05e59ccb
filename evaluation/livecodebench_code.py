"""LiveCodeBench, code generation: dated contest problems with public and private tests (arXiv 2403.07974).

Data: Hugging Face livecodebench/code_generation_lite, test.jsonl … test6.jsonl. Licence as its card says: "cc".
Release vN is files 1 to N; a single file's problems are asked for as `v5`, several as `v2_v4`, in the words of the
published loader, whose script is not run. Private tests are base64 → zlib → pickle → JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from evaluation.benchmark_files import About, BenchmarkError, Download, Schema, check_row, find_files
from evaluation.plain_pickle import PlainPickleError, plain_loads

NAME = "livecodebench_code"
LICENCE = "cc"
SOURCE = "Hugging Face livecodebench/code_generation_lite"
FILES = ("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl", "test6.jsonl")
NUM_UP_TO = (400, 511, 612, 713, 880, 1055)  # problems in files 1 to N
ABOUT = About(
    NAME,
    LICENCE,
    SOURCE,
    num_rows=NUM_UP_TO[-1],
    patterns=("test*.jsonl", "dev.jsonl"),
    downloads=tuple(Download("hub", "livecodebench/code_generation_lite", name) for name in FILES),
)
MAX_TESTS_BYTES = 1 << 30  # of one problem's private tests, unpacked
_SCHEMA: Schema = {
    "question_title": str,
    "question_content": str,
    "platform": str,
    "question_id": str,
    "contest_id": str,
    "contest_date": str,
    "starter_code": str,
    "difficulty": str,
    "public_test_cases": str,
    "private_test_cases": str,
    "metadata": str,
}
_VERSION = re.compile(r"(?:release_(?:v(?P<up_to>[1-6])|(?P<latest>latest)))|v(?P<first>[1-6])(?:_v(?P<last>[1-6]))?")


@dataclass(frozen=True)
class Case:
    """One test: of kind "stdin", input and output are texts; "functional", JSON values, the input one a line."""

    input: str
    output: str
    kind: Literal["stdin", "functional"]


@dataclass(frozen=True)
class ProblemRow:
    """One problem. `entry_point` is the method asked for, None where programs read stdin and write stdout."""

    item_id: str
    title: str
    question: str
    platform: str
    contest_date: date
    starter_code: str
    difficulty: str
    entry_point: str | None
    public_tests: tuple[Case, ...]
    path: Path
    offset: int

    def tests(self) -> tuple[Case, ...]:
        """Public and private tests, in the order in which they are run. The private ones are read from the file on
        each call, from byte `offset` of `path` on: all problems' tests together do not fit in memory."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            row = json.loads(file.readline())
        return self.public_tests + unpack_tests(row["private_test_cases"], self.item_id)


def load(
    folder: Path, version: str = "release_latest", start: date | None = None, end: date | None = None
) -> list[ProblemRow]:
    """Problems of a version (`release_v5`: files 1 to 5; `v5`: the fifth alone; `v2_v4`) in `folder` or its subfolder
    livecodebench_code, of contests from `start` to `end`, both included. BenchmarkError where a file is missing."""
    paths = _files(Path(folder), version)
    rows: list[ProblemRow] = []
    for path in paths:
        rows += _rows(path)
    if len({row.item_id for row in rows}) < len(rows):
        raise BenchmarkError(f"{paths[0].parent}: a question_id of {NAME} is there twice")
    ABOUT.check_count(len(rows), paths[0])
    first, last = start or date.min, end or date.max
    return [row for row in rows if first <= row.contest_date <= last]


def file_numbers(version: str) -> range:
    """Numbers (1 to 6) of the files of a version; ValueError for a name that is none."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"no version {version!r}; versions are release_v1 … release_v6, v1 … v6, v1_v3, …")
    if match["first"] is None:
        return range(1, int(match["up_to"] or len(FILES)) + 1)
    first = int(match["first"])
    last = int(match["last"] or first)
    if last < first:
        raise ValueError(f"{version!r} ends before it begins")
    return range(first, last + 1)


def _files(folder: Path, version: str) -> list[Path]:
    try:
        names = [FILES[number - 1] for number in file_numbers(version)]
    except ValueError as error:
        raise BenchmarkError(f"{NAME}: {error}") from None
    there = {path.name: path for path in find_files(folder, ABOUT)}
    if version == "release_latest":  # whatever is there
        return [there[name] for name in FILES if name in there] or list(there.values())
    missing = [name for name in names if name not in there]
    if missing:
        raise BenchmarkError(f"{NAME} {version}: {', '.join(missing)} is not in {folder}; {ABOUT.advice}")
    return [there[name] for name in names]


def _rows(path: Path) -> Iterator[ProblemRow]:
    """The problems of a file, one line in memory at a time."""
    with path.open("rb") as file:
        offset = 0
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _row(line, path, offset, f"line {number} of {path}")
            offset += len(line)


def _row(line: bytes, path: Path, offset: int, where: str) -> ProblemRow:
    try:
        row = json.loads(line)
        check_row(row, _SCHEMA, where)
        metadata = json.loads(row["metadata"] or "{}")
        public = tuple(_test(one, where) for one in json.loads(row["public_test_cases"]))
        day = date.fromisoformat(row["contest_date"][:10])
    except (ValueError, TypeError) as error:
        raise BenchmarkError(f"{where} is not well-formed: {error}") from error
    return ProblemRow(
        row["question_id"],
        row["question_title"],
        row["question_content"],
        row["platform"],
        day,
        row["starter_code"],
        row["difficulty"],
        metadata.get("func_name") or None,
        public,
        path,
        offset,
    )


def unpack_tests(packed: str, where: str) -> tuple[Case, ...]:
    """Private tests as they are published: a JSON list, or that pickled, compressed and in base64.

    BenchmarkError for anything else; no pickle that names anything is read.
    """
    try:
        if packed.lstrip().startswith("["):
            listed = json.loads(packed)
        else:
            inflate = zlib.decompressobj()
            data = inflate.decompress(base64.b64decode(packed, validate=True), MAX_TESTS_BYTES)
            if inflate.unconsumed_tail or not inflate.eof:
                raise ValueError(f"more than {MAX_TESTS_BYTES} bytes, or cut short")
            listed = json.loads(plain_loads(data))
    except (ValueError, TypeError, binascii.Error, zlib.error, PlainPickleError, RecursionError) as error:
        raise BenchmarkError(f"{where}: its private tests can't be read: {error}") from error
    if not isinstance(listed, list):
        raise BenchmarkError(f"{where}: its private tests are no list")
    return tuple(_test(one, where) for one in listed)


def _test(one: Any, where: str) -> Case:
    if not isinstance(one, dict) or one.get("testtype") not in ("stdin", "functional"):
        raise BenchmarkError(f"{where}: a test that is neither stdin nor functional")
    if not isinstance(one.get("input"), str) or not isinstance(one.get("output"), str):
        raise BenchmarkError(f"{where}: a test whose input or output is no text")
    return Case(one["input"], one["output"], one["testtype"])
