"""Difficulty bands, worked by hand."""

from __future__ import annotations

import pytest

from corpus.difficulty import band, distribution, shape
from execution.program import Program
from execution.traces import State, Trace

STRAIGHT = "def f(x):\n    return x\n"
CHAIN = "def f(x):\n    if x:\n        return 1\n    elif x == 2:\n        return 2\n    else:\n        return 3\n"
NESTED = "def f(x):\n    for i in x:\n        while i:\n            if i > 2:\n                i = 0\n    return x\n"
HELPED = "def g(x):\n    return [i for i in x]\n\ndef f(x):\n    return g(x)\n"


def trace(source: str, num_states: int, level: int | None = None) -> Trace:
    states = tuple(State(n, "x", f"x: {n}") for n in range(num_states))
    return Trace(Program(source, "f(1)", level=level), source, states, "1", "int", None, "", (), False, {})


@pytest.mark.parametrize(
    ("source", "expected"),
    [(STRAIGHT, (0, 1)), (CHAIN, (1, 1)), (NESTED, (3, 1)), (HELPED, (1, 2)), ("def f(:", (0, 0))],
)
def test_depth_and_number_of_functions(source: str, expected: tuple[int, int]) -> None:
    assert shape(source) == expected


@pytest.mark.parametrize(
    ("source", "num_states", "level", "expected"),
    [
        (STRAIGHT, 1, None, "1"),  # structure 1, length 1
        (STRAIGHT, 10, None, "4"),  # 1 and 6
        (CHAIN, 3, None, "3"),  # 3 and 3
        (NESTED, 5, None, "5"),  # 5 and 5
        (NESTED, 1, None, "3"),  # 5 and 1
        (STRAIGHT, 7, 6, "6"),  # the level counts where it is known
        (STRAIGHT, 2, 1, "2"),  # 1 and 2, rounded up
    ],
)
def test_the_band_is_the_mean_of_structure_and_length(
    source: str, num_states: int, level: int | None, expected: str
) -> None:
    assert band(trace(source, num_states, level)) == expected


def test_the_distribution_names_every_band() -> None:
    assert distribution(["1", "3", "3", "6"]) == [
        ("1", 1, 0.25),
        ("2", 0, 0.0),
        ("3", 2, 0.5),
        ("4", 0, 0.0),
        ("5", 0, 0.0),
        ("6", 1, 0.25),
    ]
    assert sum(count for _, count, _ in distribution([])) == 0
    with pytest.raises(ValueError, match="no band '7'"):
        distribution(["7"])
