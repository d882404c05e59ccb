"""Tracing as a step: what was executed before under the same identity is found, not executed again.

One test runs on Ray; in the others the same worker does its pieces here, which saves seconds for each start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tasks.trace
from execution.program import Program
from execution.traces import Trace
from infra.settings import Settings
from tasks.collect import PROGRAM_SCHEMA, program_row
from tasks.steps import Made, Output, StepResult, fetch, run_step
from tasks.trace import Tracer, trace_programs
from tasks.trace_rows import OUTCOME_SCHEMA, outcome_row, rows_in_shards, write_table
from tasks.workspace import Workspace, open_workspace
from training.config import Recipe, load_recipe

Expected = dict[Program, str | None]


def program(number: int, call: str = "f(1)", **description: Any) -> Program:
    return Program(f"def f(x):\n    y = x + {number}\n    return y\n", call, **description)


class Spread:
    """Does pieces one after another with a worker in this process, and notes which programs reach it."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.dies_after = 10**6
        self.tracer = Tracer("local", (0, 1), 10)

    def __call__(self, make: Any, pieces: list[tuple[str, Any]], num_workers: int) -> Iterator[tuple[str, Any]]:
        for number, (name, piece) in enumerate(pieces):
            if number == self.dies_after:
                raise KeyboardInterrupt
            self.reached += [one.program_id for group in piece for one in group]
            yield name, self.tracer.do(piece)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Spread:
    spread = Spread()
    monkeypatch.setattr(tasks.trace, "spread", spread)
    monkeypatch.setattr(tasks.trace, "ray_cluster", lambda settings: nullcontext())
    return spread


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(Settings(home=tmp_path / "home", sandbox="local", workers=1))  # type: ignore[call-arg]


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("tiny")


@pytest.fixture
def trace(workspace: Workspace, recipe: Recipe, here: Spread) -> Callable[..., StepResult]:
    """trace(programs, executed=n): the step on these programs; fails unless exactly n of them reach a sandbox."""

    def run(*programs: Program, executed: int, expected: str | None = None) -> StepResult:
        here.reached.clear()
        result = trace_programs.fn(workspace, recipe, collect(workspace, dict.fromkeys(programs, expected)))
        assert len(here.reached) == len(set(here.reached)) == executed
        assert result.reused or result.summary["num_executed"] == executed
        return result

    return run


def collect(workspace: Workspace, programs: Expected) -> Output:
    rows = [{**program_row(one), "expected": expected} for one, expected in programs.items()]

    def work(folder: Path) -> Made:
        made = Made()
        pq.write_table(pa.Table.from_pylist(rows, schema=PROGRAM_SCHEMA), folder / "programs.parquet")
        made.add("programs", "programs", "programs", folder / "programs.parquet")
        return made

    return run_step(workspace, "collect", params={"rows": json.dumps(rows)}, inputs={}, work=work).outputs["programs"]


