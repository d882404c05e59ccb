"""The benchmarks folder of the settings: what is there, its digest, its programs to keep out of training."""

from __future__ import annotations

import hashlib
from pathlib import Path

from evaluation import cruxeval, reval
from tasks.errors import BenchmarksMissing

LOADERS = {"cruxeval": cruxeval, "reval": reval}


def present(folder: Path | None) -> list[str]:
    """Names of the benchmarks in the folder; BenchmarksMissing where it was named and is not there."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise BenchmarksMissing(f"no folder {folder} (STEPCODE_BENCHMARKS); unset it or point it at the benchmarks")
    return [name for name in LOADERS if (folder / name).is_dir()]


def benchmarks_digest(folder: Path | None) -> str | None:
    """SHA-256 over the files of the benchmarks that are used; None without any."""
    names = present(folder)
    if folder is None or not names:
        return None
    digest = hashlib.sha256()
    for path in sorted(path for name in names for path in (folder / name).rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def benchmark_programs(folder: Path | None) -> dict[str, str]:
    """Program text by `benchmark/item`, of every benchmark in the folder."""
    if folder is None:
        return {}
    return {f"{name}/{row.item_id}": row.source for name in present(folder) for row in LOADERS[name].load(folder)}
