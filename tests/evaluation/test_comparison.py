"""Two models compared on rows written by hand, with figures worked out beside them."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.comparison import compare_rows

STEPS = {"right": [True, True], "half": [True, False], "none": []}


def row(item: int, final: bool, steps: str = "none", **changes: Any) -> dict[str, Any]:
    base = {
        "item_id": f"held_out/{item}/output",
        "cluster": f"program-{item // 2}",
        "benchmark": "held_out",
        "task": "output",
        "prompt": f"f({item})",
        "judged": True,
        "final_correct": final,
        "step_correct": STEPS[steps],
        "expected": [str(item)],
        "num_states": len(STEPS[steps]),
    }
    return {**base, **changes}


def test_the_table_is_paired_by_item_and_its_differences_are_b_minus_a() -> None:
    a = [row(0, True, "right"), row(1, True, "half"), row(2, False, "half"), row(3, False, "half")]
    b = [row(0, True, "right"), row(1, False, "right"), row(2, True, "right"), row(3, True, "right")]
    (task,), without = compare_rows(a, b[::-1])
    assert without == {}
    assert (task.name, task.num_items, task.num_programs, task.num_with_steps) == ("held_out/output", 4, 2, 4)
    assert (task.final.a.mean, task.final.b.mean, task.final.difference.mean) == (0.5, 0.75, 0.25)
    assert (task.only_a_right, task.only_b_right) == (1, 2)
    assert task.step and task.all_correct and task.gap and task.wrong_logic
    assert (task.step.a.mean, task.step.b.mean, task.step.difference.mean) == (0.625, 1.0, 0.375)
    assert (task.all_correct.a.mean, task.all_correct.b.mean) == (0.25, 0.75)
    assert (task.gap.a.mean, task.gap.b.mean) == (-0.125, -0.25)
    assert (task.wrong_logic.a.mean, task.wrong_logic.b.mean) == (0.25, 0.0)


def test_the_interval_is_clustered_by_program() -> None:
    """Ten items of one program gain together: one program's word, however many items it has."""
    a = [row(n, False, cluster="big" if n < 10 else f"p{n}") for n in range(14)]
    b = [row(n, n < 10, cluster="big" if n < 10 else f"p{n}") for n in range(14)]
    (task,), _ = compare_rows(a, b)
    assert task.final.difference.mean == pytest.approx(10 / 14)
    assert task.final.difference.low == 0.0, "a resample without the big program gains nothing"
    apart = [{**one, "cluster": one["item_id"]} for one in a], [{**one, "cluster": one["item_id"]} for one in b]
    (each,), _ = compare_rows(*apart)
    assert each.final.difference.low > 0.3


def test_what_is_not_paired_is_counted_by_its_reason() -> None:
    a = [row(0, True), row(1, True), row(2, True), row(3, True, judged=False, final_correct=None), row(4, True)]
    b = [row(0, False), row(2, True, expected=["other"]), row(3, True), row(4, True, cluster="elsewhere"), row(5, True)]
    (task,), _ = compare_rows(a, b)
    assert task.num_items == 1
    assert vars(task.unpaired) == {"only_a": 1, "only_b": 1, "not_judged": 1, "other_question": 2}
    assert task.unpaired.total == 5


def test_a_task_without_common_items_is_named_with_its_reasons() -> None:
    other = [row(9, True, benchmark="cruxeval")]
    tasks, without = compare_rows([row(0, True), *other], [row(0, True), row(1, True, task="input")])
    assert [task.name for task in tasks] == ["held_out/output"]
    assert {name: (one.only_a, one.only_b) for name, one in without.items()} == {
        "cruxeval/output": (1, 0),
        "held_out/input": (0, 1),
    }
    assert compare_rows([row(0, True)], [])[0] == ()


def test_answers_to_other_wordings_are_compared_and_counted() -> None:
    (task,), _ = compare_rows([row(0, True), row(1, True)], [row(0, True, prompt="Please"), row(1, True)])
    assert (task.num_items, task.other_prompts) == (2, 1)


def test_the_official_verdict_is_compared_where_both_have_one() -> None:
    a = [row(n, False, official_correct=value) for n, value in enumerate([True, False, None, False])]
    b = [row(n, False, official_correct=value) for n, value in enumerate([True, True, True, None])]
    (task,), _ = compare_rows(a, b)
    assert task.official is not None
    assert (task.official.a.mean, task.official.b.mean, task.official.difference.num_items) == (0.5, 1.0, 2)
    assert task.final.difference.mean == 0.0
    (old,), _ = compare_rows([row(0, True)], b)
    assert old.official is None


def test_without_steps_there_are_no_figures_of_steps() -> None:
    (task,), _ = compare_rows([row(0, True), row(1, True, "half")], [row(0, True, "right"), row(1, True)])
    assert task.num_with_steps == 0
    assert (task.step, task.all_correct, task.gap, task.wrong_logic) == (None,) * 4


def test_a_step_that_could_not_be_judged_leaves_the_others() -> None:
    (task,), _ = compare_rows([row(0, True, step_correct=[True, None, False])], [row(0, True, "right")])
    assert task.step is not None
    assert (task.step.a.mean, task.step.b.mean) == (0.5, 1.0)


def test_final_answers_are_grouped_by_the_number_of_states_that_both_saw() -> None:
    states = [1, 1, 4, 8, 10, 0, 2]
    a = [row(n, n < 4, num_states=count) for n, count in enumerate(states)]
    b = [row(n, True, num_states=count if n < 6 else 3) for n, count in enumerate(states)]
    (task,), _ = compare_rows(a, b)
    shown = [(one.first, one.last, one.mean_states, one.a.mean, one.b.mean, one.a.num_items) for one in task.groups]
    assert shown == [(1, 1, 1.0, 1.0, 1.0, 2), (4, 4, 4.0, 1.0, 1.0, 1), (8, 10, 9.0, 0.5, 1.0, 2)]
