"""Calls in the jail: values come back by content, limits hold, and nothing that was expected is to be found there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from evaluation.jails import Jails
from evaluation.scorers.calls import CALL_LIMITS, Called, Opaque, call_all, read_value


@pytest.fixture(scope="module")
def jails() -> Iterator[Jails]:
    with Jails() as opened:
        yield opened


def called(jails: Jails, program: str, *inputs: list[Any], limit_s: float = 4.0) -> Called:
    return call_all(program, inputs, [limit_s] * len(inputs), jails.get(CALL_LIMITS), find="names['f']")


@pytest.mark.parametrize(
    "value",
    [1, -2.5, True, None, "é\n", b"x", 1 + 2j, float("inf"), [(1,), {2}, {"a": {3: []}}], set(), frozenset({1})],
)
def test_a_value_goes_in_and_comes_back(value: Any, jails: Jails) -> None:
    [back] = called(jails, "def f(x): return x", [value]).values
    assert repr(back) == repr(value)


def test_nan_numbers_of_any_size_and_long_values_come_back(jails: Jails) -> None:
    program = "def f(x):\n    return [float('nan'), 10 ** 5000, 'a' * 10][x] if x < 3 else list(range(x))"
    nan, big, text, long = called(jails, program, [0], [1], [2], [300_000]).values
    assert nan != nan
    assert big == 10**5000
    assert text == "a" * 10
    assert isinstance(long, Opaque)
    [again] = called(jails, program, [300_000]).values
    [other] = called(jails, program, [300_001]).values
    assert (again == long, other == long) == (True, False)


def test_values_of_derived_classes_are_plain_and_their_equality_is_not_asked(jails: Jails) -> None:
    program = """
import collections, enum
class Sly(int):
    def __eq__(self, other): return True
    def __hash__(self): return 0
class Any:
    def __eq__(self, other): return True
Point = collections.namedtuple("Point", "x y")
class Level(enum.IntEnum):
    LOW = 3
def f(n):
    return [Sly(5), collections.Counter("aab"), Point(1, 2), Level.LOW, Any(), (x for x in "a"), [Any()]][n]
"""
    sly, counter, point, level, other, generator, inside = called(jails, program, *([n] for n in range(7))).values
    assert (sly, counter, point, level) == (5, {"a": 2, "b": 1}, (1, 2), 3)
    assert type(sly) is int
    assert (other, generator, inside) == (Opaque("Any"), Opaque("generator"), [Opaque("Any")])


def test_calls_stop_at_the_first_that_raises(jails: Jails) -> None:
    seen = called(jails, "def f(x): return 1 // x", [1], [0], [1])
    assert (seen.values, seen.ended, seen.detail) == ((1,), "raised", "ZeroDivisionError")


def test_a_call_that_does_not_end_is_late_and_those_before_it_count(jails: Jails) -> None:
    seen = called(jails, "def f(x):\n    while x: pass\n    return 7", [0], [1], limit_s=0.5)
    assert (seen.values, seen.ended) == ((7,), "late")


@pytest.mark.parametrize("wait", ["time.sleep(1000)", "threading.Event().wait()", "queue.Queue().get()"])
def test_a_call_that_waits_is_late(wait: str, jails: Jails) -> None:
    program = f"import queue, threading, time\ndef f(x): {wait}"
    assert called(jails, program, [0], limit_s=0.1).ended == "late"


def test_a_program_may_write_files_of_its_own(jails: Jails) -> None:
    program = "def f(x):\n    with open('a', 'w') as file: file.write(x)\n    return open('a').read()"
    assert called(jails, program, ["é"]).values == ("é",)


@pytest.mark.parametrize(
    "program",
    [
        "import signal\ndef f(x):\n    signal.setitimer(signal.ITIMER_PROF, 0)\n    return x",
        "import sys\nsys.stdout = None\ndef f(x): return x",
        "import builtins\nbuiltins.repr = builtins.isinstance = None\ndef f(x): return x",
    ],
)
def test_a_program_that_meddles_gains_and_breaks_nothing(program: str, jails: Jails) -> None:
    seen = called(jails, program, [5])
    assert seen.values in ((5,), ())
    assert seen.values or seen.ended


@pytest.mark.parametrize(
    "value", ["[[]] * 3 and (lambda x: x.append(x) or x)([])", r"b'\0int zz'", "1 << 10**6", r"'\ud800'"]
)
def test_odd_values_do_no_harm(value: str, jails: Jails) -> None:
    seen = called(jails, f"def f(x): return {value}", [5])
    assert len(seen.values) == 1 or seen.ended == "stopped"


def test_a_program_that_does_not_end_while_it_is_defined_is_late(jails: Jails) -> None:
    assert called(jails, "while True: pass", [0], limit_s=0.5).ended == "late"


@pytest.mark.parametrize("program", ["def g(x): return x", "def f(x) return x", "raise SystemExit(0)"])
def test_a_program_without_the_function_raised(program: str, jails: Jails) -> None:
    assert called(jails, program, [1]).ended == "raised"


def test_a_program_that_kills_itself_is_stopped(jails: Jails) -> None:
    assert called(jails, "import os\ndef f(x): os._exit(0)", [1]).ended == "stopped"


def test_what_a_program_prints_is_no_output_and_no_trouble(jails: Jails) -> None:
    assert called(jails, "def f(x):\n    print('x' * 10**6)\n    return x", [1]).values == (1,)


def test_state_is_kept_between_calls_and_inputs_are_their_own(jails: Jails) -> None:
    program = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)"
    assert called(jails, program, [1], [1]).values == (1, 2)


def test_no_input_means_no_call(jails: Jails) -> None:
    assert called(jails, "raise ValueError") == Called((), ())


@pytest.mark.parametrize("text", ["f(1)", "__import__('os')", "x", "[1, *a]", "1 if 2 else 3", "", "(" * 500, "{**a}"])
def test_text_that_is_no_value_is_refused(text: str) -> None:
    if text == "{**a}":
        assert read_value(text) == {}
        return
    with pytest.raises(ValueError, match="not a value's text"):
        read_value(text)
