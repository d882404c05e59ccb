"""Flows that no assignment shows: through calls, shared objects, and what leaves a loop or a function early."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from tests.execution.test_dependences import pairs

HELPERS = """
import heapq

def scaled(k):
    for i in range(3):
        yield i * k

def up_to(k):
    for i in range(9):
        if i > k:
            return
        yield i

def fill(zs, v):
    zs.append(v)

def fill_small(zs, v):
    if v > 2:
        return
    zs.append(1)

def check(v):
    if v > 3:
        raise ValueError

def same(v):
    return v

def third(*vs):
    return vs[2]

k = 1

def keep(v):
    global k
    k = v

class Acc:
    def __init__(self, start=0):
        self.total = start

    def add(self, v):
        self.total += v

    @property
    def size(self):
        return self.total

    @staticmethod
    def half(v):
        return v // 2

class Wide(Acc):
    def add(self, v):
        super().add(v)
"""

# each sets c by way of @, which is the anchor b
FLOWS = {
    "yield": "c = list(scaled(@))",
    "a generator that ends early": "c = sum(up_to(@))",
    "a changed argument": "c = []; fill(c, @)",
    "a changed argument, by keyword": "c = []; fill(v=@, zs=c)",
    "an argument left unchanged by an early return": "c = []; fill_small(c, @)",
    "a changed argument of unknown code": "c = [0]; heapq.heappush(c, @)",
    "a method of what a method returns": "c = {}; c.setdefault(0, []).append(@)",
    "a value in an expression that changes": "c = [1]; d = c.insert(0, @)",
    "del": "c = [1, 2]; d = @; del c[d]",
    "break": """
        d = @
        c = 0
        for i in range(9):
            if i > d:
                break
            c += 1
    """,
    "continue, by a name that is set anew": """
        d = @
        c = 0
        for i in range(9):
            t = i * d
            if t:
                continue
            t = 0
            c += 1
    """,
    "a loop without a round": """
        c = @
        for c in []:
            pass
        c = c + 0
    """,
    "an exception": """
        d = @
        try:
            c = 1
            6 // d
        except ZeroDivisionError:
            c = 2
    """,
    "an exception of a function": """
        try:
            check(@)
            c = 1
        except ValueError:
            c = 2
    """,
    "a call in a comprehension": "c = [same(i) for i in [@]]",
    "a function in a container": "c = {0: same}[0](@)",
    "more arguments than parameters": "c = third(1, 2, @)",
    "a global name": "keep(@); c = k",
    "a name of an outer function": """
        zs = []
        def put(v):
            zs.append(v)
        put(@)
        c = len(zs)
    """,
    "a second name": "c = []; d = c; d.append(@); c = c + [0]",
    "a second name, by +=": "c = []; d = c; d += [@]; c = c + [0]",
    "a row of a table": """
        c = [[0]]
        for row in c:
            row.append(@)
        c = c + [0]
    """,
    "a name of what is in a table": "d = [0]; e = {0: d}; e[0] += [@]; c = len(d)",
    "a method": "o = Acc(); o.add(@); c = o.total",
    "a method of a base class": "o = Wide(); o.add(@); c = o.size",
    "a constructor": "o = Acc(@); c = o.total",
    "a constructor, by keyword": "o = Acc(start=@); c = o.size",
    "a method called on its class": "o = Acc(); p = o; Acc.add(p, @); c = o.total",
    "an object in a list": "o = Acc(); q = [o]; q[0].add(@); c = o.total",
    "a static method": "o = Acc(); c = o.half(@)",
    "an attribute": "o = Acc(); p = o; p.total = @; c = o.total",
}


def flows_to_the_end(body: str, value: str) -> bool:
    """Whether the anchor b flows to the last of c's, with `value` in the place of @."""
    text = indent(dedent(body).strip().replace("@", value).replace("; ", "\n"), "    ")
    found = pairs(f"{HELPERS}\ndef main(x):\n    b = x + 1\n{text}\n    return c\n")
    last = max(name for pair in found | {("c", "c")} for name in pair if name.rstrip("234") == "c")
    return ("b", last) in found


@pytest.mark.parametrize("name", FLOWS)
def test_a_hidden_flow_is_told(name: str) -> None:
    assert flows_to_the_end(FLOWS[name], "b")
    assert not flows_to_the_end(FLOWS[name], "7")


def test_methods_of_one_name_are_one_function() -> None:
    source = """
class A:
    def go(self, p):
        q = p + 1
        return q

class B:
    def go(self, z):
        return z

def main(x):
    b = x + 1
    c = A().go(b)
    return c
"""
    assert {("b", "q"), ("b", "c"), ("q", "c")} <= pairs(source)


def test_a_function_that_is_passed_around_gets_what_goes_with_it() -> None:
    source = """
def g(v):
    y = v * v
    return y

def main(x):
    b = x + 1
    d = x + 2
    c = list(map(g, [b]))
    return c
"""
    found = pairs(source)
    assert {("b", "y"), ("b", "c"), ("y", "c")} <= found
    assert not {("d", "y"), ("d", "c")} & found


def test_decorators_and_operators_may_pass_anything() -> None:
    source = """
def twice(f):
    def w(*args):
        return f(*args) * 2
    return w

class P:
    def __init__(self, v):
        self.v = v

    def __add__(self, more):
        s = self.v + more.v
        return s

@twice
def g(v):
    u = v + 1
    return u

def main(x):
    b = x + 1
    c = g(b)
    d = P(b) + P(1)
    return c
"""
    assert {("b", "u"), ("b", "c"), ("u", "c"), ("b", "s")} <= pairs(source)


def test_what_changes_nothing_joins_nothing() -> None:
    source = """
import math

def main(x):
    b = x + 1
    d = x + 2
    s = 'a'
    e = max(b, d) + math.gcd(b, d) + len(s.replace('a', str(b)))
    g = d
    h = s
    zs = []
    ys = list(zs)
    ys.append(b)
    c = len(zs)
    return c
"""
    found = pairs(source)
    assert {("b", "e"), ("d", "e"), ("d", "g")} <= found
    assert not {("b", "g"), ("b", "h"), ("b", "c")} & found


def test_reading_ends_where_a_loops_test_swaps_names() -> None:
    source = """
def main(x):
    a = x + 1
    b = x + 2
    while (t := a) < (a := b) < (b := t) + 3:
        x = x + 1
    c = a
    return c
"""
    assert {("a", "c"), ("b", "c")} <= pairs(source)
