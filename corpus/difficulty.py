"""Difficulty: the band of a trace, from its states and its control structures, and how bands are distributed."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from execution.traces import Trace

BANDS = ("1", "2", "3", "4", "5", "6")
_NESTING = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def band(trace: Trace) -> str:
    """ "1" (easiest) to "6".

    Half of it is what the program is (depth of control structures, one more for a second function, or the level it
    was synthesised at), half is what the run printed: 1, 2, 3, 4, 5-6 and 7 or more states, the distribution that
    StepCodeReasoner reports (arXiv 2605.11922, §3.2) cut into six. The mean is rounded up.
    """
    return BANDS[(structure(trace) + _length(len(trace.states)) + 1) // 2 - 1]


def structure(trace: Trace) -> int:
    """1 to 6: the ladder's level, or the level that a program of this shape would have."""
    if trace.program.level is not None:
        return min(6, max(1, trace.program.level))
    depth, num_functions = shape(trace.program.source)
    return min(6, 1 + min(3, depth) + (depth > 0) + (num_functions > 1))


@lru_cache(maxsize=4096)
def shape(source: str) -> tuple[int, int]:
    """Depth of nested control structures (an `elif` is no deeper than its `if`), and the number of functions.

    A comprehension counts as one structure. (0, 0) where the source is no Python 3.11.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0, 0
    functions = sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))
    return _depth(tree), functions


def _depth(tree: ast.AST) -> int:
    deepest = 0
    stack: list[tuple[ast.AST, int]] = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        for name, value in ast.iter_fields(node):
            children = value if isinstance(value, list) else [value]
            for child in children:
                if not isinstance(child, ast.AST):
                    continue
                is_elif = isinstance(node, ast.If) and name == "orelse" and len(children) == 1
                deeper = isinstance(child, _NESTING + _COMPREHENSIONS) and not (is_elif and isinstance(child, ast.If))
                stack.append((child, depth + deeper))
    return deepest


def _length(num_states: int) -> int:
    return num_states if 1 <= num_states <= 4 else 1 if num_states < 1 else 5 if num_states <= 6 else 6


def distribution(bands: Iterable[str]) -> list[tuple[str, int, float]]:
    """(band, count, share) for every band, empty ones too, in order."""
    counts = Counter(bands)
    if unknown := sorted(set(counts) - set(BANDS)):
        raise ValueError(f"no band {unknown[0]!r}: bands are {', '.join(BANDS)}")
    total = max(1, counts.total())
    return [(name, counts[name], counts[name] / total) for name in BANDS]
