"""What is not shown: a reason for each name that no anchor can show safely, and plain values that are shown."""

from __future__ import annotations

import pytest

from execution.anchors import instrument
from execution.scopes import FUNCTION, HASHED, INSTANCE, ITERATOR, UNSURE, VARYING

_OWN_TEXT = "class A:\n    def __repr__(self): return self.name\n"
LEFT_OUT = {
    "parameter where a class makes its own text": (_OWN_TEXT + "def f(x):\n    g = [x]", f"g: {UNSURE}"),
    "attribute where a class makes its own text": (_OWN_TEXT + "def f(x):\n    g = x.name", f"g: {UNSURE}"),
    "text given to a class later": ("class A: pass\nA.__str__ = len\ndef f(x):\n    g = x()", f"g: {UNSURE}"),
    "function that a text is made with": (
        "class A:\n    def __repr__(self): return h(1)\ndef h(x):\n    g = 1",
        "no anchor: h may run when a value is printed, compared or looked up",
    ),
    "lambda": ("g = lambda: 1", f"g: {FUNCTION}"),
    "function": ("def f(): pass\ng = f", f"g: {FUNCTION}"),
    "class": ("g = int", f"g: {FUNCTION}"),
    "module": ("import os\ng = os", f"g: {FUNCTION}"),
    "method": ("xs = [1]\ng = xs.append", f"g: {FUNCTION}"),
    "function in a dict": ("g = {'a': [len]}", f"g: {FUNCTION}"),
    "generator expression": ("g = (i for i in [])", f"g: {ITERATOR}"),
    "file": ("g = open('x')", f"g: {ITERATOR}"),
    "iterator": ("g = zip([1], [2])", f"g: {ITERATOR}"),
    "itertools under another name": ("import itertools as it\ng = it.chain([1])", f"g: {ITERATOR}"),
    "generator function": ("def f(): yield 1\ng = f()", f"g: {ITERATOR}"),
    "coroutine": ("async def f(): pass\ng = f()", f"g: {ITERATOR}"),
    "closure maker": ("def f():\n    def h(): pass\n    return h\ng = f()", f"g: {FUNCTION}"),
    "set": ("g = {1}", f"g: {HASHED}"),
    "set operation": ("a = [1]\ng = [set(a) | {2}]", f"g: {HASHED}"),
    "instance": ("class A: pass\ng = A()", f"g: {INSTANCE}"),
    "instance in a list": ("class A: pass\ng = [A()]", f"g: {INSTANCE}"),
    "instance put into a list": ("class A: pass\ng = []\ng.append(A())", f"g: {INSTANCE}"),
    "object with attributes": ("def f(n):\n    g = n\n    g.next = 1", f"g: {INSTANCE}"),
    "random": ("import random\ng = random.random()", f"g: {VARYING}"),
    "identity": ("g = id(1)", f"g: {VARYING}"),
    "returned function": ("def f():\n    return len", f"the returned value: {FUNCTION}"),
    "function that looks at its names": (
        "def f(x):\n    return len(locals())",
        "the function looks at its own names: a new one might change what it does",
    ),
    "print bound by the module": ("from rich import print\ng = 1", "no anchor: the module binds the name print"),
    "print as a parameter": ("def f(print):\n    g = 1", "no anchor: the function f binds the name print"),
    "star import": ("from rich import *\ng = 1", "no anchor: a star import from rich may bind the name print"),
    "method that printing may call": (
        "class A:\n    def __str__(self):\n        g = 1",
        "no anchor: __str__ may run when a value is printed, compared or looked up",
    ),
    "function defined in a loop": ("for _ in []:\n    def f():\n        g = 1", "f is defined inside a loop"),
    "loop target of a loop that may not run": ("for g in []: pass", "g is not certainly bound here"),
    "walrus that may not run": ("x = 1\nx and (g := 2)", "g is not certainly bound here"),
    "deleted in the loop": ("g = 1\nwhile g:\n    del g\n    g = 0\n    del g", "g is not certainly bound here"),
    "bound in one branch": ("if 1:\n    g = 1\nwhile 0:\n    g = 2", "g is not certainly bound here"),
    "bound where an exception may be swallowed": (
        "from contextlib import suppress\nwith suppress(ValueError):\n    g = 1\nwhile 0:\n    g = 2",
        "g is not certainly bound here",
    ),
    "bound in a try body that may fail": (
        "try:\n    g = 1\nexcept ValueError:\n    pass\nwhile 0:\n    g = 2",
        "g is not certainly bound here",
    ),
    "deleted by another scope": (
        "g = 1\ndef f():\n    global g\n    del g\nwhile 0:\n    g = 2",
        "g is not certainly bound here",
    ),
    "exception variable": (
        "g = 1\ntry:\n    pass\nexcept ValueError as g:\n    pass\nwhile 0:\n    g = 2",
        "g is not certainly bound here",
    ),
    "deleted in finally on the way to the end of a loop": (
        "g = 1\nwhile 1:\n    try:\n        g = 2\n        break\n    finally:\n        del g",
        "g is not certainly bound here",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_cannot_be_shown_safely_is_left_out_with_the_reason(name: str) -> None:
    source, reason = LEFT_OUT[name]
    placed = instrument(source)
    assert reason in [why for _, why in placed.left_out]
    last = placed.source.splitlines()[-1]
    assert last == source.splitlines()[-1]  # nothing was placed after the last statement


SHOWN = {
    "number where a class makes its own text": _OWN_TEXT + "g = 1",
    "text split where a class makes its own text": _OWN_TEXT + "def f(x):\n    g = x.split()",
    "hinted number where a class makes its own text": _OWN_TEXT + "def f(x: int):\n    g = x + 1",
    "list of an iterator": "g = list(map(str, [1]))",
    "sorted set": "g = sorted({2, 1})",
    "element of an iterator": "g = next(iter([1]))",
    "range": "g = range(3)",
    "star import of the standard library": "from math import *\ng = pi",
    "counting dict": "from collections import defaultdict\ng = defaultdict(int)",
    "length of a set": "g = len({1, 2})",
    "membership": "g = 1 in {1}",
    "formatted text": "g = '%s' % len",
    "unpacked from an iterator": "a, g = map(int, ['1', '2'])",
    "method taken from a name": "g = []\nput = g.append\ng = [1]",
}


@pytest.mark.parametrize("name", SHOWN)
def test_plain_values_made_from_others_are_shown(name: str) -> None:
    assert instrument(SHOWN[name]).source.splitlines()[-1].lstrip() == "print(f'g: {g}')"


@pytest.mark.parametrize(
    "taken",
    [
        "import math as return_val",
        "def return_val(): pass",
        "global return_val",
        "try: x\n    except ValueError as return_val: pass",
        "match x:\n        case {**return_val}: pass",
    ],
)
def test_the_name_of_a_returned_value_is_none_of_the_programs_own(taken: str) -> None:
    assert "return_val_2 = x + 1" in instrument(f"def f(x):\n    {taken}\n    return x + 1").source


def test_expressions_nested_too_deep_leave_the_program_as_it_was() -> None:
    source = "def f(x):\n    y = " + " + ".join(["x"] * 900) + "\n    return y\n"
    placed = instrument(source)
    assert placed.source == source
    assert placed.anchors == ()
    assert placed.left_out == ((0, "no anchor: expressions are nested too deep to be read"),)
