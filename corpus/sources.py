"""Sources of real programs: a folder of Python files with asserts, or rows of JSONL and Parquet.

Nothing of a program is executed here. What can't be used becomes a BadRow that says where it is and why; a source
that is missing or holds nothing raises SourceError.
"""

from __future__ import annotations

from pathlib import Path

from corpus.collected import WHAT_IS_READ, BadRow, Collected, CollectedProgram, Found, SourceError
from corpus.python_files import from_file
from corpus.rows import ROW_SUFFIXES, from_rows

__all__ = ["BadRow", "Collected", "CollectedProgram", "SourceError", "collect", "collect_python", "collect_rows"]


def collect(path: Path) -> Collected:
    """The programs of a folder of Python files, of one such file, or of a file of rows.

    A folder without any Python file is read for files of rows. Raises SourceError.
    """
    if not path.exists():
        raise SourceError(f"no programs at {path}: give {WHAT_IS_READ}")
    if path.is_file() and path.suffix in ROW_SUFFIXES:
        return collect_rows(path)
    if path.is_dir() and not _files(path, (".py",)) and (tables := _files(path, ROW_SUFFIXES)):
        return _not_empty((item for table in tables for item in from_rows(table)), path)
    return collect_python(path)


def collect_python(path: Path) -> Collected:
    """One program per assert, at module level or in a `def test_…()`, of a Python file or a folder of them.

    Read are `assert f(args) == literal`, `assert literal == f(args)`, `assert f(args) is None` (True, False), and,
    claiming no value, `assert f(args)` and `assert not f(args)`. A program's source is what its call needs of the
    file, its origin the path below the folder's parent and the line. Raises SourceError.
    """
    if not path.exists():
        raise SourceError(f"no programs at {path}: give {WHAT_IS_READ}")
    if path.is_file() and path.suffix != ".py":
        raise SourceError(f"can't read programs from {path}: give {WHAT_IS_READ}")
    files = [path] if path.is_file() else _files(path, (".py",))
    if not files:
        raise SourceError(f"no Python file in {path}: give {WHAT_IS_READ}")
    found = (item for file in files for item in from_file(file, file.relative_to(path.parent).as_posix()))
    return _not_empty(found, path)


def collect_rows(path: Path) -> Collected:
    """One program per row of a JSONL or Parquet file with the columns code, input and output.

    `input` is an argument list (`3, [1, 2]`) or the whole call; what is called is named by the column entry_point
    (or function_name), else `f` where it is defined, else the last top-level function of `code`. Raises SourceError.
    """
    if not path.is_file():
        raise SourceError(f"no file of programs at {path}: give {WHAT_IS_READ}")
    if path.suffix not in ROW_SUFFIXES:
        raise SourceError(f"can't read rows from {path}: give a .jsonl or .parquet file")
    return _not_empty(from_rows(path), path)


def _not_empty(found: Found, path: Path) -> Collected:
    collected = Collected.of(found)
    if not collected.programs and not collected.bad:
        raise SourceError(f"{path} holds no program: give {WHAT_IS_READ}")
    return collected


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files below the folder, sorted; hidden folders and caches are not looked into."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in suffixes
        and path.is_file()
        and not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
    )
