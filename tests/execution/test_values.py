"""Canonical texts are literals where they can be, the same everywhere, and made without running the value's code."""

from __future__ import annotations

import ast
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from execution.values import canonical, equal_literals, parse_literal

ROOT = Path(__file__).resolve().parents[2]
Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class Account:
    owner: str
    entries: list[int]


class Slotted:
    __slots__ = ("left", "unset")

    def __init__(self) -> None:
        self.left = 1


class Colour(enum.Enum):
    RED = 1


class Words(list):  # type: ignore[type-arg]
    def __repr__(self) -> str:
        raise AssertionError("the value's code ran")


class Hostile:
    def _ran(self, *_: object) -> Any:
        raise AssertionError("the value's code ran")

    __repr__ = __str__ = __format__ = __eq__ = __hash__ = __bool__ = __len__ = __iter__ = _ran  # type: ignore[assignment]
    __getattribute__ = _ran  # type: ignore[assignment]
    __class__ = property(_ran)  # type: ignore[assignment]
    __dict__ = property(_ran)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (True, "True"),
        (None, "None"),
        (-0.0, "-0.0"),
        (2j, "2j"),
        ("a'b\n\ud800", '"a\'b\\n\\ud800"'),
        (b"\x00", "b'\\x00'"),
        ((1,), "(1,)"),
        ((), "()"),
        ([[], {}], "[[], {}]"),
        ({"b": 1, "a": (2, None)}, "{'b': 1, 'a': (2, None)}"),
        (set(), "set()"),
        ({10, 9, 2}, "{2, 9, 10}"),
        ({"b", "a"}, "{'a', 'b'}"),
        ({(2, "x"), (1, "y")}, "{(1, 'y'), (2, 'x')}"),
        (..., "..."),
    ],
)
def test_literals_are_read_back_with_their_types(value: object, text: str) -> None:
    assert canonical(value) == (type(value).__name__, text, True)
    back = ast.literal_eval(text)
    assert back == value and type(back) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "nan"),
        ([float("inf")], "[inf]"),
        (complex(0, -1), "-1j"),  # read back it has another zero
        (frozenset({2, 1}), "frozenset({1, 2})"),
        (range(3), "range(0, 3)"),
        (decimal.Decimal("1.50"), "Decimal('1.50')"),
        (fractions.Fraction(2, 6), "Fraction(1, 3)"),
        (datetime.date(2024, 2, 29), "datetime.date(2024, 2, 29)"),
        (collections.Counter("aab"), "Counter({'a': 2, 'b': 1})"),
        (collections.defaultdict(int, a=1), "defaultdict(<class 'int'>, {'a': 1})"),
        (collections.deque([1, 2], maxlen=3), "deque([1, 2], maxlen=3)"),
        (Point(1, [2]), "Point(x=1, y=[2])"),
        (Account("ann", [1]), "Account(owner='ann', entries=[1])"),
        (Slotted(), "Slotted(left=1)"),
        (Colour.RED, "Colour.RED"),
        (ValueError("bad", 3), "ValueError('bad', 3)"),
        (object(), "<object object>"),
        (lambda: 0, "<function <lambda>>"),
        (iter([1]), "<list_iterator object>"),
    ],
)
def test_other_values_have_a_deterministic_text_that_is_no_literal(value: object, text: str) -> None:
    assert canonical(value) == (type(value).__name__, text, False)


def test_an_integer_that_is_too_long_to_be_read_back_is_no_literal() -> None:
    assert canonical(1 << 20_000) == ("int", "<int of 20001 bits>", False)
    assert canonical(10**4000)[2]


def test_no_code_of_the_value_runs() -> None:
    assert canonical([Hostile(), Words([1])])[1:] == ("[<Hostile object>, Words([1])]", False)


def test_a_cycle_is_shown_and_is_no_literal() -> None:
    cycle: list[Any] = [1]
    cycle.append(cycle)
    assert canonical(cycle) == ("list", "[1, <cycle>]", False)


def test_a_shared_value_is_no_cycle() -> None:
    shared = [1]
    assert canonical([shared, shared]) == ("list", "[[1], [1]]", True)


def test_a_long_value_is_cut_marked_and_no_literal() -> None:
    assert canonical(list(range(10**6)), max_chars=10) == ("list", "[0, 1, 2, …", False)
    assert canonical("x" * 10**6, max_chars=5) == ("str", "'xxxx…", False)
    assert canonical(set(range(10**6)), max_chars=50) == ("set", "{…", False)


def test_a_deep_value_is_cut_and_no_literal() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    kind, text, is_literal = canonical(deep, max_depth=3)
    assert (kind, text, is_literal) == ("list", "[[[…]]]", False)


def test_a_value_that_doubles_with_each_level_stays_within_its_size() -> None:
    value: list[Any] = []
    for _ in range(30):
        value = [value, value]
    assert len(canonical(value, max_chars=1000)[1]) == 1001


def test_sets_have_the_same_text_under_every_hash_seed() -> None:
    code = "from execution.values import canonical; print(canonical([{'b','a',(1,'c'),2.5}, {*'xyz'}])[1])"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (0, 1, 2)
    }
    assert texts == {"[{2.5, 'a', 'b', (1, 'c')}, {'x', 'y', 'z'}]\n"}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1", "1", True),
        ("1", "True", False),
        ("1", "1.0", False),
        ("[1, (2,)]", "[ 1,(2, ) ]", True),
        ("[1]", "(1,)", False),
        ("{1, 2}", "{2, 1}", True),
        ("{1}", "{True}", False),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", True),
        ("{1: 'x'}", "{1.0: 'x'}", False),
        ("{1: 'x'}", "{1: b'x'}", False),
        ("'a'", '"a"', True),
        ("1e999", "1e999", True),
        ("set()", "{}", False),
        ("f(3)", "3", None),
        ("x", "x", None),
        ("1 + 1", "2", None),
        ("__import__('os')", "0", None),
        ("[" * 10_000, "1", None),
        ("-" * 100_000 + "1", "1", None),
        ("{[]: 1}", "1", None),
        ("", "''", None),
        (" 1\n", "1", True),
    ],
)
def test_literals_compare_strictly_by_type_and_nothing_is_evaluated(one: str, other: str, equal: bool | None) -> None:
    assert equal_literals(one, other) is equal


def test_a_literal_over_the_size_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 200000"):
        parse_literal("'" + "x" * 200_000 + "'")


def test_arrays_and_scalars_of_numpy_show_their_plain_values() -> None:
    import numpy

    assert canonical(numpy.array([[1, 2], [3, 4]])) == ("ndarray", "array([[1, 2], [3, 4]])", False)
    assert canonical({"a": numpy.zeros(2)}) == ("dict", "{'a': array([0.0, 0.0])}", False)
    assert canonical(numpy.float64(0.5)) == ("float64", "float64(0.5)", False)
    assert canonical(numpy.int64(7)) == ("int64", "int64(7)", False)


def test_a_programs_own_ndarray_is_an_object_like_others() -> None:
    calls: list[str] = []

    class ndarray:
        __array_interface__ = None

        def __init__(self) -> None:
            self.n = 1

        def tolist(self) -> list[int]:
            calls.append("tolist")
            return []

    assert (canonical(ndarray()), calls) == (("ndarray", "ndarray(n=1)", False), [])
