"""What rows tell about answers and steps, on rows written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.tells import Tells, echoed_share, folded, other_traces, tells, value_of

PROMPT = "<task:output>\ndef f(a):\n    x = a + 1\n    print(f'x: {x}')\n    x = 7\n    return x\nf(3)\n"


def row(item: str, cluster: str, true: list[str], said: list[str]) -> dict[str, Any]:
    return {"item_id": item, "cluster": cluster, "states_true": true, "states_predicted": said, "prompt": PROMPT}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", " 1 "),
        ("1", "1.0"),
        ("1", "True"),
        ("1", "(1)"),
        ("0.5", "0.50000001"),
        ("'a'", '"a"'),
        ("'Yes sir'", "'yes   sir'"),
        ("[1, 2]", "[1,2]"),
        ("[1, 2]", "[1.0, 2]"),
        ("{'a': 1, 'b': 2}", "{'b': 2.0, 'a': 1}"),
        ("YES", "yes"),
        ("4; int", "4.0 ;  int"),
        ("-1", " -1"),
        ("no literal  here", "No literal here"),
    ],
)
def test_answers_that_say_the_same_fold_into_one(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "2"), ("1", "'1'"), ("[1]", "(1,)"), ("0.5", "0.51"), ("4; int", "4; str"), ("YES", "NO"), ("{1}", "[1]")],
)
def test_answers_that_say_different_things_stay_apart(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize("answer", ["1e999", "nan", "-1e999", "9" * 5000, "[" * 3000, "b'x'", "None", "1j", "", ";"])
def test_any_text_folds(answer: str) -> None:
    assert isinstance(folded(answer), str)


@pytest.mark.parametrize(
    "said",
    ["x: {x}", "x: {x!r}", "x: x", "print(f'x: {x}')", "f'x: {x}'", "x: a + 1", "x = a + 1", "return x"],
)
def test_writing_the_program_in_place_of_a_value_is_an_echo(said: str) -> None:
    assert echoed_share([said], ["x: 4"], PROMPT) == 1.0


@pytest.mark.parametrize("said", ["x: 4", "x: 5", "x: 7", "x: 'a'", "y: 4", "x: {4}", "x:", "", "nonsense"])
def test_values_right_or_wrong_are_no_echo(said: str) -> None:
    # `x = 7` stands in the program: 7 is a value all the same, and `{4}` is a set
    assert echoed_share([said], ["x: 4"], PROMPT) == 0.0


def test_a_value_that_looks_like_its_template_is_right_where_it_is_the_truth() -> None:
    assert echoed_share(["x: {x}"], ["x: {x}"], PROMPT) == 0.0


def test_the_text_of_the_step_before_is_an_echo_only_where_the_truth_moved_on() -> None:
    moved = ["x: 4", "x: 5", "x: 6"]
    assert echoed_share(["x: 4", "x: 4", "x: 4"], moved, PROMPT) == pytest.approx(2 / 3)
    assert echoed_share(["x: 3", "x: 3"], ["x: 4", "x: 4"], PROMPT) == 0.0, "wrong, and the truth stayed as well"
    assert echoed_share(["x: 5", "x: 5"], moved, PROMPT) == 0.0, "the second step is right"


def test_steps_without_a_true_state_are_not_judged() -> None:
    assert echoed_share(["x: 4", "x: {x}"], ["x: 4"], PROMPT) == 0.0
    assert echoed_share([], ["x: 4"], PROMPT) is None
    assert echoed_share(["x: {x}"], [], PROMPT) is None


@pytest.mark.parametrize(("state", "value"), [("x: 4", "4"), ("x: a: b", "a: b"), ("nothing", "nothing"), ("x:", "")])
def test_the_value_of_a_state_is_what_follows_the_first_colon(state: str, value: str) -> None:
    assert value_of(state) == value


def test_each_row_is_held_against_another_program_with_as_many_states() -> None:
    rows = [
        row(f"{program}/{call}", f"p{program}", [f"x: {program}"] * size, ["x: 0"])
        for program in range(9)
        for call, size in enumerate((1, 2, 2))
    ]
    others = other_traces(rows, seed=0)
    for one, other in zip(rows, others, strict=True):
        assert other is not None
        assert len(other) == len(one["states_true"])
        assert other != one["states_true"], "the states of each program are its own"
    taken = [tuple(other) for one, other in zip(rows, others, strict=True) if len(one["states_true"]) == 1 and other]
    assert len(set(taken)) == 9, "a derangement: each trace is taken once"
    assert others == other_traces(rows, seed=0)
    assert others != other_traces(rows, seed=1)
    assert others == other_traces(rows[::-1], seed=0)[::-1], "the order of the rows has no say"


def test_rows_of_a_single_program_have_no_other_to_be_held_against() -> None:
    rows = [row(str(call), "p", [f"x: {call}"], ["x: 0"]) for call in range(5)]
    assert other_traces(rows, seed=0) == [None] * 5
    assert tells(rows) == (Tells(echoed=0.0),) * 5


def test_fit_is_by_value_where_the_two_traces_differ() -> None:
    rows = [
        row("a", "p", ["i: 1", "j: 2", "k: [1, 2]"], ["i: 1", "j: 9", "k: [1,2]"]),
        row("b", "q", ["u: 1", "v: 9", "w: 8"], ["u: 5", "v: 2"]),
    ]
    # the first place tells nothing: 1 both times. a: j is wrong and 9 is q's, k is right; b: v is p's 2, w is missing
    first, second = tells(rows)
    assert (first.own, first.other) == (0.5, 0.5)
    assert (second.own, second.other) == (0.0, 0.5)


def test_equal_traces_and_rows_without_states_tell_nothing() -> None:
    same = [row(name, name, ["x: 1"], ["x: 1"]) for name in "ab"]
    assert {(one.own, one.other) for one in tells(same)} == {(None, None)}
    bare: dict[str, Any] = {"item_id": "c", "cluster": "c"}
    assert tells([bare]) == (Tells(),)
