"""Scalars and arrays of numpy in REval's state answers: made from literals, compared as numbers."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np


def is_one_of_numpy(name: str, value: str, truths: Sequence[str]) -> bool:
    """Whether numpy's `name` made from the literal `value` is one of the values shown in `truths`.

    These are canonical texts of that type: `array([1, 2])`, `float64(2.0)` or the number alone.
    """
    kind: Any = getattr(np, name, None)
    if not (isinstance(kind, type) and issubclass(kind, np.number | np.ndarray)):
        return False
    try:
        content = ast.literal_eval(value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PendingDeprecationWarning)  # numpy.matrix
            mine = np.array(content) if kind is np.ndarray else kind(content)
    except (ValueError, TypeError, SyntaxError, OverflowError, MemoryError, RecursionError):
        return False
    return any(_equal(mine, _shown(text)) for text in truths)


def _equal(mine: Any, true: Any) -> bool:
    if true is None or np.shape(mine) != np.shape(true):
        return False
    try:
        return bool(
            np.allclose(mine, true, rtol=1e-05 if np.ndim(mine) else 0.0, atol=1e-08 if np.ndim(mine) else 1e-6)
        )
    except TypeError:  # no numbers
        return bool(np.array_equal(mine, true))


def _shown(text: str) -> Any:
    """The numbers in a canonical text; None where it holds none."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Call) and node.args:
            node = node.args[0]
        return np.array(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
