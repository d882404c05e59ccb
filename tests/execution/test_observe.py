"""A program gives a trace that holds under both seeds, or a reason of its own why it gives none."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from execution.limits import Limits
from execution.observe import REASONS, observe, run_call, trace_versions
from execution.program import Program
from execution.sandbox import Sandbox, Verdict
from execution.traces import SetAside, State, Trace
from tests.execution.conftest import open_jail

Jails = tuple[Sandbox, Sandbox]


def seen(jails: Jails, source: str, *calls: str, max_states: int = 10) -> list[Trace | SetAside]:
    programs = [Program(dedent(source).lstrip("\n"), call) for call in calls]
    return observe(programs, jails, max_states)


def reason(jails: Jails, source: str, call: str = "f()", max_states: int = 10) -> str:
    (outcome,) = seen(jails, source, call, max_states=max_states)
    assert isinstance(outcome, SetAside), outcome
    assert outcome.reason in REASONS
    return outcome.reason


def test_a_trace_holds_states_result_events_and_versions(jails: Jails) -> None:
    source = """
        def f(xs):
            total = 0
            for x in xs:
                total += x
            return total
    """
    (trace,) = seen(jails, source, "f([1, 2])")
    assert isinstance(trace, Trace)
    assert trace.states == (State(0, "total", "total: 0"), State(1, "total", "total: 3"), State(2, "total", "total: 3"))
    assert (trace.result, trace.result_type, trace.exception, trace.stdout) == ("3", "int", None, "")
    assert [event.line for event in trace.events if event.function == "f"] == [1, 2, 3, 4, 3, 4, 3, 5, 5]
    assert trace.versions["hash_seeds"] == "0,1"
    assert trace.versions == trace_versions("bubblewrap", (0, 1), Limits())


def test_what_a_trace_depends_on_is_part_of_its_identity_and_where_the_program_came_from_is_not(jails: Jails) -> None:
    (trace,) = seen(jails, "def f(x):\n    y = x\n    return y", "f(1)")
    assert isinstance(trace, Trace)
    assert trace.versions.keys() == {"python", "instrumentor", "tracer", "hash_seeds", "backend", "limits"}
    for name in trace.versions:
        assert replace(trace, versions={**trace.versions, name: "other"}).trace_id != trace.trace_id
    assert replace(trace, program=replace(trace.program, origin="elsewhere", level=3)).trace_id == trace.trace_id
    assert replace(trace, program=replace(trace.program, call="f(2)")).trace_id != trace.trace_id


def test_limits_that_decide_what_is_seen_are_told_apart() -> None:
    usual = trace_versions("local", (0, 1), Limits())["limits"]
    assert trace_versions("local", (0, 1), Limits(value_chars=1000))["limits"] != usual
    assert trace_versions("local", (0, 1), Limits(cpu_s=1.0))["limits"] != usual
    assert trace_versions("local", (0, 1), Limits(startup_s=1.0))["limits"] == usual


def test_a_trace_survives_json_and_keeps_its_identity(jails: Jails) -> None:
    (trace,) = seen(jails, "def f(x):\n    y = {x, 'é'}\n    z = sorted(y)\n    return z", "f('a')")
    assert isinstance(trace, Trace)
    again = Trace.from_json(trace.to_json())
    assert again == trace and again.trace_id == trace.trace_id


def test_the_same_program_has_the_same_trace_in_new_jails(jails: Jails) -> None:
    source = "def f(x):\n    d = {x: {'a', 'b'}}\n    n = len(d)\n    return n"
    (trace,) = seen(jails, source, "f('k')")
    with open_jail(0, Limits()) as first, open_jail(1, Limits()) as second:
        (again,) = seen((first, second), source, "f('k')")
    assert again == trace


def test_inputs_of_one_source_are_judged_each_by_itself_and_stay_in_order(jails: Jails) -> None:
    outcomes = seen(jails, "def f(x):\n    y = 10 // x\n    return y", "f(1)", "f(0)", "f(3)")
    assert [one.reason if isinstance(one, SetAside) else one.result for one in outcomes] == ["10", "exception", "3"]


def test_states_are_not_in_the_programs_output(jails: Jails) -> None:
    (trace,) = seen(jails, "def f(x):\n    y = x\n    print(f'y: {y}')\n    return y", "f(1)")
    assert isinstance(trace, Trace)
    assert trace.stdout == "y: 1\n"


@pytest.mark.parametrize(
    ("why", "source"),
    [
        ("syntax_error", "def f(:"),
        ("no_anchors", "def f():\n    pass"),
        ("no_anchors", "def g():\n    x = 1\n    return x\ndef f():\n    g"),
        ("exception", "def f():\n    x = 1\n    return x / 0"),
        ("memory", "def f():\n    x = 'a' * 2**40\n    return x"),
        ("output", "def f():\n    x = 1\n    while True: print('x' * 1000)\n    return x"),
        ("crashed", "import os\ndef f():\n    x = 1\n    os._exit(x)"),
        ("refused", "import socket\ndef f():\n    x = socket.socket()\n    return x.family"),
        ("not_literal", "def f():\n    x = 1\n    return {x: print}"),
        ("not_literal", "def f():\n    x = 1\n    return float('nan')"),
        ("seed_dependent", "def f():\n    x = list({'a', 'b', 'c', 'd'})\n    return x"),
        ("seed_dependent", "import random\ndef f():\n    x = random.random() < 2\n    return x"),
        ("tampered", "import sys\ndef f():\n    x = sys._getframe().f_lineno\n    return x"),
        ("not_text", "def f():\n    x = '\\ud800'\n    return x"),
    ],
)
def test_each_kind_of_program_without_a_trace_has_its_reason(jails: Jails, why: str, source: str) -> None:
    assert reason(jails, source) == why


def test_line_events_that_depend_on_the_seed_are_not_kept_as_truth(jails: Jails) -> None:
    source = "def f():\n    total = 0\n    for x in {'a', 'b', 'c', 'd'}:\n        total += 1\n    return total"
    (trace,) = seen(jails, source, "f()")
    assert isinstance(trace, Trace)
    assert ([state.text for state in trace.states][-1], trace.events, trace.events_cut) == ("total: 4", (), True)


def test_a_call_that_does_not_parse_is_a_syntax_error(jails: Jails) -> None:
    assert reason(jails, "def f():\n    x = 1\n    return x", "f(") == "syntax_error"


def test_more_states_than_asked_for_set_a_program_aside(jails: Jails) -> None:
    source = "def f(n):\n    if n: f(n - 1)\n    x = n\n    return x"
    assert reason(jails, source, "f(9)", max_states=19) == "too_many_states"
    (trace,) = seen(jails, source, "f(9)", max_states=20)
    assert isinstance(trace, Trace) and len(trace.states) == 20


def test_a_state_over_the_length_sets_a_program_aside(jails: Jails) -> None:
    most = jails[0].limits.state_chars
    assert reason(jails, f"def f():\n    x = 'a' * {most}\n    return 1") == "state_too_long"


def test_a_program_that_watches_its_own_source_lines_is_found_to_behave_otherwise(jails: Jails) -> None:
    source = """
        def g():
            x = 1
            return x
        def f():
            y = g()
            return g.__code__.co_consts
    """
    assert reason(jails, source) == "behaviour_changed"


def test_an_endless_program_is_a_timeout() -> None:
    limits = Limits(cpu_s=0.3, wall_s=5.0)
    with open_jail(0, limits) as first, open_jail(1, limits) as second:
        assert reason((first, second), "def f():\n    x = 1\n    while x: pass\n    return x") == "timeout"


def test_programs_of_two_sources_or_one_seed_twice_are_errors(jails: Jails) -> None:
    with pytest.raises(ValueError, match="one source"):
        observe([Program("x = 1", "x"), Program("x = 2", "x")], jails)
    with pytest.raises(ValueError, match="hash seed 0"):
        observe([Program("x = 1", "x")], (jails[0], jails[0]))


def test_nothing_to_observe_is_nothing_observed(jails: Jails) -> None:
    assert observe([], jails) == []


def test_a_call_is_run_once_with_its_states(jails: Jails) -> None:
    one = run_call("def f(x):\n    y = x * 2\n    print(f'y: {y}')\n    return y", "f(4)", jails[0], [3])
    assert (one.verdict, one.states, one.result) == (Verdict.OK, ((0, "y: 8"),), "8")


@pytest.mark.parametrize("write", ["open('x', 'w').write('ab')", "sqlite3.connect('x').execute('create table t (a)')"])
def test_a_program_that_needs_a_folder_to_write_in_gets_one_for_each_run(jails: Jails, write: str) -> None:
    source = f"import os, sqlite3\ndef f():\n    before = os.listdir()\n    {write}\n    return os.listdir()"
    outcome, again = seen(jails, source, "f()") + seen(jails, source, "f()")
    assert isinstance(outcome, Trace), outcome
    assert [state.text for state in outcome.states][:1] == ["before: []"]
    assert (outcome.result, again) == ("['x']", outcome)
