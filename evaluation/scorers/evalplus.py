"""EvalPlus: outputs of generated code compared with those of the reference solution, on few inputs and on many.

Source: evalplus/evalplus, evalplus/eval/__init__.py and _special_oracle.py (Liu et al., arXiv 2305.01210). Base is
right where all base inputs are; plus where all of both are. What the reference gives is computed in the sandbox, not
published. Departures: seconds are CPU time; values are compared by content, outside the sandbox, so that no class of
the answer's own decides.

Official keeps two quirks: once a float was expected, its tolerance holds for the later inputs of the task;
are_equivalent (Mbpp/164) accepts anything, and sum_div (Mbpp/295) 0. Strict has neither. Where a test program decides
(the Hub's form), strict calls code wrong that reached for the machinery that judges it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.evalplus import EvalPlusRow
from evaluation.jails import Jails
from evaluation.scorers.calls import CALL_LIMITS, Called, call_all, run_job
from evaluation.scorers.functional import TAMPERED
from evaluation.scorers.judgement import (
    RAISED,
    SANDBOX_FAILED,
    STOPPED,
    TIMEOUT,
    WRONG,
    Judgement,
    Mode,
)
from execution.records import TAMPERING
from execution.sandbox import Job, Verdict

NO_REFERENCE = "no_reference"  # the reference solution itself gives no outputs here
NO_BASE_TESTS = "no_base_tests"  # the Hub's HumanEval+ has one test program for all inputs
MIN_LIMIT_S, LIMIT_FACTOR, MAX_TASK_S = 4.0, 4.0, 60.0
RTOL, FLOAT_ATOL = 1e-7, 1e-6
_SETS = frozenset(
    {
        "similar_elements",
        "find_char_long",
        "common_in_nested_lists",
        "extract_singly",
        "larg_nnum",
        "intersection_array",
        "find_dissimilar",
        "Diff",
    }
)
_NOT_NONE = frozenset({"check_str", "text_match_three", "text_starta_endb"})
_ENDED = {"raised": RAISED, "late": TIMEOUT, "sandbox_failed": SANDBOX_FAILED}


@dataclass(frozen=True)
class Reference:
    """What the reference solution gives on the base inputs and on the others, and each call's CPU time."""

    base: tuple[Any, ...]
    plus: tuple[Any, ...]
    base_times_s: tuple[float, ...]
    plus_times_s: tuple[float, ...]


def judge_program(
    row: EvalPlusRow, program: str, mode: Mode, jails: Jails, references: References
) -> tuple[Judgement, Judgement]:
    """(base, plus) verdicts on a whole program. Not judged where the sandbox failed or the reference gives nothing."""
    if row.test is not None:
        return _judge_by_test(row, program, mode, jails)
    known = references.get(row, jails)
    if known is None:
        return Judgement(None, NO_REFERENCE), Judgement(None, NO_REFERENCE)
    base = _judge(row, program, row.base_inputs, known.base, known.base_times_s, mode, jails)
    if base.correct is not True:
        return base, base
    return base, _judge(row, program, row.plus_inputs, known.plus, known.plus_times_s, mode, jails)


class References:
    """What reference solutions give, found when it is first asked for; the last KEPT are kept."""

    KEPT = 64

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Reference] = {}

    def get(self, row: EvalPlusRow, jails: Jails) -> Reference | None:
        """None where the reference does not end well here."""
        key = row.item_id, row.source
        if key in self._known:
            return self._known[key]
        found = _reference(row, jails)
        if found is not None:
            while len(self._known) >= self.KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = found
        return found


def _reference(row: EvalPlusRow, jails: Jails) -> Reference | None:
    base, plus = (
        _call(row, row.source, inputs, [MAX_TASK_S] * len(inputs), jails)
        for inputs in (row.base_inputs, row.plus_inputs)
    )
    if base.ended or plus.ended:
        return None
    return Reference(base.values, plus.values, base.times_s, plus.times_s)


def _call(
    row: EvalPlusRow, program: str, inputs: Sequence[Sequence[Any]], limits_s: Sequence[float], jails: Jails
) -> Called:
    return call_all(program, inputs, limits_s, jails.get(CALL_LIMITS), find=f"names[{row.entry_point!r}]")


def _judge(
    row: EvalPlusRow,
    program: str,
    inputs: Sequence[Sequence[Any]],
    expected: Sequence[Any],
    times_s: Sequence[float],
    mode: Mode,
    jails: Jails,
) -> Judgement:
    limits = [min(MAX_TASK_S, max(MIN_LIMIT_S, LIMIT_FACTOR * time)) for time in times_s]
    called = _call(row, program, inputs, limits, jails)
    if called.ended == "sandbox_failed":
        return Judgement(None, SANDBOX_FAILED)
    if not all_right(row, inputs, called.values, expected, mode):
        return Judgement(False, WRONG)
    return Judgement(False, _ENDED.get(called.ended, STOPPED)) if called.ended else Judgement(True)


