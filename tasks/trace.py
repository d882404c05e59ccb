"""Trace: every program runs in the sandbox on Ray, original and instrumented, under two hash seeds.

What was executed before under the same identity (programs, interpreter, instrumentor, tracer, limits, backend, seeds,
code) is found and not executed again, though the corpus around it changed: see `tasks.trace_rows`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import ray

from execution.limits import DEFAULT_LIMITS
from execution.observe import observe, trace_versions
from execution.program import Program, content_id
from execution.sandbox import open_sandbox
from infra.settings import Settings
from tasks.collect import read_programs
from tasks.progress import Progress, progress
from tasks.ray_pool import ray_cluster, spread
from tasks.steps import Made, Output, StepResult, fetch, run_step, step
from tasks.trace_rows import (
    ALL_REASONS,
    OUTCOME_SCHEMA,
    SET_ASIDE_SCHEMA,
    TRACE_SCHEMA,
    Row,
    final_row,
    outcome_row,
    rows_in_shards,
    rows_of_earlier_runs,
    write_table,
)
from tasks.workspace import Workspace, code_version
from training.config import Recipe
from training.data_sections import TraceSection

__all__ = ["ALL_REASONS", "SET_ASIDE_SCHEMA", "TRACE_SCHEMA", "Tracer", "trace_programs"]

SOURCES_PER_SHARD = 48
Group = list[Program]  # programs of one source


class Tracer:
    """Two jails, one per hash seed, and the programs that are observed in them one source at a time."""

    def __init__(self, backend: str, hash_seeds: Sequence[int], max_states: int) -> None:
        self.max_states = max_states
        first, second = hash_seeds
        self.sandboxes = (open_sandbox(backend, hash_seed=first), open_sandbox(backend, hash_seed=second))

    def do(self, groups: list[Group]) -> list[Row]:
        """Rows of OUTCOME_SCHEMA for programs that come grouped by source."""
        return [
            outcome_row(outcome)
            for group in groups
            for outcome in observe(group, self.sandboxes, max_states=self.max_states)
        ]


@step("trace")
def trace_programs(workspace: Workspace, recipe: Recipe, programs: Output) -> StepResult:
    """Traces of all programs (Parquet, TRACE_SCHEMA) and those put aside with their reasons (SET_ASIDE_SCHEMA)."""
    settings = workspace.settings
    params = {
        "trace": recipe.trace.model_dump(mode="json"),
        "versions": trace_versions(settings.sandbox, recipe.trace.hash_seeds, DEFAULT_LIMITS),
        "code": code_version("execution"),
    }

    def work(folder: Path) -> Made:
        wanted = read_programs(fetch(workspace, programs, folder))
        ids = [program.program_id for program, _ in wanted]
        shards = folder / "shards"
        shards.mkdir(exist_ok=True)
        rows = rows_in_shards(shards, ids)
        rows |= rows_of_earlier_runs(workspace, params, set(ids) - rows.keys(), folder)
        num_found = len(rows)
        with progress("trace", "programs traced", len(ids)) as bar:
            bar.update(num_found, "found from before")
            groups = _by_source([program for program, _ in wanted if program.program_id not in rows])
            if groups:
                for done in _executed(settings, recipe.trace, groups, shards, bar, num_found):
                    rows.update((row["program_id"], row) for row in done)
        return _made(folder, wanted, rows, num_found)

    return run_step(workspace, "trace", params=params, inputs={"programs": programs}, work=work)


def _by_source(programs: list[Program]) -> list[Group]:
    groups: dict[str, Group] = {}
    for program in programs:
        groups.setdefault(program.source_id, []).append(program)
    return [groups[key] for key in sorted(groups)]


def _executed(
    settings: Settings, section: TraceSection, groups: list[Group], shards: Path, bar: Progress, num_before: int
) -> Iterator[list[Row]]:
    """Rows of these programs, shard by shard, each written whole to `shards` before it is handed on."""
    open_sandbox(settings.sandbox).close()  # fails here, with its message, rather than in every worker
    num_workers = settings.workers
    num_done = 0
    actor = ray.remote(num_cpus=1)(Tracer)
    with ray_cluster(settings):
        if settings.ray_address:
            num_workers = max(1, int(ray.cluster_resources().get("CPU", 1)))

        def make() -> Any:
            return actor.remote(settings.sandbox, section.hash_seeds, section.max_states)

        for name, rows in spread(make, list(_pieces(groups)), num_workers):
            write_table(rows, OUTCOME_SCHEMA, shards / f"{name}.parquet")
            num_done += len(rows)
            bar.update(num_before + num_done, bar.pace(num_before + num_done, "programs", num_before))
            yield rows


def _pieces(groups: list[Group]) -> Iterator[tuple[str, list[Group]]]:
    remaining = iter(groups)
    while piece := list(islice(remaining, SOURCES_PER_SHARD)):
        yield content_id(*(program.program_id for group in piece for program in group)), piece


def _made(folder: Path, wanted: list[tuple[Program, str | None]], rows: dict[str, Row], num_found: int) -> Made:
    final: dict[str, list[Row]] = {"traces": [], "set_aside": []}
    for program, expected in sorted(wanted, key=lambda one: one[0].program_id):
        kind, row = final_row(rows[program.program_id], program, expected)
        final[kind].append(row)
    made = Made()
    for kind, schema in (("traces", TRACE_SCHEMA), ("set_aside", SET_ASIDE_SCHEMA)):
        path = folder / f"{kind}.parquet"
        write_table(final[kind], schema, path)
        made.add(kind, kind, kind, path)
    made.summary = {
        "num_programs": len(wanted),
        "num_executed": len(wanted) - num_found,
        "num_traces": len(final["traces"]),
        "num_set_aside": len(final["set_aside"]),
        "set_aside": dict(sorted(Counter(row["reason"] for row in final["set_aside"]).items())),
        "bands": dict(sorted(Counter(row["band"] for row in final["traces"]).items())),
    }
    return made
