"""Catalogue: every benchmark, what is published of it, and what of it is in a folder.

A benchmark lies in the subfolder of its name, in the layout of a development half or in the files of its publisher
as downloaded. A part of a benchmark loads like the whole of it; `complete` tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation import cruxeval, evalplus, humaneval, livecodebench_code, livecodebench_execution, mbpp, reval
from evaluation.benchmark_files import About, BenchmarkError, find_files, sha256_of

CHECKSUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Entry:
    """A benchmark that can be had: `load(folder)` gives its rows, each with `item_id`; `programs` says whether a row
    has a reference program, its `source`."""

    about: About
    load: Callable[[Path], Sequence[Any]]
    programs: bool = True


ENTRIES: dict[str, Entry] = {
    entry.about.name: entry
    for entry in (
        Entry(cruxeval.ABOUT, cruxeval.load),
        Entry(livecodebench_execution.ABOUT, livecodebench_execution.load),
        Entry(reval.ABOUT, reval.load),
        Entry(humaneval.ABOUT, humaneval.load),
        Entry(mbpp.ABOUT, mbpp.load),
        Entry(mbpp.ABOUT_SANITIZED, mbpp.load_sanitized),
        Entry(evalplus.HUMANEVAL_PLUS, evalplus.load_humaneval_plus),
        Entry(evalplus.MBPP_PLUS, evalplus.load_mbpp_plus),
        Entry(livecodebench_code.ABOUT, livecodebench_code.load, programs=False),
    )
}


@dataclass(frozen=True)
class Benchmark:
    """What is there of a benchmark. `sha256` is by path; `note` says what is odd about a file that claims to be
    whole, mostly ""."""

    name: str
    paths: tuple[Path, ...]
    num_rows: int
    complete: bool
    sha256: dict[Path, str]
    licence: str
    source: str
    note: str = ""


def entry(name: str) -> Entry:
    """BenchmarkError for a name that is none."""
    if name not in ENTRIES:
        raise BenchmarkError(f"there is no benchmark {name!r}; the benchmarks are {', '.join(ENTRIES)}")
    return ENTRIES[name]


def found(folder: Path) -> list[Benchmark]:
    """The benchmarks in a folder, in the catalogue's order. BenchmarkError for one that is there and no good."""
    if not folder.is_dir():
        raise BenchmarkError(f"no folder {folder} of benchmarks")
    return [look(folder, name) for name in present(folder)]


def present(folder: Path) -> list[str]:
    """Names of the benchmarks that have a subfolder with files in it; nothing is read."""
    return [name for name in ENTRIES if any(path.is_file() for path in files_below(folder / name))]


def files_below(folder: Path) -> list[Path]:
    """All files in a folder, by path, but what a download left behind (hidden, or ending in .part)."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".part"
        and path.name != CHECKSUMS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def look(folder: Path, name: str) -> Benchmark:
    """One benchmark in its subfolder, read and checked. BenchmarkError where it is not there or no good."""
    one = entry(name)
    about = one.about
    if not (folder / name).is_dir():
        raise BenchmarkError(f"{name} is not in {folder}; {about.advice}")
    paths = find_files(folder / name, about)
    if name == reval.NAME:
        paths.append(paths[0].with_name("DREval_tasks.jsonl"))
    digests = {path: sha256_of(path) for path in paths}
    _check(folder / name, digests)
    num_rows = len(one.load(folder / name))
    complete = num_rows == about.num_rows
    return Benchmark(
        name,
        tuple(paths),
        num_rows,
        complete,
        digests,
        about.licence,
        about.source,
        _note(about, paths) if complete else f"{num_rows:,} of {about.num_rows:,} rows",
    )


def write_checksums(folder: Path, benchmark: Benchmark) -> None:
    """Keep the files' SHA-256 beside them, in the form of sha256sum; `look` compares from then on."""
    place = folder / benchmark.name
    lines = [f"{digest}  {path.relative_to(place).as_posix()}\n" for path, digest in benchmark.sha256.items()]
    temporary = place / f"{CHECKSUMS}.part"
    temporary.write_text("".join(lines), "utf-8")
    temporary.replace(place / CHECKSUMS)


def _check(place: Path, digests: Mapping[Path, str]) -> None:
    """BenchmarkError for a file that is not as the checksums in its folder say."""
    file = place / CHECKSUMS
    if not file.is_file():
        return
    lines = [line.split(maxsplit=1) for line in file.read_text("utf-8").splitlines() if line.strip()]
    expected = {name: digest for digest, name in lines}
    for path, digest in digests.items():
        known = expected.get(path.relative_to(place).as_posix())
        if known not in (None, digest):
            raise BenchmarkError(
                f"{path} is not the file that {file} was written for (SHA-256 {digest[:12]}…, not {known[:12]}…): fetch"
                " it again, or remove its line if the change is meant"
            )


def _note(about: About, paths: Sequence[Path]) -> str:
    """Published sizes that the files don't have."""
    sizes = [(path.name, path.stat().st_size, about.sizes.get(path.name)) for path in paths]
    odd = [
        f"{name} has {size:,} bytes, published are {known:,}"
        for name, size, known in sizes
        if known not in (None, size)
    ]
    return "; ".join(odd)
