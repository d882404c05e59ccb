"""Features of the language: a program with each behaves the same with anchors, which show what it binds."""

from __future__ import annotations

import pytest

from execution.anchors import instrument
from tests.execution.behaviour_batch import compile_anchored, outcome

# Name of the feature -> program, the number of states that the call f(3) makes.
FEATURES = {
    "exception groups": (
        "def f(x):\n    try:\n        raise ExceptionGroup('g', [ValueError(x)])\n"
        "    except* ValueError as e:\n        y = len(e.exceptions)\n    return x",
        2,
    ),
    "mangled names": (
        "class A:\n    def m(self, __x):\n        y = __x + 1\n        return y\n"
        "def f(x):\n    z = A().m(x)\n    return z",
        4,
    ),
    "positional-only and keyword-only": ("def f(x, /, *, k=2):\n    y = x * k\n    return y", 2),
    "lambda": ("def f(x):\n    y = (lambda x: x + 1)(x)\n    return y", 2),
    "comprehension scope": ("def f(x):\n    y = [x for x in range(x)]\n    return y, x", 2),
    "shadowed str, format and repr": ("def f(x):\n    str = format = repr = x\n    return str + format", 4),
    "form feed": ("def f(x):\n\f\n    y = x\n    \f\n    return y\n", 2),
    "carriage returns alone": ("def f(x):\r    y = x\r    return y\r", 2),
    "code after return": ("def f(x):\n    return x\n    y = 1", 1),
    "deleted nonlocal": (
        "def f(x):\n    y = x\n    def g():\n        nonlocal y\n        del y\n    g()\n    return x",
        1,
    ),
    "exception variable": (
        "def f(x):\n    e = 1\n    try:\n        raise ValueError(x)\n"
        "    except ValueError as e:\n        z = 2\n    return x",
        3,
    ),
    "assert": ("def f(x):\n    assert (y := x) > 2\n    return y", 2),
    "conditional import": (
        "try:\n    import math as m\nexcept ImportError:\n    m = None\ndef f(x):\n    return m.pi",
        1,
    ),
    "global at module level": ("global y\ny = 1\ndef f(x):\n    return y + x", 2),
    "recursion": ("def f(x):\n    return 1 if x < 2 else x * f(x - 1)", 3),
    "encoding cookie": ("# -*- coding: latin-1 -*-\nü = 1\ndef f(x):\n    return x + ü", 2),
    "tabs": ("def f(x):\n\tif x:\n\t\ty = x\n\t\treturn y", 2),
    "line continuation": ("def f(x):\n    y = x + \\\n        1; z = y\n    return z", 3),
    "async": (
        "import asyncio\nasync def g(x):\n    await asyncio.sleep(0)\n    y = x\n    return y\n"
        "def f(x):\n    return asyncio.run(g(x))",
        2,  # what a call of asyncio gives is not shown
    ),
}


@pytest.mark.parametrize("name", FEATURES)
def test_a_program_with_this_feature_behaves_the_same_and_shows_its_states(name: str) -> None:
    source, num_states = FEATURES[name]
    states: list[str] = []
    expected = outcome(compile(source, "program", "exec"), {"call": "f(3)"}, states.append)
    assert states == []
    assert outcome(compile_anchored(source), {"call": "f(3)"}, states.append) == expected
    assert len(states) == num_states, instrument(source).source
    assert len(expected) == 3  # a value, the arguments and what was printed: no exception
