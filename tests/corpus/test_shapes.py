"""Shapes: bounds worked by hand."""

from __future__ import annotations

import pytest

from corpus.expressions import binary, constant, name
from corpus.shapes import Shape, Unsafe, arithmetic, hull, number, text
from corpus.statements import Branch, Env, Limits, Line, Loop, assign, follow, written

LIMITS = Limits(number=99, length=8)


@pytest.mark.parametrize(
    ("sign", "left", "right", "expected"),
    [
        ("+", (0, 9), (1, 2), (1, 11)),
        ("-", (0, 9), (1, 2), (-2, 8)),
        ("*", (-3, 2), (-1, 4), (-12, 8)),
        ("//", (-7, 9), (2, 2), (-4, 4)),
        ("%", (0, 9), (4, 4), (0, 3)),
        ("%", (-5, 9), (4, 4), (0, 3)),
        ("%", (0, 1), (4, 4), (0, 1)),
    ],
)
def test_bounds_of_arithmetic(
    sign: str, left: tuple[int, int], right: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert arithmetic(sign, number(*left), number(*right)) == number(*expected)


def test_division_by_what_may_be_zero_is_unsafe() -> None:
    with pytest.raises(Unsafe):
        arithmetic("//", number(1, 5), number(0, 3))


def test_a_hull_holds_both_and_one_type_only() -> None:
    assert hull([text(2, 4), text(0, 3)]) == text(0, 4)
    with pytest.raises(Unsafe):
        hull([number(0, 1), text(0, 1)])


def added(step: int) -> Line:
    return assign("a", binary("+", name("a"), constant(step)))


def test_a_branch_joins_its_arms_and_the_way_around_it() -> None:
    env: Env = {"a": number(1, 1)}
    follow([Branch((("if x:", (added(5),)),))], env, LIMITS)
    assert env == {"a": number(1, 6)}
    env = {"a": number(1, 1)}
    follow([Branch((("if x:", (added(5),)), ("else:", (added(2),))))], env, LIMITS)
    assert env == {"a": number(3, 6)}


def test_a_name_that_only_one_arm_binds_is_unbound_after_it() -> None:
    env: Env = {}
    follow([Branch((("if x:", (assign("b", constant(1)),)), ("else:", ())))], env, LIMITS)
    assert env == {}


def test_a_loop_may_run_from_no_round_to_all() -> None:
    env: Env = {"a": number(1, 1)}
    follow([Loop("for i in range(4):", (added(3),), 4)], env, LIMITS)
    assert env == {"a": number(1, 13)}


def test_a_loop_that_outgrows_the_limits_is_unsafe() -> None:
    with pytest.raises(Unsafe):
        follow([Loop("while True:", (added(3),), 40)], {"a": number(1, 1)}, LIMITS)


def test_growth_that_is_not_steady_is_followed_round_by_round() -> None:
    env: Env = {"a": number(1, 1)}
    doubled = assign("a", binary("*", name("a"), constant(2)))
    follow([Loop("for i in range(5):", (doubled,), 5)], env, LIMITS)
    assert env == {"a": number(1, 32)}


def test_statements_are_written_with_their_indentation() -> None:
    loop = Loop("for i in range(2):", (Branch((("if a > 1:", (added(1),)),)),), 2)
    assert written([loop]) == ["    for i in range(2):", "        if a > 1:", "            a = a + 1"]


def test_the_width_bounds_the_text() -> None:
    for shape, longest in [
        (number(-10, 9), "-10"),
        (Shape("list", 0, 99, 0, 3), "[99, 99, 99]"),
        (Shape("words", longest=2, item=3), "['abc', 'abc']"),
        (Shape("dict", 0, 9, 0, 2, 3), "{'abc': 9, 'abd': 9}"),
        (Shape("bool", 0, 1), "False"),
    ]:
        assert shape.width >= len(longest)
