"""Every flow is told: a program runs again with one printed value changed, and what differs later must depend on it.

Random programs of helpers, generators, classes, loops that are left early, exceptions and names that share objects.
"""

from __future__ import annotations

import random
import sys
from contextlib import suppress
from typing import Any

import pytest

from execution.anchors import instrument
from execution.dependences import influences

HELPERS = """
class Acc:
    bonus = 2
    def __init__(self, start):
        self.total = start
        self.items = []
    def add(self, v):
        self.total += v * self.bonus
        self.items.append(v)
    def more(self, v, flag):
        if flag % 2:
            return None
        self.total += 1
        return v
    @property
    def size(self):
        return len(self.items) + self.total
    @staticmethod
    def half(v):
        w = v // 2
        return w

class Wide(Acc):
    def __init__(self, start):
        super().__init__(start)
        self.bonus = start
    def add(self, v):
        super().add(v + 1)

seen = []
calls = 0

def fill(zs, v):
    zs.append(v)

def note(v):
    global calls
    calls = calls + v
    seen.append(v)

def count(k):
    for i in range(9):
        if i > k % 5:
            return
        yield i

def square(v):
    w = v * v
    return w

def same(thing, spare=3):
    return thing

def least(*several):
    return min(several)

def until(limit):
    n = 0
    while True:
        n += 1
        if n > limit % 6:
            break
    return n
"""
STATEMENTS = [
    "{i} = {j} + {k}",
    "{i} += {j}",
    "{i} = {j} % 7",
    "{i}, {j} = {j}, {k}",
    "{i} = square({j})",
    "{i} = sum(map(square, [{j}]))",
    "{i} = sum(count({j}))",
    "{i} = until({j})",
    "{i} = least({j}, {k}, 5)",
    "{i} = sum([square(v) for v in {x}])",
    "{i} = len({x}) + sum({y})",
    "{i} = {x}[-1]",
    "{x}.append({i})",
    "{x} = {y}",
    "{x} = list({y})",
    "{x} += [{i}]",
    "{x}[0] = {i}",
    "{x} = same({y})",
    "{x}.insert({i} % 3, {j})",
    "fill({x}, {i})",
    "fill(v={i}, zs={x})",
    "note({i})",
    "{i} = calls + len(seen) + sum(seen)",
    "table['k'] = {x}",
    "{x} = table['k']",
    "table['k'].append({i})",
    "table.setdefault({i} % 3, []).append({j})",
    "{i} = sum(map(sum, table.values()))",
    "{o} = {p}",
    "{o} = Acc({i})",
    "{o} = Wide({i})",
    "{o}.add({i})",
    "{i} = {o}.total",
    "{i} = {o}.size",
    "{i} = {o}.half({j})",
    "{o}.more({i}, {j})",
    "{x} = {o}.items + [0]",
    "holder = (o, {o})\n    holder[1].add({i})",
    "for each in {x}:\n        if each > {i}:\n            break\n        {j} += 1",
    "for each in range(3):\n        if each == {i} % 4:\n            continue\n        {j} += each",
    "for each in (o, p):\n        each.add({i})",
    "if {i} % 2:\n        {j} = {k}",
    "if {i} % 2:\n        note(1)",
    "try:\n        {j} = 1\n        {k} = 6 // ({i} % 3)\n    except ZeroDivisionError:\n        {j} = 2",
    "while {i} > 3 and {j} < 20:\n        {i} -= 1\n        {j} += 2",
    "match {i} % 3:\n        case 0:\n            {j} = 4\n        case left:\n            {k} = left",
    "{i} = (lambda v: v + {j})({k})",
    "{i} = sorted([{j}, {k}], key=lambda v: -square(v))[0]",
]


def random_program(rng: random.Random) -> str:
    lines = [HELPERS, "def f():", "    i, j, k = 1, 4, 6", "    i = i + 0", "    j = j + 0", "    k = k + 0"]
    lines += ["    x = [1, 2]", "    y = [3]", "    o = Acc(1)", "    p = Wide(2)", "    table = {'k': [2]}"]
    for _ in range(rng.randint(4, 14)):
        names = {**{old: rng.choice("ijk") for old in "ijk"}, **{old: rng.choice("xy") for old in "xy"}}
        names |= {old: rng.choice("op") for old in "op"}
        lines.append("    " + rng.choice(STATEMENTS).format(**names))
    return "\n".join([*lines, "    return i + j + k + sum(x) + sum(y) + o.total + p.total", ""])


def other(value: Any) -> Any:
    """Another value of the type, where it is a number or a list."""
    if type(value) is int:
        return value + 3
    return [*value, 7] if type(value) is list else value


def states(source: str, lines: tuple[int, ...]) -> list[tuple[int, str]]:
    """What the anchors print in one run: (anchor, text); what else is printed is left out."""
    numbers = {line: anchor for anchor, line in enumerate(lines)}
    found: list[tuple[int, str]] = []

    def told(text: str) -> None:
        found.append((numbers[sys._getframe(1).f_lineno], text))

    space: dict[str, Any] = {"print": told, "other": other, "__name__": "program"}
    exec(compile(source, "program", "exec"), space)
    with suppress(IndexError, TypeError):  # the changed value is of no use: the run until then counts
        space["f"]()
    return found


def missing(source: str, lines: tuple[int, ...], flows: frozenset[tuple[int, int]]) -> tuple[set[tuple[int, int]], int]:
    """Pairs (i, j) without a flow, of which a changed value at i changed that at j; and how many had both."""
    truth = states(source, lines)
    lost, seen = set(), 0
    for anchor in sorted({reached for reached, _ in truth}):
        first = [reached for reached, _ in truth].index(anchor)
        text = source.split("\n")
        name = truth[first][1].partition(":")[0]
        text[lines[anchor] - 1] += f"; {name} = other({name})"
        changed = states("\n".join(text), lines)
        for (place, told), (again, now) in zip(truth[first + 1 :], changed[first + 1 :], strict=False):
            if place != again:
                break  # another course: nothing more to compare
            if told != now and (anchor, place) not in flows:
                lost.add((anchor, place))
            seen += told != now
    return lost, seen


@pytest.mark.parametrize("seed", range(5))
def test_what_a_changed_value_changes_depends_on_it(seed: int) -> None:
    rng = random.Random(seed)
    compared = free = 0
    for _ in range(12):
        placed = instrument(random_program(rng))
        flows = influences(placed.source, placed.anchor_lines)
        lost, seen = missing(placed.source, placed.anchor_lines, flows)
        assert not lost, placed.source
        compared += seen
        num = len(placed.anchor_lines)
        free += sum((i, j) not in flows for i in range(num) for j in range(i + 1, num))
    assert compared > 50
    assert free > 50  # it is not that everything depends on everything
