"""Rewards of programs that were asked for, by hand: shares of tests, the bonus, and what earns nothing."""

from __future__ import annotations

import math

import pytest
from transformers import PreTrainedTokenizerFast

from evaluation.code_problems import CodeProblem, CodeScored, usable
from evaluation.unit_tests import read_test
from execution.sandbox import Sandbox
from tests.evaluation.test_scoring import BrokenSandbox
from tests.training.exploits_code import CODE_EXPLOITS, OPEN, RIGHT, respond
from training.code_rewards import code_reward, grade_code
from training.grading import Graded
from training.rollout_metrics import rollout_metrics
from training.tokenizer import encode

LINES = ("assert f(1) == 4", "assert f(2) == 6", "assert f(3) == 8", "assert f(0) == 2")
PROBLEM = CodeProblem(
    "p",
    "p",
    "f",
    OPEN,
    tuple(read_test(line, "f", hidden=place > 1) for place, line in enumerate(LINES)),
    shown=LINES[:2],
    holed=True,
)
THREE = f"{RIGHT} if x else 0"


@pytest.fixture(scope="module")
def earned(tokenizer: PreTrainedTokenizerFast, jail: Sandbox) -> object:
    def earn(text: str) -> Graded:
        ids = [*encode(tokenizer, text), tokenizer.eos_token_id]
        return grade_code(PROBLEM, ids, tokenizer, jail, 0.05)

    return earn


RESPONSES = [
    pytest.param(respond(RIGHT), 1.05, "right", id="honest"),
    pytest.param(respond(f"```python\n{RIGHT}\n```"), 1.05, "right", id="honest_in_a_fence"),
    pytest.param(f"so {respond(RIGHT)}", 1.0, "right", id="honest_with_a_fault"),
    pytest.param("", 0.0, "malformed", id="nothing"),
]
EXPLOITS = [pytest.param(one.text, one.reward, one.reason, id=one.name) for one in CODE_EXPLOITS]


@pytest.mark.parametrize(("text", "reward", "reason"), RESPONSES + EXPLOITS)
def test_what_a_response_earns(earned: object, text: str, reward: float, reason: str) -> None:
    graded = earned(text)  # type: ignore[operator]
    assert graded.final_reward == pytest.approx(reward)
    assert graded.reason == reason
    assert graded.judged
    assert graded.all_correct == (reward >= 1)
    assert graded.step_rewards == ()


def test_what_our_sandbox_failed_on_is_not_judged(tokenizer: PreTrainedTokenizerFast) -> None:
    graded = grade_code(PROBLEM, encode(tokenizer, respond(RIGHT)), tokenizer, BrokenSandbox(), 0.05)
    assert math.isnan(graded.final_reward)
    assert (graded.judged, graded.reason, graded.all_correct) == (False, "sandbox_failed", False)


def test_the_bonus_lifts_no_failing_program_to_a_right_one() -> None:
    # at most ten tests: nine of ten and the largest bonus stay below 1
    tests = tuple(read_test(f"assert f({x}) == {x}", "f") for x in range(10))
    problem = CodeProblem("p", "p", "f", "", tests)
    scored = CodeScored((True,) * 9 + (False,), False, "wrong", (), "")
    assert code_reward(problem, scored, 0.0999) < 1


def test_figures_count_programs_that_passed_all(earned: object) -> None:
    group = [earned(respond(one)) for one in (RIGHT, RIGHT, THREE)]  # type: ignore[operator]
    right = [earned(respond(RIGHT))] * 3  # type: ignore[operator]
    figures = rollout_metrics(group + right, [10] * 6, 3, ["code"] * 6)
    assert figures["all_correct"] == pytest.approx(5 / 6)
    assert figures["all_correct_final"] == 0.5
    assert figures["zero_std_final"] == 0.5
    assert figures["final_reward_code"] == pytest.approx((5 * 1.05 + 0.8) / 6)
    assert figures["step_reward"] is None


def test_a_test_that_the_open_hole_passes_does_not_count(jail: Sandbox) -> None:
    lines = ("assert f(1) == 1", "assert f(-2) == 2", "assert f(3) == 3", "assert f(-4) == 4")
    tests = tuple(read_test(line, "f", hidden=place > 1) for place, line in enumerate(lines))
    source = "def f(x):\n    if x < 0:\n        ...\n    return x"
    told = usable(CodeProblem("p", "p", "f", source, tests, lines[:2], holed=True), jail)
    assert told is not None
    assert [test.text for test in told.tests] == [lines[1], lines[3]]
    assert told.shown == lines[:2]


def test_a_hole_that_changes_nothing_is_no_problem(jail: Sandbox) -> None:
    tests = tuple(read_test(f"assert f({x}) == {x}", "f") for x in (1, 2))
    assert usable(CodeProblem("p", "p", "f", "def f(x):\n    ...\n    return x", tests, holed=True), jail) is None


def test_a_reference_that_fails_is_no_problem(jail: Sandbox) -> None:
    tests = (read_test("assert f(1) == 2", "f"),)
    wrong = CodeProblem("p", "p", "f", "Add one.", tests, reference="def f(x):\n    return x")
    assert usable(wrong, jail) is None
