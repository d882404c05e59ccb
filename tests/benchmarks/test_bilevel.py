"""The comparison of credit rules: its figures by hand, and the whole of it at its smallest."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.bilevel import ARMS, BEYOND, OPTIONS, OWN_ARMS, RECIPE, arm_changes, best_rate
from benchmarks.bilevel_figures import Answers, as_json, figures, page, tables
from tests.benchmarks.running import run_python
from tests.flows.jobs import BENCHMARKS
from training.config import load_recipe


def row(item: str, steps: list[bool], final: bool, decoding: str = "greedy, at most 9 tokens") -> dict[str, Any]:
    return {
        "item_id": item,
        "benchmark": "held_out",
        "cluster": item[0],
        "decoding": decoding,
        "num_states": len(steps),
        "step_correct": steps,
        "final_correct": final,
        "faults": [] if final else ["missing_answer"],
        "token_count": 10 * len(steps),
    }


SEED_A = [row("a1", [True, True], True), row("b1", [True, False, False], True), row("c1", [False], False)]
SEED_B = [row("a1", [True, False], True), row("b1", [True, True, True], True), row("c1", [True], True)]
WORSE = [row("a1", [False, False], False), row("b1", [False] * 3, False), row("c1", [False], False)]


def test_answers_are_counted_per_seed_and_item() -> None:
    found = Answers.of([SEED_A, SEED_B])
    greedy = found.by_decoding["greedy"]
    assert greedy.values["final"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert greedy.values["all correct"].tolist() == [[1, 0, 0], [0, 1, 1]]
    assert greedy.values["wrong logic"].tolist() == [[0, 1, 0], [1, 0, 0]]
    assert greedy.states.tolist() == [2, 3, 1]
    value_SI, weight_SI, clusters = found.part("greedy", "step", (1, 2))
    assert (weight_SI.tolist(), clusters) == ([[2, 1], [2, 1]], ["a", "c"])
    assert np.allclose(value_SI, [[1, 0], [0.5, 1]])


def test_samples_of_an_item_are_averaged() -> None:
    drawn = [with_decoding(one, "2 samples") for one in (SEED_A[0], WORSE[0])]
    found = Answers.of([[*SEED_A, *drawn, *[with_decoding(one, "2 samples") for one in SEED_A[1:]]]])
    assert found.by_decoding["sampled"].values["final"].tolist() == [[0.5, 1, 0]]


def test_benchmarks_stand_beside_held_out_programs() -> None:
    rows = [*SEED_A, {**row("x1", [True], True), "benchmark": "cruxeval"}]
    found = Answers.of([rows, rows])
    assert found.by_decoding["cruxeval, greedy"].values["final"].tolist() == [[1], [1]]
    assert found.by_decoding["greedy"].values["gap"].tolist() == [[0, 1 - 1 / 3, 0]] * 2


def with_decoding(one: dict[str, Any], decoding: str) -> dict[str, Any]:
    return {**one, "decoding": decoding}


def test_models_that_were_asked_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        Answers.of([SEED_A, SEED_B[:2]])


def test_arms_are_compared_with_the_first_seed_by_seed() -> None:
    rows = [{"update": 1, "step_reward": 0.2, "generated_tokens": 7}, {"update": 2, "step_reward": 0.4}]
    curve = [rows, [rows[0], {**rows[1], "step_reward": 0.8}]]
    found = figures(
        Answers.of([WORSE]),
        {"terminal": Answers.of([WORSE, SEED_A]), "bilevel": Answers.of([SEED_A, SEED_B])},
        {"terminal": curve, "bilevel": curve},
        {"terminal": 1e-4, "bilevel": 2e-4},
        tuned=True,
    )
    [final] = [
        one
        for one in found.figures
        if (one.arm, one.decoding, one.measure, one.band) == ("bilevel", "greedy", "final", "all")
    ]
    assert final.value.mean == pytest.approx(5 / 6)
    assert list(final.changes) == ["start", "terminal"]
    assert final.changes["start"].mean == pytest.approx(5 / 6), "each seed's model beside the one start"
    assert final.changes["terminal"].mean == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert found.curves["bilevel"]["step_reward"] == [(1.0, (0.2, 0.2, 0.2)), (2.0, (pytest.approx(0.6), 0.4, 0.8))]
    assert json.loads(json.dumps(as_json(found)))["num_seeds"] == 2
    assert found.ends["bilevel"]["step_reward"] == (pytest.approx(0.6), 0.4, 0.8), "the last quarter of the updates"
    assert found.ends["bilevel"]["generated tokens"] == (7, 7, 7)
    assert len(tables(found)) == 2
    html = page(found)
    assert "chosen on other programs: terminal 0.0001, bilevel 0.0002" in html
    assert "mean and range of the seeds" in html and 'class="band' in html
    many = dataclasses.replace(found, tuned=False, curves={str(arm): found.curves["bilevel"] for arm in range(5)})
    assert 'class="band' not in page(many) and "not tuned" in page(many), "five bands would hide one another"


def test_arms_are_modes_with_options() -> None:
    assert arm_changes("own_state") == {"rl.mode": "own_state"}
    assert arm_changes("step+step_mean+no_gate") == {"rl.mode": "step", "rl.step_mean": True, "rl.format_gate": False}
    with pytest.raises(ValueError, match="no option lambda"):
        arm_changes("step+lambda")
    for arm in (*ARMS, *OWN_ARMS, *(f"bilevel+{option}" for option in OPTIONS)):
        load_recipe(str(RECIPE), arm_changes(arm))


@pytest.mark.parametrize(
    ("grid", "peak", "best", "asked"),
    [
        ([1.0, 2.0, 4.0], 2.0, 2.0, []),
        ([1.0, 2.0, 4.0], 1.0, 1.0, [0.5]),
        ([1.0, 2.0, 4.0], 0.25, 0.25, [0.5, 0.25, 0.125]),
        ([1.0, 3.0], 9.0, 9.0, [9.0, 27.0]),
        ([1.0, 2.0], 1e9, 2.0 ** (BEYOND + 1), [4.0, 8.0, 16.0]),
        ([1.0], 8.0, 1.0, []),
    ],
)
def test_a_best_learning_rate_at_the_end_of_its_grid_has_more_tried_beyond_it(
    grid: list[float], peak: float, best: float, asked: list[float]
) -> None:
    seen: list[float] = []

    def reward(rate: float) -> float:
        seen.append(rate)
        return -abs(rate - peak)

    assert best_rate({rate: -abs(rate - peak) for rate in grid}, reward) == best
    assert seen == asked


@pytest.mark.slow
def test_the_whole_comparison_runs_and_is_found_again(tmp_path: Path, prefect_api: str) -> None:
    code = (
        "import dataclasses; from benchmarks import bilevel; size = bilevel.SIZES['quick'];"
        "bilevel.SIZES['quick'] = dataclasses.replace("
        "size, test_programs=10, benchmarks=('cruxeval',)); bilevel.main()"
    )
    given = ["--arms", "terminal,bilevel", "--seeds", "1", "--home", str(tmp_path / "home")]

    def run() -> str:
        run_python("-c", code, *given, STEPCODE_BENCHMARKS=str(BENCHMARKS), PREFECT_API_URL=prefect_api)
        return (tmp_path / "home" / "reports" / "bilevel.json").read_text("utf-8")

    first = run()
    found = json.loads(first)
    assert {one["arm"] for one in found["figures"]} == {"start", "terminal", "bilevel"}
    assert {one["decoding"] for one in found["figures"]} == {"greedy", "sampled", "cruxeval, greedy"}
    assert (found["num_seeds"], found["num_items"]) == (1, 10)
    before = sorted((tmp_path / "home" / "artifacts").rglob("*"))
    assert run() == first
    assert sorted((tmp_path / "home" / "artifacts").rglob("*")) == before, "nothing was trained or asked again"
