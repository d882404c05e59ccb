"""Code problems out of traces: what is left out, what is shown, and that nothing of it depends on luck."""

from __future__ import annotations

import dataclasses

import pytest

from corpus.holes import HoleKind, holed_problem
from evaluation.code_problems import CodeProblem
from execution.program import Program
from execution.traces import Trace
from tests.training.tiny_data import make_trace

LINES = [("a", "x + 1"), ("b", "a * 2")]


def traces(count: int = 3) -> list[Trace]:
    return [make_trace(LINES, argument) for argument in range(count)]


def problem(kind: HoleKind = "statement", seed: int = 0, given: list[Trace] | None = None) -> CodeProblem:
    found = holed_problem(given or traces(), seed, kind)
    assert found is not None
    return found


def test_one_statement_is_left_out() -> None:
    texts = {problem(seed=seed).text for seed in range(30)}
    whole = "def f(x):\n    a = x + 1\n    b = a * 2\n    return b"
    assert texts == {whole.replace(line, "...") for line in ("a = x + 1", "b = a * 2")}
    assert {problem(seed=seed).reference for seed in range(30)} == {whole}


def test_a_whole_body_is_left_out() -> None:
    found = problem("body")
    assert found.text == "def f(x):\n    ..."
    assert found.missing == "a = x + 1; b = a * 2; return b"


def test_either_takes_both_kinds() -> None:
    assert {problem("either", seed).text.count("\n") for seed in range(20)} == {1, 3}


def test_some_calls_are_shown_and_some_hidden() -> None:
    found = problem()
    assert len(found.tests) == 3
    assert [test.hidden for test in found.tests] == [False, False, True]
    assert found.shown == tuple(test.text for test in found.tests[:2])
    assert {test.text for test in found.tests} == {f"assert f({x}) == {2 * (x + 1)}" for x in range(3)}
    assert [test.hidden for test in problem(given=traces(2)).tests] == [False, True]


def test_the_same_traces_and_seed_give_the_same_problem() -> None:
    assert problem(seed=4) == problem(seed=4, given=traces()[::-1])
    assert len({problem(seed=seed).shown for seed in range(20)}) > 1


def other(source: str, calls: int = 3) -> list[Trace]:
    return [dataclasses.replace(trace, program=Program(source, trace.program.call)) for trace in traces(calls)]


@pytest.mark.parametrize(
    "source",
    [
        "f = lambda x: x + 1\n",
        "def f(x): return x + 1\n",
        "def f(x):\n    '''Only words.'''\n    pass\n",
        "def f(x):\n    return '<answer>'\n",
        "def f(x):\n    return x\n",
    ],
)
def test_a_source_without_a_statement_to_leave_out_makes_no_problem(source: str) -> None:
    assert holed_problem(other(source), 0, "statement") is None


def test_one_call_makes_no_problem() -> None:
    assert holed_problem(traces(1), 0, "statement") is None


def test_statements_that_share_a_line_stay() -> None:
    source = "def f(x):\n    a = 1; b = 2\n    return (\n        a + b  # both\n    )\n"
    assert problem(given=other(source)).text == "def f(x):\n    a = 1; b = 2\n    ..."


def test_a_docstring_stays_above_a_missing_body() -> None:
    source = "import math\n\ndef f(x):\n    '''Doubles.'''\n    y = x * 2\n    return y\n\ndef g(x):\n    return x\n"
    text = problem("body", given=other(source)).text
    assert text == "import math\n\ndef f(x):\n    '''Doubles.'''\n    ...\n\ndef g(x):\n    return x"
