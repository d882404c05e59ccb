"""How comparisons over seeds read rows of evaluations, and show their intervals to people and to programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from evaluation.intervals import Interval


def step_share(row: Mapping[str, Any]) -> float:
    """The share of an answer's steps (of a program: its tests) that are right; 0 where there are none."""
    told = [bool(one) for one in row["step_correct"]]
    return sum(told) / max(1, len(told))


def shown(one: Interval, sign: str = "", scale: float = 100.0) -> str:
    """`12.3 [10.0, 14.5]`; without the ends where there is no interval. `sign` "+" writes it before positive ones."""
    text = f"{scale * one.mean:{sign}.1f}"
    return f"{text} [{scale * one.low:{sign}.1f}, {scale * one.high:{sign}.1f}]" if math.isfinite(one.low) else text


def shown_change(one: Interval, scale: float = 100.0) -> str:
    """A difference with its sign, and a star where the interval leaves out zero."""
    star = "*" if math.isfinite(one.low) and one.excludes_zero else ""
    return shown(one, "+", scale) + star


def finite(value: Any) -> Any:
    """Plain data without NaN and infinity, which JSON doesn't have: they become null."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
