"""Literals: parsing and comparing the texts of values, strict about types; nothing is ever evaluated."""

from __future__ import annotations

import ast
import math
from collections.abc import Hashable
from typing import Any

from execution.canonical import canonical, type_name

__all__ = ["MAX_LITERAL_CHARS", "canonical", "equal_literals", "parse_literal", "type_name"]

MAX_LITERAL_CHARS = 200_000


def parse_literal(text: str) -> Any:
    """The value of a Python literal: what `ast.literal_eval` accepts.

    Raises ValueError for anything else: names, calls, arithmetic, an unhashable key, more than
    MAX_LITERAL_CHARS characters, nesting that the parser refuses.
    """
    if len(text) > MAX_LITERAL_CHARS:
        raise ValueError(f"a literal of {len(text)} characters; at most {MAX_LITERAL_CHARS} are read")
    try:
        return ast.literal_eval(text.strip())
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"not a literal: {error}") from None


def equal_literals(text_a: str, text_b: str) -> bool | None:
    """Whether two literals have equal values of the same types throughout; None where one is no literal.

    `1`, `True` and `1.0` differ, also inside containers and as keys; nan equals nan; sets and dicts compare by
    content, lists and tuples by order.
    """
    try:
        return _frozen(parse_literal(text_a)) == _frozen(parse_literal(text_b))
    except (ValueError, RecursionError):
        return None


def _frozen(value: Any) -> Hashable:
    """A hashable stand-in: equal for two values exactly where these are equal with the same types."""
    kind = type(value).__name__
    if isinstance(value, list | tuple):
        return kind, tuple(_frozen(item) for item in value)
    if isinstance(value, set):
        return kind, frozenset(_frozen(item) for item in value)
    if isinstance(value, dict):
        return kind, frozenset((_frozen(key), _frozen(item)) for key, item in value.items())
    if isinstance(value, float) and math.isnan(value):
        return kind, "nan"
    if isinstance(value, complex):
        return kind, _frozen(value.real), _frozen(value.imag)
    return kind, value
