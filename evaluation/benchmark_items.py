"""Benchmark items: everything that a model is asked of the public benchmarks in a folder, in the forms asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from evaluation import cruxeval, livecodebench_execution, reval
from evaluation.benchmark_files import BenchmarkError
from evaluation.catalogue import Benchmark, entry, look, present
from evaluation.codegen import code_items
from evaluation.completion_items import cruxeval_items, livecodebench_items, livecodebench_program
from evaluation.items import FORMS, Form, Item
from evaluation.jails import Jails
from evaluation.reval_items import reval_items
from evaluation.reval_runs import RevalRuns
from evaluation.scorers.completions import OFFICIAL_LIMITS
from evaluation.scorers.livecodebench import PACKAGES
from execution.limits import DEFAULT_LIMITS, Limits
from execution.observe import observe
from execution.program import Program
from execution.traces import SetAside, Trace

HASH_SEEDS = (0, 1)
# Programs that print more are left out of the form "steps". Training has a lower limit, that of the paper.
MAX_STATES = 30


@dataclass(frozen=True)
class BenchmarkItems:
    """What to ask, and the benchmarks that it comes from."""

    items: list[Item]
    benchmarks: list[Benchmark]


def benchmark_items(
    folder: Path,
    names: Sequence[str],
    forms: Sequence[str],
    style: str,
    jails: Jails,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> BenchmarkItems:
    """The first `limit` rows of each benchmark (all that are there where none is named) in each form that it has:
    code is asked for directly or after a chain of thought, and of MBPP's rows those of the test split. `progress`
    hears how many benchmarks are ready.

    BenchmarkError for a benchmark that is not there, and for a name or a form that does not exist.
    """
    unknown = [form for form in forms if form not in FORMS]
    if unknown or not forms:
        raise BenchmarkError(f"no form {', '.join(unknown) or 'is named'}; the forms are {', '.join(FORMS)}")
    made = BenchmarkItems([], [])
    for done, name in enumerate(names or present(folder), 1):
        benchmark = look(folder, name)
        rows = [row for row in entry(name).load(folder / name) if getattr(row, "is_test", True)][:limit]
        made.items.extend(_items(name, rows, cast(Sequence[Form], forms), style, jails))
        made.benchmarks.append(benchmark)
        if progress is not None:
            progress(done)
    return made


def _items(name: str, rows: list[Any], forms: Sequence[Form], style: str, jails: Jails) -> list[Item]:
    if name == reval.NAME:
        runs = RevalRuns(jails)
        return [
            item for form in forms for item in reval_items(rows, form, style, jails, max_states=MAX_STATES, runs=runs)
        ]
    steps = "steps" in forms
    if name == cruxeval.NAME:
        traces = _traces([row.program for row in rows], jails) if steps else []
        return [item for form in forms for item in cruxeval_items(rows, traces, form, style)]
    if name == livecodebench_execution.NAME:
        programs = [livecodebench_program(row) for row in rows] if steps else []
        traces = _traces(programs, jails, OFFICIAL_LIMITS, PACKAGES)
        return [item for form in forms for item in livecodebench_items(rows, traces, form, style)]
    return [item for form in forms if form in ("direct", "cot") for item in code_items(rows, form)]


def _traces(
    programs: Iterable[Program], jails: Jails, limits: Limits = DEFAULT_LIMITS, packages: tuple[str, ...] = ()
) -> list[Trace | SetAside]:
    first, second = (jails.get(limits, packages, seed) for seed in HASH_SEEDS)
    return [one for program in programs for one in observe([program], (first, second), max_states=MAX_STATES)]
