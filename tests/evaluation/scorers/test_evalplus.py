"""EvalPlus: outputs against the reference's, the oracles of single tasks, and where official and strict differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from evaluation.evalplus import EvalPlusRow
from evaluation.jails import Jails
from evaluation.scorers.evalplus import NO_BASE_TESTS, NO_REFERENCE, References, all_right, judge_program
from evaluation.scorers.judgement import RAISED, TIMEOUT, WRONG, Judgement, Mode

ROW = EvalPlusRow(
    "HumanEval/900",
    "humaneval",
    'def half(n):\n    """Half of n."""\n',
    "half",
    "    return n / 2\n",
    base_inputs=((2,), (4,)),
    plus_inputs=((3,), (0,)),
)
RIGHT = Judgement(True)


@pytest.fixture(scope="module")
def jails() -> Iterator[Jails]:
    with Jails() as opened:
        yield opened


def judged(jails: Jails, program: str, mode: Mode = "official", row: EvalPlusRow = ROW) -> tuple[Judgement, Judgement]:
    return judge_program(row, program, mode, jails, References())


@pytest.mark.parametrize("mode", ["official", "strict"])
@pytest.mark.parametrize(
    ("program", "base", "plus"),
    [
        ("def half(n): return n * 0.5", RIGHT, RIGHT),
        ("def half(n): return n / 2 + 1e-9", RIGHT, RIGHT),  # within 1e-6, since floats are expected
        ("def half(n): return n / 2 + 1e-3", Judgement(False, WRONG), Judgement(False, WRONG)),
        ("def half(n): return float(n // 2)", RIGHT, Judgement(False, WRONG)),
        ("def half(n): return n // 2", RIGHT, Judgement(False, WRONG)),
        ("def half(n): return 1 / n if n < 0 else n / 2 / bool(n)", RIGHT, Judgement(False, RAISED)),
        ("def other(n): return n", Judgement(False, RAISED), Judgement(False, RAISED)),
        ("", Judgement(False, RAISED), Judgement(False, RAISED)),
    ],
)
def test_base_and_plus_verdicts(program: str, base: Judgement, plus: Judgement, mode: Mode, jails: Jails) -> None:
    assert judged(jails, program, mode) == (base, plus)


def test_a_program_that_does_not_end_is_late(jails: Jails) -> None:
    assert judged(jails, "def half(n):\n    while n: pass")[0] == Judgement(False, TIMEOUT)


def test_an_answer_that_equals_everything_is_wrong(jails: Jails) -> None:
    program = "class A(float):\n    def __eq__(self, other): return True\ndef half(n): return A(77)"
    for mode in ("official", "strict"):
        assert judged(jails, program, mode)[0] == Judgement(False, WRONG)


def test_the_expected_outputs_are_not_to_be_found_in_the_jail(jails: Jails) -> None:
    program = """
import gc, sys
def half(n):
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if isinstance(value, (list, tuple)) and value and isinstance(value[0], float):
                return value[0]
        frame = frame.f_back
    return None
