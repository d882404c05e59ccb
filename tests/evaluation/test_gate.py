"""The gate on evidence made for each rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evaluation.gate import Decision, Evidence, Policy, PolicyError, Scores, decide, evidence_from_rows, load_policy
from evaluation.policy import FOLDER

KEY = ("held_out", "output")


def scores(rate: float, num: int = 400, step: float | None = None, seed: int = 0, constant: float = 0.1) -> Scores:
    """`num` items, one per program, exactly round(rate x num) of them right."""
    order = np.random.default_rng(seed).permutation(num)
    final = (order < round(rate * num)).astype(float)
    return Scores(
        item_ids=tuple(f"item-{place}" for place in range(num)),
        clusters=tuple(f"program-{place}" for place in range(num)),
        final=tuple(final),
        step=tuple([rate if step is None else step] * num),
        answers=tuple(str(place) for place in range(num)),
        best_constant=constant,
    )


def evidence(rate: float, **options: float) -> Evidence:
    return {KEY: scores(rate, **options)}  # type: ignore[arg-type]


def rules(decision: Decision) -> set[str]:
    return {reason.rule for reason in decision.reasons}


FLOOR = Policy("test", min_items=50, min_programs=10, floors={"held_out/output": 0.5})


@pytest.mark.parametrize(("rate", "verdict"), [(0.6, "promote"), (0.5, "promote"), (0.48, "hold"), (0.4, "reject")])
def test_a_floor_promotes_holds_within_the_noise_and_rejects_below_it(rate: float, verdict: str) -> None:
    decision = decide(evidence(rate), None, FLOOR)
    assert decision.verdict == verdict
    floor = next(check for check in decision.checks if check.rule == "floor")
    assert floor.evidence["mean"] == pytest.approx(rate)
    assert floor.evidence["threshold"] == 0.5
    assert f"{rate:.1%}" in floor.text


def test_a_figure_that_was_not_measured_holds() -> None:
    decision = decide({}, None, FLOOR)
    assert decision.verdict == "hold"
    assert rules(decision) == {"missing"}


def test_too_few_items_or_programs_decide_nothing_however_good() -> None:
    assert rules(decide(evidence(1.0, num=40), None, FLOOR)) == {"too_few"}
    one_program = Scores(("a", "b") * 40, ("p",) * 80, (1.0,) * 80, (1.0,) * 80, ("x",) * 80)
    policy = Policy("test", min_items=1, min_programs=1, floors={"held_out/output": 0.5})
    assert decide({KEY: one_program}, None, policy).verdict == "hold"


@pytest.mark.parametrize(("rate", "verdict"), [(0.3, "promote"), (0.11, "hold"), (0.1, "reject"), (0.0, "reject")])
def test_beating_a_constant_answer_has_to_be_shown(rate: float, verdict: str) -> None:
    policy = Policy("test", min_items=50, min_programs=10, floors_above_constant=("held_out/output",))
    assert decide(evidence(rate), None, policy).verdict == verdict


REGRESSION = Policy("test", min_items=50, min_programs=10, no_regression=("held_out/output",))


@pytest.mark.parametrize(("rate", "verdict"), [(0.5, "promote"), (0.6, "promote"), (0.4, "reject")])
def test_a_significant_regression_rejects(rate: float, verdict: str) -> None:
    assert decide(evidence(rate, seed=1), evidence(0.5), REGRESSION).verdict == verdict


IMPROVE = Policy("test", min_items=50, min_programs=10, improve_one_of=("held_out/output", "held_out/output/step"))


def test_a_gain_has_to_be_shown_in_one_of_the_metrics() -> None:
    champion = evidence(0.5)
    assert decide(evidence(0.65, step=0.5, seed=1), champion, IMPROVE).verdict == "promote"
    assert decide(evidence(0.5, step=0.7), champion, IMPROVE).verdict == "promote"
    nothing = decide(evidence(0.51, step=0.5, seed=1), champion, IMPROVE)
    assert nothing.verdict == "hold"
    assert rules(nothing) == {"improvement"}


def test_the_same_scores_as_the_champions_hold() -> None:
    assert decide(evidence(0.5), evidence(0.5), IMPROVE).verdict == "hold"


def test_candidate_and_champion_are_compared_on_common_items_only() -> None:
    other = scores(0.5)
    renamed = Scores(
        tuple(f"other-{item}" for item in other.item_ids), other.clusters, other.final, other.step, other.answers
    )
    decision = decide(evidence(0.9), {KEY: renamed}, IMPROVE)
    assert decision.verdict == "hold"
    assert rules(decision) == {"not_paired"}


def test_right_answers_by_wrong_steps_are_limited() -> None:
    policy = Policy("test", min_items=50, min_programs=10, max_wrong_logic={"held_out/output": 0.2})
    assert decide(evidence(0.5, step=1.0), None, policy).verdict == "promote"
    decision = decide(evidence(0.5, step=0.5), None, policy)
    assert decision.verdict == "reject"
    assert decision.reasons[0].evidence["mean"] == pytest.approx(0.5)


def test_an_answer_that_never_changes_is_rejected() -> None:
    constant = Scores(
        tuple(map(str, range(100))), tuple(map(str, range(100))), (1.0,) * 100, (None,) * 100, ("0",) * 99 + ("1",)
    )
    policy = Policy("test", min_items=50, min_programs=10, max_constant_share={"held_out/output": 0.95})
    decision = decide({KEY: constant}, None, policy)
    assert decision.verdict == "reject"
    assert "'0' is 99.0% of the answers" in decision.reasons[0].text


def test_too_many_answers_that_could_not_be_judged_hold() -> None:
    good = scores(0.6)
    partly = Scores(good.item_ids, good.clusters, good.final, good.step, good.answers, 0.1, num_not_judged=100)
    decision = decide({KEY: partly}, None, FLOOR)
    assert decision.verdict == "hold"
    assert rules(decision) == {"not_judged"}


def test_onto_an_empty_registry_the_policy_says_whether_floors_are_enough() -> None:
    assert decide(evidence(0.6), None, FLOOR).verdict == "promote"
    strict = Policy("test", min_items=50, min_programs=10, first_needs_floors_only=False)
    assert decide(evidence(0.6), None, strict).verdict == "hold"


def test_false_promotions_of_equal_models_are_rare() -> None:
    """A/A: two models of the same accuracy on 300 items, 120 times; the policy allows 5 %."""
    generator = np.random.default_rng(3)
    policy = Policy("test", min_items=50, min_programs=10, improve_one_of=("held_out/output",))
    clusters = tuple(f"program-{place // 2}" for place in range(300))
    promoted = 0
    for _ in range(120):
        difficulty = np.repeat(generator.random(150), 2)
        pair = [(generator.random(300) < difficulty).astype(float) for _ in range(2)]
        made = [
            {KEY: Scores(tuple(map(str, range(300))), clusters, tuple(one), (None,) * 300, ("x",) * 300)}
            for one in pair
        ]
        promoted += decide(made[0], made[1], policy).verdict == "promote"
    assert promoted <= 8, "5 % of 120 is 6, with a standard error of 2.4"


def row(item: int, final: bool | None, steps: list[bool | None], **changes: object) -> dict[str, object]:
    base = {
        "item_id": str(item),
        "cluster": str(item),
        "benchmark": "held_out",
        "task": "output",
        "final_correct": final,
        "step_correct": steps,
        "judged": final is not None,
        "answer": " 3 ",
        "expected": ["3"] if item else ["4"],
        "left_out": False,
    }
    return {**base, **changes}


def test_evidence_holds_what_was_judged_and_counts_what_was_not() -> None:
    rows = [
        row(0, False, [True, False]),
        row(1, True, [True, True]),
        row(2, True, []),
        row(3, None, [None]),
        row(4, None, [], left_out=True),
    ]
    made = evidence_from_rows(rows)[KEY]
    assert made.item_ids == ("0", "1", "2")
    assert made.final == (0.0, 1.0, 1.0)
    assert made.step == (0.5, 1.0, None)
    assert made.answers == ("3", "3", "3")
    assert made.num_not_judged == 1
    assert made.best_constant == pytest.approx(2 / 3)
    assert {item: value for item, (value, _) in made.measure("all").items()} == {"0": 0.0, "1": 1.0}


def test_rows_whose_lists_are_still_text_are_refused() -> None:
    with pytest.raises(TypeError, match="LIST_COLUMNS"):
        evidence_from_rows([row(0, True, [], expected='["3"]')])


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.toml")))
def test_every_policy_loads_by_name_and_says_what_it_is_for(name: str) -> None:
    policy = load_policy(name)
    assert policy.name == name
    assert policy.description
    assert policy.improve_one_of


def test_the_papers_floors_are_the_papers_figures() -> None:
    floors = load_policy("paper").floors
    assert floors == {"reval/coverage": 0.944, "reval/state": 0.823, "reval/path": 0.631, "reval/output": 0.918}


def test_the_tiny_policy_promotes_a_middling_first_model_and_rejects_garbage() -> None:
    policy = load_policy("tiny")
    assert decide(evidence(0.35, num=200, step=0.9), None, policy).verdict == "promote"
    assert decide(evidence(0.0, num=200), None, policy).verdict == "reject"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("floor = 1", "no key 'floor'"),
        ("min_items = 'ten'", "min_items can't be 'ten'"),
        ("min_items = true", "min_items can't be True"),
        ("level = 2.0", "level is 2.0"),
        ("[floors]\n'held_out/output' = 44", "share between 0 and 1"),
        ("no_regression = ['output']", "no metric 'output'"),
        ("no_regression = ['held_out/output/speed']", "no metric"),
        ("[max_wrong_logic]\n'held_out/output/step' = 0.1", "benchmark/task"),
        ("= 1", "is no TOML"),
    ],
)
def test_a_policy_that_says_nonsense_is_refused_with_its_reason(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=message.replace("'", ".")):
        load_policy(path)


def test_an_unknown_policy_names_the_known_ones() -> None:
    with pytest.raises(PolicyError, match="paper, standard, tiny"):
        load_policy("lenient")