def rows(workspace: Workspace, result: StepResult, kind: str, folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(fetch(workspace, result.outputs[kind], folder)).to_pylist()
    return found


def test_a_program_is_executed_once_though_the_corpus_around_it_changes(
    workspace: Workspace, trace: Callable[..., StepResult], tmp_path: Path
) -> None:
    first = trace(program(1), program(2), executed=2)
    assert trace(program(1), program(2), executed=0).reused
    more = trace(program(2), program(1), program(3), executed=1)
    less = trace(program(3), program(1), executed=0)
    other_input = trace(program(1), program(1, "f(5)"), executed=1)
    traced = {row["program_id"]: row for row in rows(workspace, more, "traces", tmp_path)}
    for row in rows(workspace, first, "traces", tmp_path):
        assert traced[row["program_id"]] == row
    assert [row["result"] for row in rows(workspace, less, "traces", tmp_path)] == [
        traced[one]["result"] for one in sorted(one.program_id for one in (program(1), program(3)))
    ]
    assert sorted(row["result"] for row in rows(workspace, other_input, "traces", tmp_path)) == ["2", "6"]


@pytest.mark.slow
def test_on_ray_too_a_program_is_executed_once(workspace: Workspace, recipe: Recipe) -> None:
    both = trace_programs.fn(workspace, recipe, collect(workspace, dict.fromkeys([program(1), program(2)])))
    one = trace_programs.fn(workspace, recipe, collect(workspace, dict.fromkeys([program(2)])))
    assert (both.summary["num_executed"], both.summary["num_traces"]) == (2, 2)
    assert (one.reused, one.summary["num_executed"], one.summary["num_traces"]) == (False, 0, 1)


def test_what_is_found_equals_what_would_be_executed(
    workspace: Workspace, trace: Callable[..., StepResult], tmp_path: Path, recipe: Recipe
) -> None:
    failing = Program("def f(x):\n    y = 1 // x\n    return y\n", "f(0)")
    trace(program(1), failing, executed=2)
    found = trace(program(1), failing, program(2), executed=1)
    elsewhere = open_workspace(Settings(home=tmp_path / "other", sandbox="local", workers=1))  # type: ignore[call-arg]
    executed = trace_programs.fn(
        elsewhere, recipe, collect(elsewhere, dict.fromkeys([program(1), failing, program(2)]))
    )
    assert executed.summary["num_executed"] == 3
    for kind in ("traces", "set_aside"):
        assert found.outputs[kind].digest == executed.outputs[kind].digest
    assert found.summary["set_aside"] == {"exception": 1}


def test_a_known_program_under_another_origin_is_described_anew_and_keeps_its_trace_id(
    workspace: Workspace, trace: Callable[..., StepResult], tmp_path: Path
) -> None:
    [before] = rows(workspace, trace(program(1, origin="a.py:1"), executed=1), "traces", tmp_path)
    [after] = rows(workspace, trace(program(1, origin="b.py:7", level=2), executed=0), "traces", tmp_path)
    assert (after["origin"], after["level"], after["trace_id"]) == ("b.py:7", 2, before["trace_id"])
    assert Trace.from_json(after["trace"]).program == program(1, origin="b.py:7", level=2)


def test_an_expectation_that_changed_is_judged_anew(
    workspace: Workspace, trace: Callable[..., StepResult], tmp_path: Path
) -> None:
    trace(program(1), executed=1)
    wrong = trace(program(1), executed=0, expected="3")
    assert (wrong.summary["num_traces"], wrong.summary["set_aside"]) == (0, {"unexpected_result": 1})
    assert trace(program(1), executed=0, expected="2").summary["num_traces"] == 1


def test_other_limits_backend_or_recipe_are_another_identity(
    workspace: Workspace, trace: Callable[..., StepResult], recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace(program(1), executed=1)
    versions = tasks.trace.trace_versions
    with monkeypatch.context() as patched:
        patched.setattr(tasks.trace, "trace_versions", lambda *given: {**versions(*given), "limits": "other"})
        result = trace_programs.fn(workspace, recipe, collect(workspace, {program(1): None}))
    assert result.summary["num_executed"] == 1


def test_shards_that_a_killed_run_left_are_used_also_where_the_pieces_are_cut_otherwise(
    workspace: Workspace, recipe: Recipe, here: Spread, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = [program(number) for number in range(5)]
    collected = collect(workspace, dict.fromkeys(programs))
    monkeypatch.setattr(tasks.trace, "SOURCES_PER_SHARD", 2)
    here.dies_after = 1
    with pytest.raises(KeyboardInterrupt):
        trace_programs.fn(workspace, recipe, collected)
    here.dies_after = 10**6
    monkeypatch.setattr(tasks.trace, "SOURCES_PER_SHARD", 3)
    result = trace_programs.fn(workspace, recipe, collected)
    assert (result.summary["num_executed"], result.summary["num_traces"]) == (3, 5)


def test_earlier_traces_that_are_gone_from_the_store_are_made_again(
    workspace: Workspace, trace: Callable[..., StepResult]
) -> None:
    first = trace(program(1), executed=1)
    workspace.store.backend.remove(first.outputs["traces"].digest)
    assert trace(program(1), program(2), executed=2).summary["num_traces"] == 2


def test_a_shard_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    tracer = Tracer("local", (0, 1), 10)
    [row] = tracer.do([[program(1)]])
    write_table([row], OUTCOME_SCHEMA, tmp_path / "a.parquet")
    (tmp_path / "b.parquet.tmp").write_bytes((tmp_path / "a.parquet").read_bytes()[:100])
    assert rows_in_shards(tmp_path, [program(1).program_id, program(2).program_id]) == {program(1).program_id: row}
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.parquet", "b.parquet.tmp"]
    assert row == outcome_row(Trace.from_json(row["trace"]))
