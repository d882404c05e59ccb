"""Completions: each rule of the published scorers on one answer, and agreement with their verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.scorers.completions import OFFICIAL_LIMITS, Completion, Scored, score_row
from evaluation.scorers.judgement import mean_pass_at_k, pass_at_k
from execution.sandbox import Sandbox, open_sandbox

ROW = Completion("def f(n):\n    while n > 99:\n        pass\n    return [n]\n", "f", "f(3)", "[3]")


@pytest.fixture(scope="module")
def jail() -> Iterator[Sandbox]:
    with open_sandbox("bubblewrap", limits=replace(OFFICIAL_LIMITS, cpu_s=0.3)) as sandbox:
        yield sandbox


def verdicts(scored: Scored) -> list[bool | None]:
    return [one.correct for one in scored.judgements]


@pytest.mark.parametrize(
    ("answer", "official", "strict"),
    [
        ("[3]", True, True),
        (" [3] # a list", True, True),
        ("[3.0]", True, False),  # == does not tell types apart
        ("[True + 2]", True, False),
        ("1 or True", True, False),  # pasted without parentheses
        ("[4], 'a message'", False, False),
        ("[3], 'a message'", True, False),
        ("f( 3)", True, False),
        ("f(3)", None, False),
        ("type('A', (), {'__eq__': lambda *given: True})()", True, False),
        ("[3]\nimport os", True, False),
        ("[3", False, False),
        ("undefined", False, False),
        ("exit()", False, False),
        ("f(100)", False, False),  # never ends
        ("__import__('os')._exit(0)", False, False),
    ],
)
def test_output_answers(jail: Sandbox, answer: str, official: bool | None, strict: bool) -> None:
    assert verdicts(score_row(ROW, [answer], "output", "official", jail)) == [official]
    assert verdicts(score_row(ROW, [answer], "output", "strict", jail)) == [strict]


@pytest.mark.parametrize(
    ("answer", "official", "strict"),
    [
        ("f(3)", True, True),
        ("f(n=3)", True, True),
        ("3", None, True),
        ("f(4)", False, False),
        ("f(*[3])", True, False),
        ("f(1 + 2)", True, False),
        ("f(3) and [3]", True, False),
        ("f('')", False, False),
        ("f(100)", False, False),
        ("f(3.0)", True, False),
    ],
)
def test_input_answers(jail: Sandbox, answer: str, official: bool | None, strict: bool) -> None:
    assert verdicts(score_row(ROW, [answer], "input", "official", jail)) == [official]
    assert verdicts(score_row(ROW, [answer], "input", "strict", jail)) == [strict]


def test_sleeping_past_the_alarm_is_wrong(jail: Sandbox) -> None:
    [one] = score_row(ROW, ["__import__('time').sleep(3.2) or [3]"], "output", "official", jail).judgements
    assert (one.correct, one.reason) == (False, "timeout")


def test_answers_that_the_official_rule_skips_leave_n_unless_none_passed(jail: Sandbox) -> None:
    scored = score_row(ROW, ["[3]", "f(3)", "[4]"], "output", "official", jail)
    assert (scored.results, scored.pass_at(1)) == ((True, False), 0.5)
    scored = score_row(ROW, ["f(3)", "[4]"], "output", "official", jail)
    assert scored.results == (False, False)


def test_livecodebench_counts_skipped_answers_only_where_all_were_skipped(jail: Sandbox) -> None:
    row = Completion(ROW.source, "f", "f(3)", "[3]", failed_when_none_passed=False)
    assert score_row(row, ["f(3)", "[4]"], "output", "official", jail).results == (False,)
    assert score_row(row, ["f(3)", "f(3) # x"], "output", "official", jail).results == (False, False)


def test_strict_counts_every_answer(jail: Sandbox) -> None:
    scored = score_row(ROW, ["[3]", "f(3)", "[4]", "nonsense"], "output", "strict", jail)
    assert scored.pass_at(1) == 0.25


def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_answer() -> None:
    # Of the 6 pairs of 4 answers with 2 right ones, one pair is wholly wrong.
    assert pass_at_k(4, 2, 2) == pytest.approx(5 / 6)
    assert pass_at_k(1, 0, 5) == 1.0  # the published code's answer where fewer than k are wrong
    assert mean_pass_at_k([(4, 2), (4, 0)], 2) == pytest.approx(5 / 12)


@pytest.mark.parametrize("direction", ["output", "input"])
def test_every_verdict_of_the_official_cruxeval_scorer_is_reproduced(
    benchmarks: Path, jail: Sandbox, direction: str
) -> None:
    rows = {row["id"]: row for row in read(benchmarks / "cruxeval" / "dev.jsonl")}
    differing = []
    for said in read(benchmarks / "reference" / f"cruxeval_{direction}.jsonl"):
        row = rows[said["id"]]
        asked = Completion(row["code"], "f", f"f({row['input']})", row["output"])
        # One that sleeps or never ends is enough; all of them are judged by `stepcode score`.
        slow = [g for g, intent in zip(said["generations"], said["intent"], strict=True) if intent == "loop"]
        kept = [place for place, g in enumerate(said["generations"]) if g not in slow]
        scored = score_row(asked, [said["generations"][place] for place in kept], direction, "official", jail)  # type: ignore[arg-type]
        if verdicts(scored) != [said["verdict_per_generation"][place] for place in kept]:
            differing.append(said["id"])
        if len(kept) == len(said["generations"]):
            assert (scored.pass_at(1), scored.pass_at(5)) == (said["pass_at_1"], said["pass_at_5"])
    assert differing == []


def test_the_published_generations_for_outputs_have_their_published_verdicts(benchmarks: Path, jail: Sandbox) -> None:
    rows = {row["id"]: row for row in read(benchmarks / "cruxeval" / "dev.jsonl")}
    published = json.loads((benchmarks / "reference" / "cruxeval_codellama7b_output.json").read_text("utf-8"))
    for name, generations in published["raw_generations"].items():
        row = rows[name]
        asked = Completion(row["code"], "f", f"f({row['input']})", row["output"])
        scored = score_row(asked, generations, "output", "official", jail)
        assert list(scored.results) == published["raw_scored_generations"][name], name


def read(path: Path) -> Iterator[dict]:  # type: ignore[type-arg]
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
