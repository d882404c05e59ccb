"""Extraction: the published cuts, checked against a search of all pairs of lines, and the strict one."""

from __future__ import annotations

import ast
import random
import time
import warnings

import pytest

from evaluation.extraction import evalplus_program, livecodebench_program, longest_block, strict_program

CHAT = """Here is how:
```python
import math

def helper(n):
    return n + 1

def unused(n):
    return n

def solve(n):
    return helper(n) * LIMIT

LIMIT = 3
```
It adds one (and multiplies).
"""


def all_pairs(text: str) -> str:
    """The longest block by trying every pair of lines, which is what the published code does."""
    lines = text.split("\n")
    best, pair = 0, (0, 0)
    for first in range(len(lines)):
        for last in range(first + 1, len(lines)):
            block = lines[first : last + 1]
            filled = sum(1 for line in block if line.strip())
            if filled > best and parses("\n".join(block)):
                best, pair = filled, (first, last)
    return "\n".join(lines[pair[0] : pair[1] + 1])


def parses(source: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(source)
        except (SyntaxError, ValueError, MemoryError):
            return False
    return True


PIECES = [
    "def f(x):",
    "    return x",
    "    y = (1,",
    "        2)",
    "",
    "  ",
    "```python",
    "```",
    "Some words here.",
    "word",
    "x = '''",
    "'''",
    "if x:",
    "else:",
    "try:",
    "    pass",
    "except ValueError:",
    "@cache",
    "class A:",
    "    def g(self): return (",
    "x = [",
    "]",
    "for i in range(3):",
    "print(f'{x}')",
    "a = 1 \\",
    "# note",
    '    """doc',
    '    """',
    "return 3",
    "x = 08",
    "lambda: (yield)",
    "\tz = 1",
]


@pytest.mark.parametrize("seed", range(300))
def test_the_longest_block_is_what_a_search_of_all_pairs_finds(seed: int) -> None:
    chosen = random.Random(seed)
    text = "\n".join(chosen.choices(PIECES, k=chosen.randint(1, 14)))
    assert longest_block(text) == all_pairs(text), text


def test_a_long_response_is_cut_in_seconds() -> None:
    words = [f"This is line {number} of much talk, isn't it?" for number in range(700)]
    code = ["def f(x):", *(f"    x += {number}" for number in range(700)), "    return x"]
    started = time.process_time()
    block = longest_block("\n".join([*words, "```python", *code, "```", *words]))
    assert time.process_time() - started < 10
    assert block == "\n".join(code)


def test_evalplus_keeps_imports_and_what_the_entry_point_reaches() -> None:
    program = evalplus_program(CHAT, "solve")
    assert "unused" not in program
    names: dict[str, object] = {}
    exec(program, names)
    assert names["solve"](4) == 15  # type: ignore[operator]
    assert "math" in names


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("def f(x):\n    print(x)\n", False),  # no return
        ("import functools\n@functools.cache\ndef f(x):\n    return x\n", False),  # decorated
        ("def f(x):\n    return x\n", True),
        ("class f:\n    pass\n", True),
    ],
)
def test_evalplus_drops_functions_without_return_and_decorated_ones(source: str, kept: bool) -> None:
    assert ("f" in evalplus_program(source, "f").replace("functools", "")) is kept
    assert strict_program(f"```python\n{source}```", "f") == source


def test_of_two_definitions_evalplus_takes_the_first() -> None:
    assert "1" in evalplus_program("def f():\n    return 1\ndef f():\n    return 2\n", "f")
    assert "2" not in evalplus_program("def f():\n    return 1\ndef f():\n    return 2\n", "f")


def test_prose_alone_holds_no_program() -> None:
    assert evalplus_program("I can't do that, sorry.\nReally not.", "f") == ""
    assert strict_program("I can't do that, sorry.", "f") == ""


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("a\n```python\nx = 1\n```\nb\n```\ny = 2\n```", "y = 2"),
        ("```python\nx = 1", ""),
        ("x = 1", ""),
        ("```python\nx = 1\n```\nand ``` alone", ""),  # three fences: the last two are a pair
        ("```\n```", ""),
    ],
)
def test_livecodebench_takes_the_last_pair_of_fences(text: str, program: str) -> None:
    assert livecodebench_program(text) == program


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\nx = 1\n```\n```\n$ run it\n```", "x = 1\n"),  # the last block is no Python
        ("```python\nx = 1", "x = 1"),  # cut off
        ("<think>```python\nx = 0\n```</think>\nx = 2", "x = 2"),
        ("```python\nx = 1\n```\nand ``` alone", "x = 1\n"),
    ],
)
def test_strict_takes_the_last_block_that_is_python(text: str, program: str) -> None:
    assert strict_program(text) == program


def test_strict_wants_the_entry_point_defined() -> None:
    text = "```python\ndef f():\n    return 1\n```\nUse it:\n```python\nprint(f())\n```"
    assert strict_program(text, "f") == "def f():\n    return 1\n"
    assert strict_program(text, "g") == ""
    assert strict_program("```python\ng = lambda: 1\n```", "g") == "g = lambda: 1\n"
