"""Teacher: responses hold the trace's states and result, and nothing in their reasoning is untrue."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from textwrap import dedent

import pytest

from corpus.synthesis import synthesise
from corpus.teacher import TeacherError, reasoning_response
from corpus.walk import Walk
from evaluation.responses import parse_response
from evaluation.scoring import score_output
from execution.observe import observe
from execution.program import Program
from execution.sandbox import Sandbox, open_sandbox
from execution.traces import Trace
from tests.execution.benchmark_files import benchmark_rows


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[tuple[Sandbox, Sandbox]]:
    with open_sandbox("local", 0) as first, open_sandbox("local", 1) as second:
        yield first, second


def trace_of(source: str, call: str, sandboxes: tuple[Sandbox, Sandbox]) -> Trace:
    (trace,) = observe([Program(dedent(source).lstrip("\n"), call)], sandboxes)
    assert isinstance(trace, Trace), trace
    return trace


@pytest.fixture(scope="module")
def tiny_traces(sandboxes: tuple[Sandbox, Sandbox]) -> list[Trace]:
    programs = [program for level in range(1, 7) for program in synthesise(level, 5, 15, 1, "tiny")]
    found = [observe([program], sandboxes)[0] for program in programs]
    traces = [trace for trace in found if isinstance(trace, Trace)]
    assert len(traces) >= 80
    return traces


BRANCH_AND_LOOP = """
    def f(x, y):
        a = x * 2 + y
        if a % 3 == 0:
            a -= 1
        for i in range(2):
            a = a + i
        return a > 9