def all_right(
    row: EvalPlusRow, inputs: Sequence[Sequence[Any]], given: Sequence[Any], expected: Sequence[Any], mode: Mode
) -> bool:
    """Whether the outputs `given` (as many as there are) agree with those expected, by the task's own rule."""
    atol = row.atol
    for arguments, out, right in zip(inputs, given, expected, strict=False):
        ok, used = _agrees(row, arguments, out, right, atol, mode)
        if not ok:
            return False
        atol = used if mode == "official" else row.atol
    return True


def _agrees(
    row: EvalPlusRow, arguments: Sequence[Any], out: Any, right: Any, atol: float, mode: Mode
) -> tuple[bool, float]:
    """(whether one output agrees, the tolerance that was in force)."""
    name = row.entry_point
    try:
        if row.dataset == "humaneval" and name == "find_zero":
            return bool(abs(_polynomial(arguments[0], out)) <= atol), atol
        exact = bool(out == right)
        if row.dataset == "mbpp":
            exact = _mbpp_oracle(name, arguments, out, right, exact, atol, mode)
        if atol == 0 and _is_floats(right):
            atol = FLOAT_ATOL
        if exact or atol == 0:
            return exact, atol
        if type(out) is not type(right) or (isinstance(right, list | tuple) and len(out) != len(right)):
            return False, atol
        return bool(np.allclose(out, right, rtol=RTOL, atol=atol)), atol
    except (TypeError, ValueError, OverflowError, ArithmeticError, LookupError, RecursionError):
        return False, atol


def _mbpp_oracle(
    name: str, arguments: Sequence[Any], out: Any, right: Any, exact: bool, atol: float, mode: Mode
) -> bool:
    if name in _SETS:
        return set(out) == set(right)
    if name in _NOT_NONE:
        wanted = right is not None
        return bool(out == wanted) if isinstance(out, bool) else wanted == (out is not None)
    if exact:
        return True
    if name == "surface_Area":
        return bool(abs(out - _pyramid(*arguments)) <= atol)
    if name == "digit_distance_nums":
        return bool(out == _digit_distance(*arguments))
    if mode == "official":
        return name == "are_equivalent" or (name == "sum_div" and bool(out == 0))
    return False


def _is_floats(value: Any) -> bool:
    if isinstance(value, list | tuple) and value:
        return all(isinstance(one, float) for one in value)
    return isinstance(value, float)


def _polynomial(coefficients: Sequence[float], x: float) -> float:
    """HumanEval/32: the residual at a claimed root."""
    return sum(factor * math.pow(x, power) for power, factor in enumerate(coefficients))


def _pyramid(edge: float, height: float) -> int:
    """Mbpp/581, the height taken from the base to the apex: the surface of a square pyramid."""
    return round(edge**2 + 2 * edge * math.sqrt((edge / 2) ** 2 + height**2))


def _digit_distance(one: int, other: int) -> int:
    """Mbpp/558, the shorter number filled up with zeros."""
    width = max(len(str(one)), len(str(other)))
    return sum(abs(int(a) - int(b)) for a, b in zip(str(one).zfill(width), str(other).zfill(width), strict=True))


def _judge_by_test(row: EvalPlusRow, program: str, mode: Mode, jails: Jails) -> tuple[Judgement, Judgement]:
    """The Hub's form: a test program, run after the answer in one process."""
    test = row.test or ""
    if row.dataset == "humaneval":
        return Judgement(None, NO_BASE_TESTS), _run(f"{program}\n{test}\ncheck({row.entry_point})\n", mode, jails)
    base = _run("\n".join([program, *row.base_tests, ""]), mode, jails)
    return base, _run(f"{program}\n{test}\n", mode, jails) if base.correct is True else base


def _run(program: str, mode: Mode, jails: Jails) -> Judgement:
    seen = run_job(Job(program, "True"), jails.get(CALL_LIMITS, ("numpy",)))
    if mode == "strict" and not TAMPERING.isdisjoint(seen.flags):
        return Judgement(False, TAMPERED)
    if seen.verdict is Verdict.OK:
        return Judgement(True)
    if seen.verdict is Verdict.SANDBOX_FAILED:
        return Judgement(None, SANDBOX_FAILED)
    if seen.verdict is Verdict.EXCEPTION:
        return Judgement(False, WRONG if (seen.exception or ("",))[0] == "AssertionError" else RAISED)
    return Judgement(False, TIMEOUT if seen.verdict is Verdict.TIMEOUT else STOPPED)