"""
    row = replace(ROW, base_inputs=((7,),))
    assert judged(jails, program, "official", row)[0] == Judgement(False, WRONG)


def test_without_a_reference_nothing_is_judged(jails: Jails) -> None:
    row = replace(ROW, solution="    raise ValueError\n")
    assert judged(jails, "def half(n): return n / 2", row=row) == (Judgement(None, NO_REFERENCE),) * 2


def agrees(name: str, arguments: tuple[Any, ...], out: Any, right: Any, mode: Mode = "official", **more: Any) -> bool:
    row = EvalPlusRow("Mbpp/1", more.pop("dataset", "mbpp"), "", name, "", **more)
    return all_right(row, [arguments], [out], [right], mode)


def test_some_tasks_compare_as_sets() -> None:
    assert agrees("Diff", ([1], [2]), [2, 1], [1, 2])
    assert not agrees("other", ([1], [2]), [2, 1], [1, 2])
    assert not agrees("Diff", (), 5, [1, 2])


def test_some_tasks_ask_only_whether_something_was_found() -> None:
    assert agrees("check_str", (), "a match", "another match")
    assert agrees("check_str", (), True, "a match")
    assert agrees("check_str", (), None, None)
    assert agrees("check_str", (), False, None)
    assert not agrees("check_str", (), None, "a match")
    assert not agrees("check_str", (), "found", None)


def test_two_tasks_have_a_second_right_answer() -> None:
    # a pyramid with base 4 and height 3: slant √13, surface 16 + 8·√13 = 44.84
    assert agrees("surface_Area", (4, 3), 45, 40)
    assert not agrees("surface_Area", (4, 3), 44, 40)
    assert agrees("digit_distance_nums", (5, 123), 1 + 2 + 2, 9)
    assert not agrees("digit_distance_nums", (5, 123), 4, 9)


@pytest.mark.parametrize(("name", "out"), [("are_equivalent", "nonsense"), ("sum_div", 0)])
def test_answers_that_are_always_right_officially_are_not_so_strictly(name: str, out: Any) -> None:
    assert agrees(name, (1,), out, 6)
    assert not agrees(name, (1,), out, 6, "strict")
    assert agrees(name, (1,), 6, 6, "strict")


def test_a_root_is_judged_by_its_residual() -> None:
    # 1 + 2x at x = -0.5 is 0
    assert agrees("find_zero", ([1, 2],), -0.5, -0.4, dataset="humaneval", atol=1e-4)
    assert agrees("find_zero", ([1, 2],), -0.50004, -0.5, dataset="humaneval", atol=1e-4)
    assert not agrees("find_zero", ([1, 2],), -0.51, -0.51, dataset="humaneval", atol=1e-4)


def test_a_tolerance_wants_the_same_type_and_length() -> None:
    assert agrees("f", (), 1.00001, 1.0, atol=1e-4)
    assert not agrees("f", (), 1.001, 1.0, atol=1e-4)
    assert agrees("f", (), [1.0, 2.0000001], [1.0, 2.0])
    assert not agrees("f", (), (1.0, 2.0000001), [1.0, 2.0])
    assert not agrees("f", (), [1.0], [1.0, 2.0], atol=1.0)
    assert not agrees("f", (), "a", 1.0)
    assert agrees("f", (), 1, True)  # plain equality, as in Python


def test_a_tolerance_stays_for_later_inputs_only_officially() -> None:
    row = EvalPlusRow("Mbpp/1", "mbpp", "", "f", "")
    inputs, given, expected = [(1,), (2,)], [0.5, [1, 2.0000001]], [0.5, [1, 2.0]]
    assert all_right(row, inputs, given, expected, "official")
    assert not all_right(row, inputs, given, expected, "strict")


HUB = replace(ROW, base_inputs=(), plus_inputs=(), test="def check(candidate):\n    assert candidate(3) == 1.5\n")


def test_a_row_of_the_hub_is_judged_by_its_test_program(jails: Jails) -> None:
    assert judged(jails, "def half(n): return n / 2", row=HUB) == (Judgement(None, NO_BASE_TESTS), RIGHT)
    assert judged(jails, "def half(n): return n", row=HUB)[1] == Judgement(False, WRONG)
    row = replace(HUB, dataset="mbpp", base_tests=("assert half(2) == 1",), test="import numpy\nassert half(3) == 1.5")
    assert judged(jails, "def half(n): return n / 2", row=row) == (RIGHT, RIGHT)
    assert judged(jails, "def half(n): return n // 2", row=row) == (RIGHT, Judgement(False, WRONG))


def test_code_that_reaches_for_a_test_programs_frames_is_wrong_strictly(jails: Jails) -> None:
    program = "import sys\ndef half(n):\n    sys._getframe(1).f_locals\n    return n / 2"
    assert judged(jails, program, "official", HUB)[1] == RIGHT
    assert judged(jails, program, "strict", HUB)[1] == Judgement(False, "tampered")
