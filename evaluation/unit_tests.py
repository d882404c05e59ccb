"""Unit tests of a function: an assertion read as a call on literals and the value that it is to give.

What is expected stays outside the jail: the program is called there, and what the calls gave is compared here. So a
program can only claim outputs (`evaluation.scorers.calls`), and gains nothing by objects that equal everything, by
printing, by exiting early or by looking for the assertions. Reward by unit tests is ExecVerify's second stage (arXiv
2603.11226): there all tests run in one process, and else at most ten one by one, 1 s each.

Departures: the seconds are CPU time, so that a loaded machine fails no good program; tests share a process until one
fails; a program that does not end on a test is not run on the later ones, which count as failed; one that exits, breaks
another limit or reaches for the machinery that judges it passes nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluation.scorers.calls import call_all, read_value
from evaluation.scorers.functional import TAMPERED
from evaluation.scorers.judgement import RAISED, SANDBOX_FAILED, STOPPED, TIMEOUT, WRONG
from execution.limits import DEFAULT_LIMITS, MEBIBYTE
from execution.records import TAMPERING
from execution.sandbox import Sandbox

MAX_TESTS = 10  # of one problem, as published
TEST_CPU_S = 1.0
PROGRAM_LIMITS = replace(
    DEFAULT_LIMITS, cpu_s=6.0, wall_s=60.0, memory_bytes=1024 * MEBIBYTE, result_chars=2_000_000, value_depth=60
)


class NoTest(ValueError):
    """A line that is no test which can be judged from outside; the message says why."""


@dataclass(frozen=True)
class UnitTest:
    """A call of the function under test and the value that it gives; `hidden`: no prompt shows it."""

    text: str
    positional: tuple[Any, ...]
    named: tuple[tuple[str, Any], ...]
    expected: Any
    hidden: bool = True


def read_test(text: str, entry_point: str, hidden: bool = True) -> UnitTest:
    """`assert f(3, b=[1]) == 4`, its sides in either order, `is` for `==`, or `assert f(3)` and `assert not f(3)`.

    Arguments and the value are literals; NoTest for every other line.
    """
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError) as error:
        raise NoTest(f"no test: {text!r} is no Python: {error}") from None
    if len(body) != 1 or not isinstance(body[0], ast.Assert):
        raise NoTest(f"no test: {text!r} is not one assert statement")
    call, expected = _sides(body[0].test, entry_point, text)
    if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
        raise NoTest(f"no test: {text!r} unpacks its arguments")
    positional = tuple(_literal(one, text) for one in call.args)
    named = tuple((str(one.arg), _literal(one.value, text)) for one in call.keywords)
    return UnitTest(text.strip(), positional, named, expected, hidden)


def _sides(test: ast.expr, entry_point: str, text: str) -> tuple[ast.Call, Any]:
    match test:
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            if _calls(left, entry_point):
                return left, _literal(right, text)  # type: ignore[return-value]
            if _calls(right, entry_point):
                return right, _literal(left, text)  # type: ignore[return-value]
        case ast.Call() if _calls(test, entry_point):
            return test, True
        case ast.UnaryOp(op=ast.Not(), operand=ast.Call() as operand) if _calls(operand, entry_point):
            return operand, False
    raise NoTest(f"no test: {text!r} does not compare a call of {entry_point} with a literal")


def _calls(node: ast.expr, entry_point: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point


def _literal(node: ast.expr, text: str) -> Any:
    try:
        return read_value(ast.unparse(node))
    except ValueError:
        raise NoTest(f"no test: {ast.unparse(node)!r} in {text!r} is no literal") from None


@dataclass(frozen=True)
class Ran:
    """What each test said, in their order; all None where our sandbox failed. `reason` is "" where all passed, else why
    the first one failed. `verdict`: how the first run that ended early did, else "ok" (`evaluation.run_verdicts`)."""

    passed: tuple[bool | None, ...]
    reason: str = ""
    verdict: str = ""


def run_tests(program: str, entry_point: str, tests: Sequence[UnitTest], sandbox: Sandbox) -> Ran:
    """Define `program` in the jail and call its `entry_point` for each test; a call that raises fails its own alone."""
    find = f"(lambda function: lambda positional, named: function(*positional, **dict(named)))(names[{entry_point!r}])"
    passed: list[bool] = []
    reason = verdict = ""
    while len(passed) < len(tests):
        left = tests[len(passed) :]
        inputs = [(list(one.positional), list(one.named)) for one in left]
        called = call_all(program, inputs, [TEST_CPU_S] * len(left), sandbox, find=find)
        if called.ended == "sandbox_failed":
            return Ran((None,) * len(tests), SANDBOX_FAILED, called.verdict)
        if not TAMPERING.isdisjoint(called.flags):
            return Ran((False,) * len(tests), TAMPERED, "tampered")
        if verdict in ("", "ok"):
            verdict = called.verdict
        passed += [_same(given, one.expected) for given, one in zip(called.values, left, strict=False)]
        if not all(passed):
            reason = reason or WRONG
        if called.ended == "raised":
            passed.append(False)
            reason = reason or RAISED
        elif called.ended == "late":
            passed += [False] * (len(tests) - len(passed))
            reason = reason or TIMEOUT
        elif called.ended:
            return Ran((False,) * len(tests), STOPPED, called.verdict)
    return Ran(tuple(passed), reason, verdict)


def _same(given: Any, expected: Any) -> bool:
    """As `==` in an assertion; both are plain values here, of no class of the program's own."""
    try:
        return bool(given == expected)
    except RecursionError:
        return False
