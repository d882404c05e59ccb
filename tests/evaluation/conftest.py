"""Real traces for the tests: a few programs, observed once per session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from execution.observe import observe
from execution.program import Program
from execution.sandbox import Sandbox, open_sandbox
from execution.traces import Trace

Tracer = Callable[..., Trace]


@pytest.fixture(scope="session")
def sandboxes() -> Iterator[tuple[Sandbox, Sandbox]]:
    with open_sandbox("local", hash_seed=1) as first, open_sandbox("local", hash_seed=2) as second:
        yield first, second


@pytest.fixture(scope="session")
def sandbox(sandboxes: tuple[Sandbox, Sandbox]) -> Sandbox:
    return sandboxes[0]


@pytest.fixture(scope="session")
def trace_of(sandboxes: tuple[Sandbox, Sandbox]) -> Tracer:
    """trace_of(source, call) -> Trace; fails where the program yields none."""

    def make(source: str, call: str, max_states: int = 10) -> Trace:
        [outcome] = observe([Program(source, call)], sandboxes, max_states=max_states)
        assert isinstance(outcome, Trace), outcome
        return outcome

    return make


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    """The folder of public benchmarks: STEPCODE_BENCHMARKS, or shared/benchmarks beside the repository."""
    beside = Path(__file__).parents[3] / "shared" / "benchmarks"
    folder = Path(os.environ.get("STEPCODE_BENCHMARKS", beside))
    if not folder.is_dir():
        pytest.skip(f"no benchmarks folder {folder}: set STEPCODE_BENCHMARKS")
    return folder