"""


def test_an_output_response_is_worked_out_one_operation_at_a_time(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    trace = trace_of(BRANCH_AND_LOOP, "f(x=4, y=3)", sandboxes)
    assert reasoning_response(trace, "output") == (
        "<reasoning>4 * 2 + 3 = 8 + 3</reasoning><print>a: 11</print>"
        "<reasoning>11 % 3 == 0; 2 == 0 False; i=0: 11 + 0 = 11; i=1: 11 + 1 = 12</reasoning><print>a: 12</print>"
        "<reasoning>12 > 9</reasoning><print>return_val: True</print>"
        "<reasoning>return_val</reasoning><answer>True</answer>"
    )


def test_an_input_response_goes_back_from_the_result_and_then_runs_the_input(
    sandboxes: tuple[Sandbox, Sandbox],
) -> None:
    trace = trace_of(BRANCH_AND_LOOP, "f(x=4, y=3)", sandboxes)
    forward = reasoning_response(trace, "output")
    assert reasoning_response(trace, "input") == (
        "<reasoning>return_val: True; a: 12; a: 11</reasoning><input>x=4, y=3</input>" + forward
    )


def test_the_full_wording_is_english(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    source = """
        def f(x):
            if x > 2:
                x += 1
            return x * 2
    """
    assert reasoning_response(trace_of(source, "f(3)", sandboxes), "output", "full") == (
        "<reasoning>f is called with x=3. `x > 2`, `3 > 2` is true. x = x + 1 = 3 + 1 = 4.</reasoning>"
        "<print>x: 4</print>"
        "<reasoning>f returns x * 2 = 4 * 2 = 8.</reasoning><print>return_val: 8</print>"
        "<reasoning>The result is the value of return_val.</reasoning><answer>8</answer>"
    )


@pytest.mark.parametrize(
    ("source", "call", "reasoning"),
    [
        ("def f(n):\n    while n > 3:\n        n -= 2\n    return n", "f(6)",
         "6 > 3 True; 6 - 2 = 4; 4 > 3 True; 4 - 2 = 2; 2 > 3 False"),
        ("def f(n):\n    a = 0\n    b = 1\n    for i in range(n):\n        a, b = b, a + b\n    return a", "f(2)",
         "0"),
        ("def g(n):\n    return n + 1\ndef f(x):\n    y = g(x) * 2\n    return y", "f(3)", "g: n=3; 3 + 1"),
        ("def f(s):\n    t = s.upper() + '!'\n    return t", "f('ab')", "'ab'.upper() + '!' = 'AB' + '!'"),
        ("def f(xs):\n    t = sum(x * x for x in xs)\n    return t", "f([1, 2])",
         "sum((x * x for x in [1, 2])) = sum([1 * 1, 2 * 2]) = sum([1, 4])"),
        ("def f(xs):\n    xs.append(len(xs))\n    return xs", "f([7])", "xs.append(len([7]) = 1)"),
        ("def f(a, b):\n    c = a > 1 and b > 1\n    return c", "f(1, 2)",
         "1 > 1 and 2 > 1 = False and 2 > 1"),
        ("def f(a, b):\n    if a > 1 or b > 1:\n        a = 5\n    return a", "f(1, 2)", "1 > 1 False; 2 > 1 True; 5"),
        ("def f(a):\n    b = 'big' if a > 3 else 'small'\n    return b", "f(1)",
         "'big' if 1 > 3 else 'small' = 'big' if False else 'small'"),
        ("def f(d):\n    for k in d:\n        d[k] += 1\n    return d", "f({'a': 1})",
         "k='a': d['a'] = {'a': 1}['a'] + 1 = 1 + 1 = 2"),
        ("def f(n):\n    try:\n        n = 1 // n\n    except ZeroDivisionError:\n        n = 9\n    return n", "f(0)",
         "raises ZeroDivisionError; 9"),
    ],
)  # fmt: skip
def test_the_reasoning_before_the_first_state(
    source: str, call: str, reasoning: str, sandboxes: tuple[Sandbox, Sandbox]
) -> None:
    response = reasoning_response(trace_of(source, call, sandboxes), "output")
    assert response.removeprefix("<reasoning>").partition("</reasoning>")[0] == reasoning


def test_every_response_on_synthesised_programs_earns_full_marks(tiny_traces: list[Trace]) -> None:
    for trace in tiny_traces:
        for verbosity in ("compact", "full"):
            response = parse_response(reasoning_response(trace, "output", verbosity), "output")
            assert response.faults == ()
            assert [step.text for step in response.steps] == [state.text for state in trace.states]
            assert response.answer == trace.result
            assert score_output(response, trace).all_correct
            committed = parse_response(reasoning_response(trace, "input", verbosity), "input")
            assert committed.faults == ()
            assert committed.input == trace.program.arguments
            assert [step.text for step in committed.steps] == [state.text for state in trace.states]


def test_every_equation_and_verdict_in_the_reasoning_is_true(tiny_traces: list[Trace]) -> None:
    num_checked = 0
    for trace in tiny_traces:
        response = parse_response(reasoning_response(trace, "output", max_reasoning_chars=10_000), "output")
        for step in response.steps:
            for piece in step.reasoning.split("; "):
                num_checked += _check_piece(piece.rpartition(": ")[2])
    assert num_checked > 200


def _check_piece(piece: str) -> int:
    """Evaluates the arithmetic of one piece (our own synthesised text): 1 where there was something to check."""
    if re.search(r"\b[fg]\(", piece):  # a call of the program's own function
        return 0
    verdict = re.fullmatch(r"(.*) (True|False)", piece)
    if verdict:
        assert str(eval(verdict[1])) == verdict[2], piece
        return 1
    parts = re.split(r" = ", re.sub(r"^[a-z] = ", "", piece))
    if len(parts) < 2 or re.search(r"\b[a-z]\b", parts[0]):
        return 0
    assert len({repr(eval(part)) for part in parts}) == 1, piece
    return 1


def test_the_last_operation_before_a_state_gives_that_state(tiny_traces: list[Trace]) -> None:
    num_checked = 0
    for trace in tiny_traces:
        for step in parse_response(reasoning_response(trace, "output"), "output").steps:
            last = step.reasoning.split("; ")[-1].rpartition(": ")[2].split(" = ")[-1]
            if re.fullmatch(r"[-\d ()+*/%]+", last):
                assert str(eval(last)) == step.text.partition(": ")[2], (last, step.text)
                num_checked += 1
    assert num_checked > 100


def test_states_and_line_events_are_put_together_on_every_synthesised_program(tiny_traces: list[Trace]) -> None:
    assert [trace.program.source for trace in tiny_traces if not Walk(trace).aligned] == []


def test_a_value_that_the_expression_itself_changes_keeps_its_name(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    trace = trace_of("def f(xs):\n    n = xs.pop() + len(xs)\n    return n", "f([4, 5])", sandboxes)
    first = parse_response(reasoning_response(trace, "output"), "output").steps[0]
    assert first.reasoning == "xs.pop() + len(xs)"  # [4, 5] would be wrong for the second xs


def test_a_rebound_builtin_is_not_taken_for_the_builtin(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    source = "def len(x):\n    return 7\ndef f(xs):\n    n = len(xs) + 1\n    return n"
    steps = parse_response(reasoning_response(trace_of(source, "f([4])", sandboxes), "output"), "output").steps
    assert steps[1].reasoning == "len([4]) + 1 = 7 + 1"


def test_a_global_that_functions_change_is_not_taken_for_known(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    source = """
        count = 1
        def g():
            global count
            count += 5
        def f(x):
            g()
            y = count + x
            return y
    """
    steps = parse_response(reasoning_response(trace_of(source, "f(1)", sandboxes), "output"), "output").steps
    told = next(step.reasoning for step in steps if step.text == "y: 7")
    assert told.endswith("count + 1")


def test_recursion_is_told_call_by_call(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    source = "def f(n):\n    if n == 0:\n        return 1\n    return n * f(n - 1)"
    response = reasoning_response(trace_of(source, "f(2)", sandboxes), "output")
    assert response == (
        "<reasoning>2 == 0 False; f: n=1; 1 == 0 False; f: n=0; 0 == 0 True; 1</reasoning><print>return_val: 1</print>"
        "<reasoning>1 * f(1 - 1) = 1 * f(0) = 1 * 1</reasoning><print>return_val: 1</print>"
        "<reasoning>2 * f(2 - 1) = 2 * f(1) = 2 * 1</reasoning><print>return_val: 2</print>"
        "<reasoning>return_val</reasoning><answer>2</answer>"
    )


def test_long_reasoning_keeps_its_beginning_and_its_end(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    source = "def f(n):\n    a = 0\n    for i in range(n):\n        a += i\n    return a"
    response = reasoning_response(trace_of(source, "f(90)", sandboxes), "output", max_reasoning_chars=80)
    loop = parse_response(response, "output").steps[1].reasoning
    assert len(loop) <= 80
    assert loop.startswith("i=0: 0 + 0 = 0; i=1:")
    assert "..." in loop
    assert loop.endswith("3916 + 89 = 4005")


def test_states_that_do_not_fit_the_events_leave_the_reasoning_empty_but_the_states_right(
    sandboxes: tuple[Sandbox, Sandbox],
) -> None:
    trace = dataclasses.replace(trace_of(BRANCH_AND_LOOP, "f(x=4, y=3)", sandboxes), events=())
    response = parse_response(reasoning_response(trace, "output"), "output")
    assert [step.reasoning for step in response.steps] == ["", "", ""]
    assert score_output(response, trace).all_correct


@pytest.mark.parametrize(
    ("change", "task", "message"),
    [
        ({"result": None}, "output", "no literal result"),
        ({"result": "'</answer>'"}, "output", "holds the tag </answer>"),
        ({"program": Program("def f(x):\n    a = x\n    return a", "f(3) + 1")}, "input", "no plain call"),
    ],
)
def test_what_cannot_be_derived_is_refused_with_the_reason(
    change: dict[str, object], task: str, message: str, sandboxes: tuple[Sandbox, Sandbox]
) -> None:
    trace = trace_of("def f(x):\n    a = x\n    return a", "f(3)", sandboxes)
    with pytest.raises(TeacherError, match=message):
        reasoning_response(dataclasses.replace(trace, **change), task)  # type: ignore[arg-type]


def test_an_unknown_task_or_verbosity_is_a_mistake_of_the_caller(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    trace = trace_of("def f(x):\n    a = x\n    return a", "f(3)", sandboxes)
    with pytest.raises(ValueError, match="verbosity 'short'"):
        reasoning_response(trace, "output", "short")
    with pytest.raises(ValueError, match="task 'path'"):
        reasoning_response(trace, "path")


def test_responses_on_real_programs_earn_full_marks_and_most_are_put_together(
    sandboxes: tuple[Sandbox, Sandbox],
) -> None:
    rows = benchmark_rows("cruxeval/dev.jsonl")[::8]
    num_traces = num_aligned = 0
    for row in rows:
        (trace,) = observe([Program(row["code"], f"f({row['input']})")], sandboxes)
        if not isinstance(trace, Trace):
            continue
        num_traces += 1
        num_aligned += Walk(trace).aligned
        for verbosity in ("compact", "full"):
            response = parse_response(reasoning_response(trace, "output", verbosity), "output")
            assert score_output(response, trace).all_correct, json.dumps(row)
    assert num_traces >= 45
    assert num_aligned == num_traces
