"""Collect: programs from real sources and from synthesis, one table, duplicates and bad rows counted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.sources import BadRow, SourceError, collect
from corpus.synthesis import synthesise
from execution.program import Program
from tasks.progress import tell
from tasks.steps import Made, StepResult, run_step, step
from tasks.workspace import Workspace, code_version
from training.config import Recipe

PROGRAM_SCHEMA = pa.schema(
    [
        ("program_id", pa.string()),
        ("source_id", pa.string()),
        ("source", pa.string()),
        ("call", pa.string()),
        ("origin", pa.string()),
        ("level", pa.int64()),
        ("expected", pa.string()),
    ]
)
MAX_SHOWN = 5


@dataclass(frozen=True)
class Sources:
    """Where real programs come from, and what they hold: a change of content is a new step."""

    paths: tuple[Path, ...]

    def digest(self) -> str:
        """SHA-256 over the names and bytes of all files."""
        digest = hashlib.sha256()
        for root in self.paths:
            files = sorted(path for path in root.rglob("*") if path.is_file()) if root.is_dir() else [root]
            for path in files:
                if "__pycache__" in path.parts:
                    continue
                name = path.relative_to(root).as_posix() if root.is_dir() else path.suffix
                digest.update(f"{name}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()


def find_sources(examples: Path, programs: str | None) -> Sources:
    """The project's examples and, where given, the user's own programs; SourceError where a path is missing."""
    paths = [examples] + ([Path(programs).expanduser().resolve()] if programs else [])
    for path in paths:
        if not path.exists():
            raise SourceError(
                f"no programs at {path}: give a folder of Python files with asserts, or a .jsonl/.parquet file"
                " with the columns code, input and output"
            )
    return Sources(tuple(paths))


@step("collect")
def collect_programs(workspace: Workspace, recipe: Recipe, sources: Sources) -> StepResult:
    """The table of programs (Parquet, `PROGRAM_SCHEMA`, sorted by program_id) of all sources."""
    params = {
        "corpus": recipe.corpus.model_dump(mode="json"),
        "seed": recipe.seed,
        "sources": sources.digest(),
        "code": code_version("corpus", "execution"),
    }

    def work(folder: Path) -> Made:
        rows, summary = _rows(recipe, sources)
        path = folder / "programs.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=PROGRAM_SCHEMA), path, compression="zstd")
        made = Made(summary=summary)
        made.add("programs", "programs", "programs", path)
        return made

    return run_step(workspace, "collect", params=params, inputs={}, work=work)


def _rows(recipe: Recipe, sources: Sources) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    repeated = num_real = 0
    bad: list[BadRow] = []
    for path in sources.paths:
        collected = collect(path)
        bad += collected.bad
        _refuse_bad(collected.bad, len(collected.programs), recipe.corpus.max_bad_share, path)
        for item in collected.programs:
            repeated += item.program.program_id in rows
            num_real += item.program.program_id not in rows
            rows.setdefault(item.program.program_id, _row(item.program, item.expected))
    for program in _synthesised(recipe):
        repeated += program.program_id in rows
        rows.setdefault(program.program_id, _row(program, None))
    ordered = [rows[key] for key in sorted(rows)]
    summary = {
        "num_real": num_real,
        "num_synthesised": len(ordered) - num_real,
        "num_sources": len({row["source_id"] for row in ordered}),
        "num_synthesised_sources": len({row["source_id"] for row in ordered if row["level"]}),
        "num_repeated": repeated,
        "num_bad": len(bad),
        "bad": [f"{row.where}: {row.why}" for row in bad[:50]],
    }
    return ordered, summary


def _refuse_bad(bad: tuple[BadRow, ...], num_good: int, max_share: float, path: Path) -> None:
    for row in bad[:MAX_SHOWN]:
        tell(f"  left out {row.where}: {row.why}")
    if len(bad) > MAX_SHOWN:
        tell(f"  left out {len(bad) - MAX_SHOWN:,} more rows")
    share = len(bad) / max(1, len(bad) + num_good)
    if share > max_share:
        raise SourceError(
            f"{len(bad):,} of {len(bad) + num_good:,} rows of {path} are bad ({share:.0%}, at most {max_share:.0%}"
            f" are allowed by corpus.max_bad_share); the first: {bad[0].where}: {bad[0].why}"
        )


def _synthesised(recipe: Recipe) -> list[Program]:
    corpus = recipe.corpus
    return [
        program
        for level, count in sorted(corpus.programs_per_level.items())
        for program in synthesise(int(level), recipe.seed, count, corpus.inputs_per_program, corpus.profile)
    ]


def program_row(program: Program) -> dict[str, Any]:
    """The columns that describe a program, as every table has them."""
    return {
        "program_id": program.program_id,
        "source_id": program.source_id,
        "source": program.source,
        "call": program.call,
        "origin": program.origin,
        "level": program.level,
    }


def _row(program: Program, expected: str | None) -> dict[str, Any]:
    return {**program_row(program), "expected": expected}


def read_programs(path: Path) -> list[tuple[Program, str | None]]:
    """The programs of a table of `PROGRAM_SCHEMA`, each with the result its source claims (literal text)."""
    return [
        (Program(row["source"], row["call"], row["origin"], row["level"]), row["expected"])
        for row in pq.read_table(path).to_pylist()
    ]
