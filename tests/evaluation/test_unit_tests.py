"""Unit tests judged from outside: what they accept by hand, and one attack per hostile program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evaluation.unit_tests import PROGRAM_LIMITS, NoTest, Ran, read_test, run_tests
from execution.sandbox import Sandbox, open_sandbox
from tests.evaluation.test_scoring import BrokenSandbox

LINES = ("assert f(3) == 5", "assert f(x=4) == 6", "assert 7 == f(5)")
TESTS = [read_test(line, "f") for line in LINES]


@pytest.fixture(scope="module")
def jail() -> Iterator[Sandbox]:
    with open_sandbox("bubblewrap", 0, PROGRAM_LIMITS) as sandbox:
        yield sandbox


def ran(program: str, jail: Sandbox) -> Ran:
    return run_tests(program, "f", TESTS, jail)


@pytest.mark.parametrize(
    ("line", "positional", "named", "expected"),
    [
        ("assert f(3) == 5", (3,), (), 5),
        ("assert [1, -2] == f('a', k={1: None})", ("a",), (("k", {1: None}),), [1, -2]),
        ("assert f(()) is True", ((),), (), True),
        ("assert f(1.5), 'why'", (1.5,), (), True),
        ("assert not f(set())", (set(),), (), False),
    ],
)
def test_an_assertion_is_a_call_and_a_value(
    line: str, positional: tuple[object, ...], named: tuple[object, ...], expected: object
) -> None:
    test = read_test(line, "f")
    assert (test.positional, test.named, test.expected) == (positional, named, expected)


@pytest.mark.parametrize(
    "line",
    [
        "assert g(3) == 5",
        "assert f(3) == g(3)",
        "assert f(f(3)) == 5",
        "assert f(*[3]) == 5",
        "assert f(3) < 5",
        "assert f(3) == f(3)",
        "f(3)",
        "assert f(3) == 5; assert True",
        "assert (",
    ],
)
def test_what_can_not_be_judged_from_outside_is_no_test(line: str) -> None:
    with pytest.raises(NoTest):
        read_test(line, "f")


def test_a_right_program_passes_all(jail: Sandbox) -> None:
    assert ran("def f(x):\n    return x + 2\n", jail) == Ran((True, True, True), "", "ok")


def test_a_test_fails_for_itself(jail: Sandbox) -> None:
    assert ran("def f(x):\n    return x + 2 if x != 4 else 0\n", jail) == Ran((True, False, True), "wrong", "ok")


def test_the_tests_after_one_that_raised_are_run(jail: Sandbox) -> None:
    assert ran("def f(x):\n    return 5 // (x != 3) + x - 3\n", jail).passed == (False, True, True)
    assert ran("def f(x):\n    return 5 // (x != 3) + x - 3\n", jail).reason == "raised"


def test_the_tests_after_one_that_did_not_end_are_not_run(jail: Sandbox) -> None:
    late = Ran((True, False, False), "timeout", "timeout")
    assert ran("def f(x):\n    while x == 4: pass\n    return x + 2\n", jail) == late


def test_our_own_failure_is_no_verdict() -> None:
    assert ran("def f(x):\n    return x + 2\n", BrokenSandbox()) == Ran((None, None, None), "sandbox_failed", "failed")


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("return x", "ok"),
        ("return 1 // (x - 4)", "raised"),
        ("return [0] * 2**40", "memory"),
        ("return x if x == 3 else bytearray(2**40)", "memory"),
        ("return 'y' * 2**24", "ok"),
        ("print('y' * 2**24)", "ok"),
        ("import os; os._exit(0)", "crashed"),
        ("import os; os.fork()", "refused"),
        ("import sys; return sys._getframe()", "tampered"),
        ("while True: pass", "timeout"),
    ],
)
def test_how_a_program_ended_is_one_word(jail: Sandbox, body: str, verdict: str) -> None:
    assert ran(f"def f(x):\n    {body}\n", jail).verdict == verdict


HOSTILE = {
    "exits": ("import os\ndef f(x):\n    os._exit(0)\n", "stopped"),
    "exits after good answers": ("import os\ndef f(x):\n    if x == 5: os._exit(0)\n    return x + 2\n", "stopped"),
    "raises SystemExit": ("raise SystemExit(0)\ndef f(x):\n    return x\n", "raised"),
    "equals everything": ("class A:\n    def __eq__(self, other): return True\ndef f(x): return A()\n", "wrong"),
    "number that equals everything": (
        "class A(int):\n    def __eq__(self, other): return True\ndef f(x): return A(1)\n",
        "wrong",
    ),
    "prints results": ("print('[(\"gave\", 5, 0)]')\ndef f(x):\n    print('gave', x + 2, flush=True)\n", "wrong"),
    "never ends": ("def f(x):\n    while True: pass\n", "timeout"),
    "never ends and catches": (
        "def f(x):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass\n",
        "timeout",
    ),
    "looks at the frames": (
        "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n        for value in"
        " frame.f_locals.values():\n            if type(value).__name__ == 'UnitTest': return value.expected\n"
        "        frame = frame.f_back\n    return x + 2\n",
        "tampered",
    ),
    "changes builtins": (
        "import builtins\nbuiltins.isinstance = lambda *given: True\nbuiltins.AssertionError = ValueError\n"
        "def f(x): return 1\n",
        None,
    ),
    "defines no function": ("g = 1\n", "raised"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_passes_nothing(name: str, jail: Sandbox) -> None:
    program, reason = HOSTILE[name]
    found = ran(program, jail)
    assert found.passed == (False, False, False)
    assert reason is None or found.reason == reason
