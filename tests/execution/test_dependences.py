"""Data dependences between anchors, against programs whose flow is plain to see."""

from __future__ import annotations

import pytest

from execution.anchors import instrument
from execution.dependences import influences


def pairs(source: str) -> set[tuple[str, str]]:
    """Influences by the names of the anchors; a number is added to a name that is printed more than once."""
    placed = instrument(source)
    names: list[str] = []
    for anchor in placed.anchors:
        again = sum(name.rstrip("23") == anchor.name for name in names)
        names.append(f"{anchor.name}{again + 1}" if again else anchor.name)
    return {(names[i], names[j]) for i, j in influences(placed.source, placed.anchor_lines)}


def test_a_value_flows_to_what_is_computed_from_it_and_no_further() -> None:
    source = "def f(x):\n    a = x + 1\n    b = a * 2\n    c = x - 1\n    d = b + 1\n    return c\n"
    assert pairs(source) == {("a", "b"), ("a", "d"), ("b", "d"), ("c", "c2")}


def test_a_name_that_is_set_anew_forgets_its_old_value() -> None:
    source = "def f(x):\n    a = x + 1\n    b = a\n    a = x\n    c = a\n    return c\n"
    found = pairs(source)
    assert ("a", "b") in found
    assert ("a", "c") not in found
    assert {("a2", "c"), ("a2", "c2"), ("c", "c2")} <= found


def test_a_test_flows_into_what_its_branches_set() -> None:
    source = "def f(x):\n    a = x % 2\n    b = 5\n    if a:\n        c = 1\n    else:\n        c = 2\n    return c\n"
    found = pairs(source)
    assert {("a", "c"), ("a", "c2"), ("c", "c3"), ("c2", "c3"), ("a", "c3")} <= found
    assert not {pair for pair in found if pair[0] == "b"}


def test_loops_carry_from_round_to_round() -> None:
    source = (
        "def f(n):\n    a = n\n    s = 0\n    t = 0\n    u = 1\n    for i in range(a):\n        t = t + s\n"
        "        s = s + i\n    v = t\n    return v\n"
    )
    found = pairs(source)
    assert {("a", "v"), ("s", "v"), ("t", "v")} <= found
    assert ("u", "v") not in found


def test_containers_methods_and_items() -> None:
    source = (
        "def f(x):\n    a = x + 1\n    b = x + 2\n    items = []\n    items.append(a)\n    table = {}\n"
        "    table[b] = 1\n    c = items[0]\n    d = table\n    return d\n"
    )
    found = pairs(source)
    assert ("a", "c") in found
    assert ("b", "d") in found
    assert ("a", "d") not in found
    assert ("b", "c") not in found


@pytest.mark.parametrize("order", ["g first", "f first"])
def test_arguments_and_results_of_functions(order: str) -> None:
    g = "def g(p, q):\n    r = p + 1\n    return r\n"
    f = "def f(x):\n    a = x + 1\n    b = x + 2\n    c = g(a, b)\n    return c\n"
    found = pairs(g + f if order == "g first" else f + g)
    assert {("a", "r"), ("a", "c"), ("r", "c")} <= found
    assert ("b", "r") not in found
    assert ("b", "c") not in found


def test_recursion_ends_and_flows_back() -> None:
    source = "def f(n):\n    if n < 2:\n        return n\n    a = n - 1\n    b = f(a)\n    return a + b\n"
    found = pairs(source)
    assert {("a", "a"), ("a", "b"), ("b", "b")} <= found


def test_tuples_walrus_comprehensions_and_match() -> None:
    source = (
        "def f(x):\n    a, b = x, x + 1\n    c = [i * a for i in range(3)]\n    d = (e := b) + 1\n"
        "    match c:\n        case [first, *rest]:\n            g = first\n        case _:\n            g = 0\n"
        "    return g\n"
    )
    found = pairs(source)
    assert {("a", "c"), ("b", "d"), ("c", "g")} <= found
    assert ("b", "c") not in found


def test_names_of_an_outer_scope_have_all_their_values() -> None:
    source = "k = 2\n\ndef f(x):\n    a = x * k\n    return a\n"
    assert {("k", "a"), ("k", "a2"), ("a", "a2")} <= pairs(source)


def test_what_is_nested_too_deep_may_depend_on_everything() -> None:
    source = (
        "def f(x):\n    a = x\n    print(f'a: {a}')\n    b = " + " + ".join(["x"] * 900) + "\n    print(f'b: {b}')\n"
    )
    assert influences(source, (3, 5)) == {(0, 0), (0, 1), (1, 0), (1, 1)}
