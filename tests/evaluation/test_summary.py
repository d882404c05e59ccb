"""Figures of an evaluation, worked by hand on a few rows."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.baselines import best_constant, constant_baselines
from evaluation.summary import summarise


def row(program: str, final: bool | None, steps: list[bool | None], **changes: Any) -> dict[str, Any]:
    return {
        "benchmark": "held_out",
        "task": "output",
        "cluster": program,
        "final_correct": final,
        "judged": final is not None,
        "step_correct": steps,
        "expected": ["1"],
        "reason": "right" if final else "wrong",
        "faults": [],
        "truncated": False,
        "left_out": False,
        "covered": None,
        **changes,
    }


def test_step_final_gap_and_wrong_logic() -> None:
    [summary] = summarise(
        [
            row("a", True, [True, True]),
            row("a", True, [False, True, True]),  # right by a wrong step
            row("b", False, [True, False]),
            row("b", False, [False], reason="missing_answer", faults=["missing_answer"], truncated=True),
            row("c", None, [], reason="sandbox_failed"),
            row("c", None, [], reason="too_many_states", left_out=True),
        ]
    )
    assert summary.final.mean == 0.5
    assert summary.step is not None
    assert summary.step.mean == 5 / 8
    assert summary.step.num_items == 8
    assert summary.gap is not None
    assert summary.gap.mean == pytest.approx(0.5 - 5 / 8)
    assert summary.all_correct is not None
    assert summary.all_correct.mean == 0.25
    assert summary.wrong_logic is not None
    assert summary.wrong_logic.mean == 0.25
    assert summary.wrong_logic_of_right == 0.5
    assert (summary.num_rows, summary.num_judged, summary.num_left_out, summary.num_not_judged) == (6, 4, 1, 1)
    assert (summary.num_extraction_failures, summary.num_truncated, summary.num_faulty) == (1, 1, 1)
    assert summary.num_programs == 2


def test_steps_that_could_not_be_judged_stay_out_of_step_figures() -> None:
    [summary] = summarise([row("a", True, [None, None]), row("b", True, [True, None])])
    assert summary.final.mean == 1.0
    assert summary.step is not None
    assert (summary.step.mean, summary.step.num_items) == (1.0, 1)


def test_questions_have_no_steps_and_are_also_told_for_executed_lines_alone() -> None:
    rows = [
        row("a", True, [], task="path", expected=["-1"], covered=False),
        row("b", True, [], task="path", expected=["-1"], covered=False),
        row("c", False, [], task="path", expected=["x = 1", "y = 2"], covered=True),
        row("d", True, [], task="path", expected=["-1", "x = 1"], covered=True),
    ]
    [summary] = summarise(rows)
    assert summary.step is summary.gap is summary.wrong_logic is None
    assert summary.covered is not None
    assert summary.covered.mean == 0.5
    assert summary.baselines == {"-1": 0.75}
    assert summary.above_chance == 0.0


def test_summaries_come_in_the_order_of_the_benchmarks_and_of_the_tasks() -> None:
    rows = [
        row("a", True, [], benchmark=name, task=task)
        for name in ("held_out", "cruxeval")
        for task in ("path", "output")
    ]
    keys = [(summary.benchmark, summary.task) for summary in summarise(rows)]
    assert keys == [("held_out", "output"), ("held_out", "path"), ("cruxeval", "output"), ("cruxeval", "path")]


def test_a_task_that_was_never_judged_has_no_figures_but_its_counts() -> None:
    [summary] = summarise([row("a", None, [], reason="sandbox_failed")])
    assert summary.num_judged == 0
    assert summary.final.mean != summary.final.mean  # nan
    assert summary.above_chance is None


def test_constants_of_each_task() -> None:
    assert constant_baselines("coverage", [["YES"], ["YES"], ["NO"]]) == {"YES": 2 / 3, "NO": 1 / 3}
    assert constant_baselines("state", [["Nil"], ["3; int", "4; int"], ["3; int"]]) == {"Nil": 1 / 3, "3; int": 2 / 3}
    assert constant_baselines("output", [["1"], ["1"], ["2"]]) == {"1": 2 / 3}
    assert constant_baselines("input", [[], []]) == {}
    assert best_constant("coverage", [["YES"], ["NO"], ["NO"]]) == 2 / 3
    assert best_constant("input", [[]]) == 0.0
