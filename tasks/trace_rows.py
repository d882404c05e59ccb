"""Rows of traced programs: their columns, how an outcome becomes a row, and rows kept from earlier work.

What an earlier run of the same identity saw of a program is what this one would see, so it is looked up before
anything is executed: first in the shards that a killed run of this step left, then in the artifacts of the last runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.difficulty import band
from datastore.errors import ArtifactError
from datastore.records import RunRecord
from execution.observe import REASONS
from execution.program import Program
from execution.traces import SetAside, Trace
from execution.values import equal_literals
from tasks.collect import program_row
from tasks.progress import tell
from tasks.workspace import Workspace

TRACE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("program_id", "source_id", "source", "call", "origin")),
        ("level", pa.int64()),
        ("instrumented", pa.string()),
        ("num_states", pa.int64()),
        *((name, pa.string()) for name in ("states", "result", "result_type", "entry_point", "band")),
        *((name, pa.string()) for name in ("trace_id", "trace")),
    ]
)
SET_ASIDE_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("program_id", "source_id", "call", "origin", "reason", "detail")]
)
# A shard holds both kinds: `reason` is null for a trace, `trace` for a program put aside.
OUTCOME_SCHEMA = pa.schema([*TRACE_SCHEMA, ("reason", pa.string()), ("detail", pa.string())])
UNEXPECTED = "unexpected_result"
ALL_REASONS = {**REASONS, UNEXPECTED: "the program's own assert does not hold"}
# These tell of the machine and its load as much as of the program, so they are found out anew; so is what did not
# agree with an expectation, which is none of the run's.
NOT_KEPT = frozenset({"sandbox_failed", "timeout", UNEXPECTED})
NUM_EARLIER_RUNS = 3

Row = dict[str, Any]


def outcome_row(outcome: Trace | SetAside) -> Row:
    """One row of OUTCOME_SCHEMA."""
    row: Row = dict.fromkeys(OUTCOME_SCHEMA.names)
    described = program_row(outcome.program)
    row.update((name, value) for name, value in described.items() if name in row)
    if isinstance(outcome, SetAside):
        return {**row, "reason": outcome.reason, "detail": outcome.detail}
    return {
        **row,
        "instrumented": outcome.instrumented,
        "num_states": len(outcome.states),
        "states": json.dumps([[s.anchor, s.name, s.text] for s in outcome.states], ensure_ascii=False),
        "result": outcome.result,
        "result_type": outcome.result_type,
        "entry_point": outcome.program.entry_point,
        "band": band(outcome),
        "trace_id": outcome.trace_id,
        "trace": outcome.to_json(),
    }


def final_row(row: Row, program: Program, expected: str | None) -> tuple[str, Row]:
    """("traces" or "set_aside", its row) of a program whose outcome is known, from this run or an earlier one."""
    if row["reason"] is None and expected is not None and not equal_literals(row["result"] or "", expected):
        detail = f"{program.call} is {row['result']}, not {expected}"
        row = {**row, "reason": UNEXPECTED, "detail": detail}
    if row["reason"] is not None:
        return "set_aside", {**{name: row[name] for name in SET_ASIDE_SCHEMA.names}, "origin": program.origin}
    if (row["origin"], row["level"]) != (program.origin, program.level):  # known under another description
        row = outcome_row(replace(Trace.from_json(row["trace"]), program=program))
    return "traces", {name: row[name] for name in TRACE_SCHEMA.names}


def write_table(rows: Iterable[Row], schema: pa.Schema, path: Path) -> None:
    """A Parquet file, written whole or not at all: temporary name, fsync, rename."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def rows_in_shards(shards: Path, wanted: Collection[str]) -> dict[str, Row]:
    """Rows of OUTCOME_SCHEMA by program, of those wanted, from the complete shards of a folder."""
    found: dict[str, Row] = {}
    for path in sorted(shards.glob("*.parquet")):
        found.update((row["program_id"], row) for row in _rows(path, wanted))
    return found


def rows_of_earlier_runs(
    workspace: Workspace, params: Mapping[str, Any], wanted: Collection[str], folder: Path
) -> dict[str, Row]:
    """Rows by program, of those wanted, from the last runs that had exactly these parameters; their files are fetched
    to `folder`. A run whose artifacts are gone is passed over."""
    found: dict[str, Row] = {}
    same = [run for run in workspace.lineage.runs(limit=200, job="trace") if run.params == params]
    for run in same[:NUM_EARLIER_RUNS]:
        missing = set(wanted) - found.keys()
        if not missing:
            break
        for path in _fetched(workspace, run, folder):
            for row in _rows(path, missing):
                if row.get("reason") not in NOT_KEPT:
                    found[row["program_id"]] = dict.fromkeys(OUTCOME_SCHEMA.names) | row
            path.unlink()
    return found


def _fetched(workspace: Workspace, run: RunRecord, folder: Path) -> Iterator[Path]:
    for edge in run.outputs:
        target = folder / f"earlier-{edge.role}.parquet"
        try:
            workspace.store.fetch(edge.artifact.digest, target)
        except ArtifactError as error:  # nothing is lost but time
            tell(f"earlier {edge.role} of {run.run_id[:8]} cannot be used: {error}")
            continue
        yield target


def _rows(path: Path, wanted: Collection[str]) -> list[Row]:
    """Rows of a file about wanted programs; the other columns are read only where there are some."""
    ids = pq.read_table(path, columns=["program_id"])["program_id"]
    mask = pc.is_in(ids, value_set=pa.array(sorted(wanted), pa.string()))
    if not pc.any(mask).as_py():
        return []
    rows: list[Row] = pq.read_table(path).filter(mask).to_pylist()
    return rows
