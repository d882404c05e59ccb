"""Parts of canonical texts: the item at a key, the field of an object, each with its type."""

from __future__ import annotations

from typing import Any

import pytest

from execution.canonical import canonical
from execution.shown import Shown, ShownValue


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("[1, 'a', (2,)]", 2, ("tuple", "(2,)")),
        ("[1, 'a', (2,)]", -2, ("str", "'a'")),
        ("[1]", 1, None),
        ("[1]", "a", None),
        ("(1, -2)", 1, ("int", "-2")),
        ("'héllo'", 1, ("str", "'é'")),
        ("b'ab'", 0, ("int", "97")),
        ("{'a': 1, 'b': {2, 3}}", "b", ("set", "{2, 3}")),
        ("{(1, 2): None}", (1, 2), ("NoneType", "None")),
        ("{'a': 1}", "b", None),
        ("{1: 'one'}", True, ("str", "'one'")),  # as Python looks keys up
        ("defaultdict(<class 'list'>, {'k': [0.5]})", "k", ("list", "[0.5]")),
        ("Counter({'a': 3})", "a", ("int", "3")),
        ("deque([1, 2], maxlen=3)", 1, ("int", "2")),
        ("[A(n=1), <A object>]", 0, ("A", "A(n=1)")),
        ("[A(n=1), <A object>]", 1, ("A", "<A object>")),
        ("[<function <lambda>>, <class 'int'>]", 0, ("function", "<function <lambda>>")),
        ("[<function <lambda>>, <class 'int'>]", 1, ("type", "<class 'int'>")),
        ("['<A object>', \"it's <b>\"]", 1, ("str", '"it\'s <b>"')),
        ("[nan, Color.RED, (1+2j)]", 0, ("float", "nan")),
        ("[nan, Color.RED, (1+2j)]", 1, ("Color", "Color.RED")),
        ("array([[1.5, 2.0], [3.0, 4.0]])", (1, 0), ("float64", "float64(3.0)")),
        ("7", 0, None),
        ("dict_values([1, 2])", 0, None),
    ],
)
def test_an_item_is_shown_with_its_type(text: str, key: Any, expected: Shown | None) -> None:
    assert ShownValue(text).item(key) == expected


def test_a_field_is_shown_and_an_unknown_one_is_none() -> None:
    value = ShownValue("Node(value={'x': [1]}, next=Node(value=<cycle>, next=None))")
    assert value.field("value") == ("dict", "{'x': [1]}")
    assert value.field("next") == ("Node", "Node(value=<cycle>, next=None)")
    assert value.field("left") is None
    assert ShownValue("[1]").field("value") is None


def test_a_cut_text_is_an_error() -> None:
    with pytest.raises(ValueError, match="no canonical text"):
        ShownValue("[1, 2, …")


def test_items_of_a_canonical_text_are_the_canonical_texts_of_the_items() -> None:
    values = [1, -2.5, "a'b\"<c>", b"\x00<d>", None, True, (1,), (), [[]], {1: {2}}, {3, 4}, 2j, float("inf")]
    shown = ShownValue(canonical(values)[1])
    assert [shown.item(place) for place in range(len(values))] == [canonical(value)[:2] for value in values]
