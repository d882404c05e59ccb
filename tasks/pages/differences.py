"""Differences as inline SVG: one row per task and measure, in points, with its interval, about a line at zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from tasks.pages.charts import Point, ticks
from tasks.pages.content import Interval

WIDTH, ROW, TOP, AXIS = 720.0, 22.0, 22.0, 34.0
LEFT, RIGHT = 210.0, 170.0
SMALLEST = 0.02  # the scale reaches at least 2 points to either side


def difference_plot(rows: Sequence[tuple[str, str, str, Interval]]) -> Markup:
    """(task, measure, CSS class, difference as a share) each. An interval that is not finite has no whisker."""
    if not rows:
        return Markup('<p class="empty">nothing to compare</p>')
    ends = [abs(value) for *_, one in rows for value in (one["mean"], one["low"], one["high"]) if math.isfinite(value)]
    reach = 105 * max(SMALLEST, *ends)  # in points
    bottom = TOP + ROW * len(rows)

    def at(points: float) -> float:
        return LEFT + (points / reach + 1) / 2 * (WIDTH - LEFT - RIGHT)

    parts = [_text(at(0) - 8, 12, "← A better", "end"), _text(at(0) + 8, 12, "B better →")]
    for mark in ticks(-reach, reach, about=6):
        if abs(mark) <= reach:
            parts.append(_line("grid" if mark else "zero", (at(mark), TOP - 4), (at(mark), bottom)))
            parts.append(_text(at(mark), bottom + 14, _points(mark, 0 if mark == round(mark) else 1), "middle"))
    parts.append(_text(at(0), bottom + 29, "B − A, points, 95 % intervals", "middle"))
    before = ""
    for position, (task, measure, style, one) in enumerate(rows):
        y = TOP + ROW * (position + 0.5)
        low, mean, high = (100 * one[end] for end in ("low", "mean", "high"))
        parts.append(_text(0, y + 3.5, "" if task == before else task, "figure"))
        parts.append(_text(LEFT - 14, y + 3.5, measure, f"name {style} end"))
        shown = _points(mean, 1)
        if math.isfinite(low) and math.isfinite(high):
            parts.append(_line(f"whisker {style}", (at(low), y), (at(high), y)))
            shown += f" ({_points(low, 1)} to {_points(high, 1)})"
        parts.append(f'<circle class="dot {escape(style)}" cx="{at(mean):.1f}" cy="{y:.1f}" r="3.6"/>')
        parts.append(_text(WIDTH - RIGHT + 14, y + 3.5, shown, "figure"))
        before = task
    return Markup(
        f'<svg class="differences" viewBox="0 0 {WIDTH:g} {bottom + AXIS:g}" role="img"'
        f' aria-label="differences B − A in points">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text class="{escape(style)}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>' if text else ""


def _line(style: str, start: Point, end: Point) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line class="{escape(style)}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _points(value: float, digits: int) -> str:
    rounded = round(value, digits)
    return "0" if rounded == 0 and digits == 0 else f"{rounded:+.{digits}f}".replace("-", "−")
