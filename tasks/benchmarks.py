"""The benchmarks folder of the settings: what is there, its digest, its programs to keep out of training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from evaluation import catalogue
from evaluation.benchmark_fetch import fetch
from evaluation.benchmark_files import sha256_of
from evaluation.catalogue import ENTRIES
from tasks.errors import BenchmarksMissing

_SHOWN_DIGITS = 12


def present(folder: Path | None) -> list[str]:
    """Names of the benchmarks in the folder; BenchmarksMissing where it was named and is not there."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise BenchmarksMissing(f"no folder {folder} (STEPCODE_BENCHMARKS); unset it or point it at the benchmarks")
    return catalogue.present(folder)


def benchmarks_digest(folder: Path | None) -> str | None:
    """SHA-256 over the files of the benchmarks that are there, with their paths; None without any."""
    names = present(folder)
    if folder is None or not names:
        return None
    digest = hashlib.sha256()
    for path in sorted(path for name in names for path in catalogue.files_below(folder / name)):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()


def benchmark_programs(folder: Path | None) -> dict[str, str]:
    """Reference program by `benchmark/item`, of every benchmark in the folder that publishes any."""
    if folder is None:
        return {}
    return {
        f"{name}/{row.item_id}": row.source
        for name in present(folder)
        if ENTRIES[name].programs
        for row in ENTRIES[name].load(folder / name)
    }


def listed_benchmarks(folder: Path | None) -> list[dict[str, Any]]:
    """One record per benchmark of the catalogue: what is there of it, or how to get it. BenchmarkError for one that is
    there and no good."""
    there = {} if folder is None else {name: catalogue.look(folder, name) for name in present(folder)}
    records = []
    for name, one in ENTRIES.items():
        about = one.about
        seen = there.get(name)
        record: dict[str, Any] = {
            "name": name,
            "there": seen is not None,
            "rows": seen.num_rows if seen else 0,
            "published_rows": about.num_rows,
            "complete": bool(seen and seen.complete),
            "licence": about.licence,
            "source": about.source,
            "sha256": {str(path): digest for path, digest in seen.sha256.items()} if seen else {},
            "note": seen.note if seen else about.advice,
        }
        records.append(record)
    return records


def benchmarks_table(records: list[dict[str, Any]]) -> Table:
    """The records of `listed_benchmarks` for people."""
    table = Table("benchmark", "rows", "of", "complete", "licence", "sha256", box=SIMPLE)
    table.add_column("note", overflow="fold")
    for one in records:
        digests = "\n".join(digest[:_SHOWN_DIGITS] for digest in one["sha256"].values())
        complete = ("yes" if one["complete"] else "in part") if one["there"] else "missing"
        rows = f"{one['rows']:,}" if one["there"] else ""
        table.add_row(one["name"], rows, f"{one['published_rows']:,}", complete, one["licence"], digests, one["note"])
    return table


def fetch_benchmarks(names: list[str], folder: Path | None, told: Callable[[str], None]) -> list[dict[str, Any]]:
    """Get benchmarks into the folder of the settings; their records. Raises BenchmarksMissing without a folder and
    BenchmarkError for what can't be had."""
    if folder is None:
        raise BenchmarksMissing("no folder to put benchmarks in; set STEPCODE_BENCHMARKS to one")
    for name in names:
        catalogue.entry(name)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        fetch(name, folder, told)
    return [record for record in listed_benchmarks(folder) if record["name"] in names]
