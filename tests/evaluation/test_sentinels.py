"""The gate's sentinels: each on a model that games it and on one that does not, by way of rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from evaluation.gate import Policy, Reason, decide, evidence_from_rows

NUM_PROGRAMS = 120
Say = Callable[[int, list[str]], list[str]]


def rows(say: Say, answer: Callable[[int], str] = str, right: bool = True, num: int = NUM_PROGRAMS) -> list[Any]:
    """One row per program n: the states are a: n, b: 2n, c: 3n, the result n; `say` gives the predicted states."""
    made = []
    for n in range(1, num + 1):
        true = [f"a: {n}", f"b: {2 * n}", f"c: {3 * n}"]
        said = say(n, true)
        made.append(
            {
                "item_id": f"held_out/{n:03}",
                "cluster": f"program-{n:03}",
                "benchmark": "held_out",
                "task": "output",
                "prompt": "def f(n):\n    a = n\n    print(f'a: {a}')\n    b = a + n\n",
                "answer": answer(n),
                "expected": [str(n)],
                "final_correct": right,
                "step_correct": [one == two for one, two in zip(said, true, strict=True)],
                "states_true": true,
                "states_predicted": said,
                "judged": True,
                "left_out": False,
            }
        )
    return made


def truly(n: int, true: list[str]) -> list[str]:
    return true


def check(made: list[Any], **limits: float) -> Reason:
    """What the one sentinel in `limits` says; the decision has to agree."""
    asked: dict[str, Any] = {key: {"held_out/output": value} for key, value in limits.items()}
    decision = decide(evidence_from_rows(made), None, Policy("test", min_items=50, min_programs=10, **asked))
    (found,) = [reason for reason in decision.checks if reason.rule not in ("first", "not_judged")]
    assert decision.verdict == found.verdict
    return found


def alternating(*answers: str) -> Callable[[int], str]:
    return lambda n: answers[n % len(answers)]


@pytest.mark.parametrize("answers", [("1",), ("1", "1.0"), (" 1", "1 ", "(1)", "+1", "1 # so"), ("True", "1")])
def test_a_constant_answer_is_found_however_it_is_written(answers: tuple[str, ...]) -> None:
    found = check(rows(truly, alternating(*answers)), max_constant_share=0.5)
    assert found.verdict == "reject"
    assert found.evidence["share"] == 1.0


def test_answers_that_differ_are_no_constant() -> None:
    assert check(rows(truly), max_constant_share=0.5).verdict == "promote"


@pytest.mark.parametrize("answers", [("1",), ("1", "2"), ("1", "2", "3"), ("1", "1.0", "'x'")])
def test_alternating_between_a_few_constants_is_found(answers: tuple[str, ...]) -> None:
    found = check(rows(truly, alternating(*answers)), max_constant_excess=0.3)
    assert found.verdict == "reject"
    assert found.evidence["share"] == 1.0
    assert found.evidence["mean"] > 0.95, "of the truth no answer comes twice"


def test_answers_spread_as_in_the_truth_are_in_order() -> None:
    assert check(rows(truly), max_constant_excess=0.0).verdict == "promote"


def test_a_truth_that_is_mostly_one_answer_excuses_that_answer() -> None:
    made = rows(truly, lambda n: "0" if n % 10 else str(n))
    assert check(made, max_constant_excess=0.3).verdict == "reject"
    for one in made:
        one["expected"] = [one["answer"]]
    found = check(made, max_constant_excess=0.3)
    assert (found.verdict, found.evidence["mean"]) == ("promote", 0.0)


def test_where_no_answers_are_listed_the_share_itself_is_limited() -> None:
    made = [{**one, "expected": []} for one in rows(truly, alternating("1", "2"))]
    found = check(made, max_constant_excess=0.8)
    assert found.verdict == "reject"
    assert found.evidence["mean"] == 1.0


def echo_some(share: float) -> Say:
    """The template in that share of the programs, evenly spread."""
    return lambda n, true: ["a: {a}", "b: {b}", "c: {c}"] if (n * 37) % 100 < 100 * share else true


@pytest.mark.parametrize(("share", "verdict"), [(0.0, "promote"), (0.1, "promote"), (0.24, "hold"), (0.6, "reject")])
def test_echoed_anchors_are_limited(share: float, verdict: str) -> None:
    found = check(rows(echo_some(share)), max_echoed=0.2)
    assert found.verdict == verdict
    assert found.evidence["mean"] == pytest.approx(share, abs=0.02)
    assert found.evidence["threshold"] == 0.2


def test_steps_that_stand_still_while_the_truth_moves_are_echoes() -> None:
    found = check(rows(lambda n, true: [true[0]] * 3), max_echoed=0.5)
    assert found.verdict == "reject"
    assert found.evidence["mean"] == pytest.approx(2 / 3)


def guess(n: int, true: list[str]) -> list[str]:
    """The right names, with values that some program has: nothing of this program is in them."""
    drawn = random.Random(n)
    return [f"{name}: {k * drawn.randint(1, 8)}" for k, name in ((1, "a"), (2, "b"), (3, "c"))]


def few_values(made: list[Any]) -> list[Any]:
    """Programs whose values repeat from one to the next, so that guessing them earns something."""
    for place, one in enumerate(made):
        one["states_true"] = [f"{name}: {k * (place % 8 + 1)}" for k, name in ((1, "a"), (2, "b"), (3, "c"))]
    return made


def test_steps_that_fit_any_program_are_found() -> None:
    found = check(few_values(rows(guess)), max_shuffled_share=0.2)
    assert found.verdict == "reject"
    assert found.evidence["own"] == pytest.approx(found.evidence["other"], abs=0.08)
    assert found.evidence["excess"]["low"] > 0


def test_steps_that_follow_their_program_fit_no_other() -> None:
    made = few_values(rows(truly))
    for one in made:
        one["states_predicted"] = one["states_true"]
    found = check(made, max_shuffled_share=0.01)
    assert found.verdict == "promote"
    assert (found.evidence["own"], found.evidence["other"]) == (1.0, 0.0)
    assert check(made, max_unrelated_steps=0.01).verdict == "promote"


def test_too_little_to_tell_shuffled_traces_by_holds() -> None:
    assert check(few_values(rows(guess, num=60))[:60], max_shuffled_share=0.9).verdict == "hold"
    lone = [{**one, "cluster": "program"} for one in rows(truly)]
    lone[0] = {**lone[0], "cluster": "another", "states_true": ["a: 1"], "states_predicted": ["a: 1"]}
    decision = decide(
        evidence_from_rows(lone),
        None,
        Policy("test", min_items=50, min_programs=2, max_shuffled_share={"held_out/output": 0.9}),
    )
    assert decision.verdict == "hold"
    assert "held against" in decision.reasons[0].text


def test_right_answers_over_steps_of_any_program_are_found_and_wrong_ones_do_not_count() -> None:
    found = check(few_values(rows(guess)), max_unrelated_steps=0.3)
    assert found.verdict == "reject"
    assert found.evidence["mean"] > 0.7
    made = few_values(rows(guess))
    for place, one in enumerate(made):
        if place % 2:
            one["states_predicted"] = one["states_true"]
        else:
            one["final_correct"] = False
    assert check(made, max_unrelated_steps=0.3).evidence["mean"] == 0.0


@pytest.mark.parametrize("key", ["max_echoed", "max_shuffled_share", "max_unrelated_steps", "max_wrong_logic"])
def test_rows_without_steps_hold_and_say_so(key: str) -> None:
    made = [{**one, "states_true": [], "states_predicted": [], "step_correct": []} for one in rows(truly)]
    found = check(made, **{key: 0.5})
    assert found.verdict == "hold"
    assert "too few answers have" in found.text


def test_sentinels_are_off_unless_the_policy_asks() -> None:
    made = evidence_from_rows(few_values(rows(guess, alternating("1"))))
    policy = Policy("test", min_items=50, min_programs=10, floors={"held_out/output": 0.5})
    assert {reason.rule for reason in decide(made, None, policy).checks} == {"floor", "first"}
