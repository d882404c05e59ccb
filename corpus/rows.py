"""Programs from rows: JSONL or Parquet with the columns code, input and output."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.collected import WHAT_IS_READ, BadRow, CollectedProgram, Found, SourceError, Unusable, literal, short
from execution.anchors import parse
from execution.program import Program

ROW_SUFFIXES = (".jsonl", ".parquet")
COLUMNS = ("code", "input", "output")
ENTRY_COLUMNS = ("entry_point", "function_name")
DEFAULT_ENTRY_POINT = "f"


def from_rows(path: Path) -> Found:
    """The programs of one file, in its order; a row that can't be used is a BadRow. SourceError for a broken file."""
    rows = _parquet_rows(path) if path.suffix == ".parquet" else _jsonl_rows(path)
    for number, row in rows:
        yield _from_row(row, path, number)


def _jsonl_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Line number and value of each line that is not blank; a Unusable in place of a value that can't be read."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line.decode("utf-8-sig"))
            except UnicodeDecodeError as error:
                yield number, Unusable(f"no UTF-8: {error.reason} at byte {error.start + 1} of the line")
            except json.JSONDecodeError as error:
                yield number, Unusable(f"no JSON: {error.msg} at character {error.pos + 1}")
            except (RecursionError, ValueError) as error:
                yield number, Unusable(f"no JSON: {error}")


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Row number from 1 and value of each row."""
    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in COLUMNS if name not in file.schema_arrow.names]
            if missing:
                raise SourceError(
                    f"{path} has no column {missing[0]}: it has {', '.join(file.schema_arrow.names) or 'none'};"
                    f" give {WHAT_IS_READ}"
                )
            columns = [name for name in (*COLUMNS, *ENTRY_COLUMNS) if name in file.schema_arrow.names]
            number = 0
            for batch in file.iter_batches(columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"can't read {path} as Parquet ({error}): write it again, or give a .jsonl file") from error


def _from_row(row: Any, path: Path, number: int) -> CollectedProgram | BadRow:
    try:
        if isinstance(row, Unusable):
            raise row
        return _row_program(row, f"{path.name}:{number}")
    except Unusable as error:
        return BadRow(f"{path}:{number}", str(error))


def _row_program(row: Any, origin: str) -> CollectedProgram:
    if not isinstance(row, dict):
        raise Unusable(f"a JSON {type(row).__name__}, not an object with code, input and output")
    for name in COLUMNS:
        if row.get(name) is None:
            raise Unusable(f"no field {name}")
        if not isinstance(row[name], str):
            raise Unusable(f"the field {name} is no string but {type(row[name]).__name__}")
    try:
        tree = parse(row["code"])
    except SyntaxError as error:
        raise Unusable(f"code is no Python 3.11: {error.msg or error} (line {error.lineno or 1})") from None
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    call = _whole_call(row["input"].strip(), {*functions, *classes})
    if call is None:
        call = _call(_entry_point(row, functions, classes), row["input"].strip())
    return CollectedProgram(Program(row["code"], call, origin), literal(row["output"]))


def _entry_point(row: dict[str, Any], functions: list[str], classes: list[str]) -> str:
    named = next((row[column] for column in ENTRY_COLUMNS if row.get(column)), None)
    if named is not None:
        if named not in (*functions, *classes):
            raise Unusable(f"the entry point {named!r} is not defined at the top level of code")
        return str(named)
    if not functions:
        raise Unusable("code defines no function at its top level")
    return DEFAULT_ENTRY_POINT if DEFAULT_ENTRY_POINT in functions else functions[-1]


def _expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _whole_call(text: str, defined: set[str]) -> str | None:
    """`input` itself where it is a call of something that `code` defines (LiveCodeBench's form)."""
    node = _expression(text)
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in defined
    return text if is_call else None


def _call(entry_point: str, arguments: str) -> str:
    call = f"{entry_point}({arguments})"
    node = _expression(call)
    # `1), (2` must not become a call and something beside it, nor `1).x(2` a call of something else.
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point
    if not is_call:
        raise Unusable(f"input is no argument list: {short(arguments)}")
    return call
