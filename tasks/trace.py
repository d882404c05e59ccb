"""Trace: every program runs in the sandbox on Ray, original and instrumented, under two hash seeds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from corpus.difficulty import band
from execution.observe import REASONS, observe
from execution.program import Program, content_id
from execution.sandbox import open_sandbox
from execution.traces import SetAside, Trace
from execution.values import equal_literals
from infra.settings import Settings
from tasks.collect import program_row, read_programs
from tasks.progress import progress
from tasks.ray_pool import ray_cluster, spread
from tasks.steps import Made, Output, StepResult, fetch, run_step, step
from tasks.workspace import Workspace, code_version
from training.checkpoints import write_atomically
from training.config import Recipe

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
SOURCES_PER_SHARD = 48
UNEXPECTED = "unexpected_result"
ALL_REASONS = {**REASONS, UNEXPECTED: "the program's own assert does not hold"}


class Tracer:
    """Two jails, one per hash seed, and the programs that are observed in them one source at a time."""

    def __init__(self, backend: str, hash_seeds: Sequence[int], max_states: int) -> None:
        self.max_states = max_states
        first, second = hash_seeds
        self.sandboxes = (open_sandbox(backend, hash_seed=first), open_sandbox(backend, hash_seed=second))

    def do(self, sources: list[list[tuple[Program, str | None]]]) -> dict[str, list[dict[str, Any]]]:
        """Rows of TRACE_SCHEMA and of SET_ASIDE_SCHEMA for programs that come grouped by source."""
        rows: dict[str, list[dict[str, Any]]] = {"traces": [], "set_aside": []}
        for group in sources:
            seen = observe([program for program, _ in group], self.sandboxes, max_states=self.max_states)
            for outcome, (_, expected) in zip(seen, group, strict=True):
                outcome = _check_expected(outcome, expected)
                kind = "traces" if isinstance(outcome, Trace) else "set_aside"
                rows[kind].append(_trace_row(outcome) if isinstance(outcome, Trace) else _aside_row(outcome))
        return rows


@step("trace")
def trace_programs(workspace: Workspace, recipe: Recipe, programs: Output) -> StepResult:
    """Traces of all programs (Parquet, TRACE_SCHEMA) and those put aside with their reasons (SET_ASIDE_SCHEMA)."""
    backend = workspace.settings.sandbox
    params = {
        "trace": recipe.trace.model_dump(mode="json"),
        "sandbox": backend,
        "code": code_version("execution"),
    }

    def work(folder: Path) -> Made:
        groups = _by_source(read_programs(fetch(workspace, programs, folder)))
        _trace_missing(workspace.settings, recipe, groups, folder / "shards")
        return _merge(folder, sum(map(len, groups)))

    inputs = {"programs": programs}
    return run_step(workspace, "trace", params=params, inputs=inputs, work=work)


def _by_source(programs: list[tuple[Program, str | None]]) -> list[list[tuple[Program, str | None]]]:
    groups: dict[str, list[tuple[Program, str | None]]] = {}
    for program, expected in programs:
        groups.setdefault(program.source_id, []).append((program, expected))
    return [groups[key] for key in sorted(groups)]


def _trace_missing(
    settings: Settings, recipe: Recipe, groups: list[list[tuple[Program, str | None]]], shards: Path
) -> None:
    """Trace what no complete shard holds yet; a shard is written whole under its content's name, or not at all."""
    shards.mkdir(exist_ok=True)
    remaining = iter(groups)
    pieces = []
    while piece := list(islice(remaining, SOURCES_PER_SHARD)):
        pieces.append((content_id(*(program.program_id for group in piece for program, _ in group)), piece))
    sizes = {name: sum(map(len, piece)) for name, piece in pieces}
    missing = [(name, piece) for name, piece in pieces if not (shards / f"{name}.json").exists()]
    done = sum(sizes.values()) - sum(sizes[name] for name, _ in missing)
    with progress("trace", "programs traced", sum(sizes.values())) as bar:
        bar.update(done, "found from before")
        if not missing:
            return
        open_sandbox(settings.sandbox).close()  # fails here, with its message, rather than in every worker
        actor = ray.remote(num_cpus=1)(Tracer)
        num_workers = settings.workers
        before = done
        with ray_cluster(settings):
            if settings.ray_address:
                num_workers = max(1, int(ray.cluster_resources().get("CPU", 1)))

            def make() -> Any:
                return actor.remote(settings.sandbox, recipe.trace.hash_seeds, recipe.trace.max_states)

            for name, rows in spread(make, missing, num_workers):
                write_atomically(shards / f"{name}.json", json.dumps(rows))
                done += sizes[name]
                bar.update(done, f"{bar.rate(done - before):,.0f} programs/s")


def _merge(folder: Path, num_programs: int) -> Made:
    rows: dict[str, list[dict[str, Any]]] = {"traces": [], "set_aside": []}
    for path in sorted((folder / "shards").glob("*.json")):
        shard = json.loads(path.read_bytes())
        for kind in rows:
            rows[kind] += shard[kind]
    if len(rows["traces"]) + len(rows["set_aside"]) != num_programs:
        raise RuntimeError(f"{folder}: the shards hold other programs than the collected ones; delete the folder")
    made = Made()
    for kind, schema in (("traces", TRACE_SCHEMA), ("set_aside", SET_ASIDE_SCHEMA)):
        ordered = sorted(rows[kind], key=lambda row: row["program_id"])
        path = folder / f"{kind}.parquet"
        pq.write_table(pa.Table.from_pylist(ordered, schema=schema), path, compression="zstd")
        made.add(kind, kind, kind, path)
    reasons = Counter(row["reason"] for row in rows["set_aside"])
    made.summary = {
        "num_programs": num_programs,
        "num_traces": len(rows["traces"]),
        "num_set_aside": len(rows["set_aside"]),
        "set_aside": dict(sorted(reasons.items())),
        "bands": dict(sorted(Counter(row["band"] for row in rows["traces"]).items())),
    }
    return made


def _check_expected(outcome: Trace | SetAside, expected: str | None) -> Trace | SetAside:
    if expected is None or isinstance(outcome, SetAside) or equal_literals(outcome.result or "", expected):
        return outcome
    return SetAside(outcome.program, UNEXPECTED, f"{outcome.program.call} is {outcome.result}, not {expected}")


def _trace_row(trace: Trace) -> dict[str, Any]:
    program = trace.program
    return {
        **program_row(program),
        "instrumented": trace.instrumented,
        "num_states": len(trace.states),
        "states": json.dumps([[s.anchor, s.name, s.text] for s in trace.states], ensure_ascii=False),
        "result": trace.result,
        "result_type": trace.result_type,
        "entry_point": program.entry_point,
        "band": band(trace),
        "trace_id": trace.trace_id,
        "trace": trace.to_json(),
    }


def _aside_row(aside: SetAside) -> dict[str, Any]:
    row = {**program_row(aside.program), "reason": aside.reason, "detail": aside.detail}
    return {name: row[name] for name in SET_ASIDE_SCHEMA.names}
