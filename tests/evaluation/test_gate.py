"""The gate on evidence made for each rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.gate import Decision, Evidence, Policy, PolicyError, Scores, decide, evidence_from_rows, load_policy
from evaluation.policy import FOLDER, SENTINELS
from evaluation.tells import Tells

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
        tells=(Tells(echoed=0.0, own=1.0, other=0.0),) * num,
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


@pytest.mark.parametrize("key", ["floors", *SENTINELS])
def test_a_benchmark_that_the_policy_names_and_nobody_evaluated_holds_and_says_what_to_set(key: str) -> None:
    asked: dict[str, Any] = {key: {"reval/output": 0.1}}
    decision = decide(evidence(0.9), None, Policy("test", min_items=50, min_programs=10, **asked))
    assert decision.verdict == "hold"
    (reason,) = decision.reasons
    assert (reason.rule, reason.metric) == ("missing", "reval/output")
    assert "was not evaluated: set STEPCODE_BENCHMARKS to a folder that has reval" in reason.text


@pytest.mark.parametrize("key", ["no_regression", "improve_one_of", "floors_above_constant"])
@pytest.mark.parametrize("with_champion", [True, False])
def test_a_missing_benchmark_is_missed_beside_a_gain_and_without_a_champion(key: str, with_champion: bool) -> None:
    asked: dict[str, Any] = {"improve_one_of": ("held_out/output",)}
    asked[key] = (*asked.get(key, ()), "cruxeval/input/official")
    policy = Policy("test", min_items=50, min_programs=10, **asked)
    champion = {**evidence(0.3), ("cruxeval", "input"): scores(0.5)} if with_champion else None
    decision = decide(evidence(0.9), champion, policy)
    assert decision.verdict == "hold"
    assert [(reason.rule, reason.metric) for reason in decision.reasons] == [("missing", "cruxeval/input")]


def test_a_held_out_task_that_is_missing_is_mended_in_the_recipe() -> None:
    policy = Policy("test", min_items=50, min_programs=10, no_regression=("held_out/path",))
    assert 'add "path" to evaluation.tasks' in decide(evidence(0.9), None, policy).reasons[0].text


def test_a_benchmark_of_which_nothing_could_be_judged_is_not_called_missing_from_the_folder() -> None:
    none = Scores((), (), (), (), (), num_not_judged=70)
    decision = decide({KEY: none}, None, FLOOR)
    assert "none of its 70 answers could be judged" in decision.reasons[0].text


OFFICIAL = Policy("test", min_items=50, min_programs=10, floors={"held_out/output/official": 0.5})


def with_official(base: Scores, official: tuple[float | None, ...]) -> Evidence:
    return {KEY: replace(base, official=official)}


def test_the_official_verdict_and_the_strict_one_are_held_against_their_own_floors() -> None:
    strict_only = Policy("test", min_items=50, min_programs=10, floors={"held_out/output": 0.5})
    lenient = with_official(scores(0.1), (1.0,) * 400)
    assert decide(lenient, None, OFFICIAL).verdict == "promote"
    assert decide(lenient, None, strict_only).verdict == "reject"
    assert decide(with_official(scores(0.9), (0.0,) * 400), None, OFFICIAL).verdict == "reject"


def test_items_without_an_official_verdict_are_not_judged_and_many_of_them_hold() -> None:
    few = with_official(scores(0.1), (None,) * 4 + (1.0,) * 396)
    decision = decide(few, None, OFFICIAL)
    assert decision.verdict == "promote"
    assert next(check for check in decision.checks if check.rule == "floor").evidence["num_items"] == 396
    many = decide(with_official(scores(0.1), (None,) * 40 + (1.0,) * 360), None, OFFICIAL)
    assert (many.verdict, rules(many)) == ("hold", {"not_judged"})


def test_rows_of_before_official_verdicts_are_missing_them() -> None:
    rows = [row(place, True, []) for place in range(100)]
    decision = decide(evidence_from_rows(rows), None, OFFICIAL)
    assert (decision.verdict, rules(decision)) == ("hold", {"missing"})
    assert "no official verdicts" in decision.reasons[0].text
    told = [row(place, True, [], official_correct=place % 4 > 0) for place in range(100)]
    assert evidence_from_rows(told)[KEY].measure("official")["1"] == (1.0, "1")
    assert decide(evidence_from_rows(told), None, OFFICIAL).verdict == "promote"


def test_an_official_gain_is_a_gain() -> None:
    policy = Policy("test", min_items=50, min_programs=10, improve_one_of=("held_out/output/official",))
    better, worse = with_official(scores(0.5), (1.0,) * 400), with_official(scores(0.5), (0.0, 1.0) * 200)
    assert decide(better, worse, policy).verdict == "promote"
    assert decide(worse, worse, policy).verdict == "hold"


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


def test_the_papers_floors_are_the_papers_figures_by_the_published_scorer() -> None:
    policy = load_policy("paper")
    published = {"coverage": 0.944, "state": 0.823, "path": 0.631, "output": 0.918}
    assert policy.floors == {f"reval/{task}/official": floor for task, floor in published.items()}
    assert {f"reval/{task}" for task in published} < set(policy.no_regression), "strict"


@pytest.mark.parametrize(
    ("task", "answer", "truth"), [("coverage", "YES", 0.537), ("state", "Nil", 0.502), ("path", "-1", 0.587)]
)
def test_the_paper_policy_finds_constants_on_reval(task: str, answer: str, truth: float) -> None:
    num, like_truth = 3000, round(3000 * truth)
    always = replace(
        scores(0.99, num=num),
        answers=(answer,) * num,
        expected=((answer,),) * like_truth + tuple((f"line {place}",) for place in range(num - like_truth)),
    )
    decision = decide({("reval", task): always}, None, load_policy("paper"))
    (found,) = [
        check for check in decision.checks if (check.rule, check.metric) == ("constant_excess", f"reval/{task}")
    ]
    assert found.verdict == "reject"
    assert found.evidence["mean"] == pytest.approx(1 - truth, abs=0.001)


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
        ("[max_echoed]\n'held_out/output/official' = 0.1", "benchmark/task"),
        ("[max_shuffled_share]\n'held_out/output' = 3", "share between 0 and 1"),
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
