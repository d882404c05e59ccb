"""Charts as inline SVG: lines over updates, and estimates with their intervals. Colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from tasks.pages.content import Interval

Point = tuple[float, float]
Place = Callable[[Point], Point]

WIDTH, HEIGHT = 480.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 92.0, 12.0, 30.0
LABEL_GAP = 15.0
# The right margin holds names of up to so many characters; longer ones make it wider, by this much each.
LABEL_CHARS, CHAR_WIDTH = 13, 7.2
MAX_HOVER_POINTS = 60
# Curves with more points than this are noisy: shown faintly, with their moving mean in front.
SPARSE = 40


@dataclass(frozen=True)
class Series:
    """One curve: `style` is the CSS class that colours it ("step", "final", "loss", "one", "two", "hue-0" to "hue-7").

    `spans`: the (low, high) of each point's interval, or nothing; `band` shades them instead of a line at each point.
    `shift_px` moves the curve to the right, so that the intervals of two curves over the same places stay apart.
    """

    name: str
    style: str
    points: tuple[Point, ...]
    spans: tuple[tuple[float, float], ...] = ()
    shift_px: float = 0.0
    band: bool = False


def line_chart(series: Sequence[Series], *, x_label: str, as_share: bool, zoomed: bool = False) -> Markup:
    """Curves over a common axis, named at their ends; values on hover. `as_share`: the y axis is 0 to 100 %. `zoomed`:
    it goes from the lowest value to the highest, for curves that lie close together."""
    series = [one for one in series if one.points]
    if not series:
        return Markup('<p class="empty">nothing was recorded</p>')
    xs = [x for one in series for x, _ in one.points]
    ys = [y for one in series for _, y in one.points]
    x_ticks = ticks(min(0.0, *xs), max(*xs, 1.0))
    if zoomed:
        reached = [*ys, *(end for one in series for span in one.spans for end in span)]
        y_ticks = ticks(min(reached), max(reached))
    else:
        y_ticks = [0.0, 0.25, 0.5, 0.75, 1.0] if as_share else ticks(min(0.0, *ys), max(ys))
    x_low, x_high, y_low, y_high = min(0.0, *xs), max(*xs, 1.0), y_ticks[0], y_ticks[-1]

    longest = max(len(_end_label(one, one.points[-1][1], as_share)) for one in series)
    right = RIGHT if longest <= LABEL_CHARS else 8 + CHAR_WIDTH * longest

    def place(point: Point) -> Point:
        x = LEFT + (point[0] - x_low) / (x_high - x_low) * (WIDTH - LEFT - right)
        y = HEIGHT - BOTTOM - (point[1] - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)
        return x, y

    parts = [_axes([x for x in x_ticks if x_low <= x <= x_high], y_ticks, place, right, x_label, as_share)]
    ends = []
    for one in series:
        shown = one.points if len(one.points) <= SPARSE else moving_mean(one.points)
        here = _shifted(place, one.shift_px)
        parts.append(_shaded(one, here) if one.band else _whiskers(one, here))
        parts.append(_curve(one, shown, [here(point) for point in one.points], [here(point) for point in shown]))
        ends.append((here(shown[-1]), one, shown[-1][1]))
    for one in series:
        parts.append(_hover(one, _shifted(place, one.shift_px), x_label, as_share))
    parts.append(_end_labels(ends, as_share))
    summary = "; ".join(
        f"{one.name} from {_value(one.points[0][1], as_share)} to {_value(one.points[-1][1], as_share)}"
        for one in series
    )
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(summary)}">'
        f"{''.join(parts)}</svg>"
    )


def _shifted(place: Place, shift_px: float) -> Place:
    def shifted(point: Point) -> Point:
        x, y = place(point)
        return x + shift_px, y

    return shifted


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round values from at most `low` to at least `high`, about `about` steps of 1, 2 or 5 times a power of ten."""
    span = high - low if high > low else abs(high) or 1.0
    raw = span / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(low / step + span / step - 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def moving_mean(points: Sequence[Point]) -> tuple[Point, ...]:
    """Each point with the mean of the points around it, a twentieth of all to either side, fewer at the ends."""
    reach = max(2, len(points) // 20)
    result = []
    for index, (x, _) in enumerate(points):
        near = min(reach, index, len(points) - 1 - index)
        window = [y for _, y in points[index - near : index + near + 1]]
        result.append((x, sum(window) / len(window)))
    return tuple(result)


def interval_plot(marks: Sequence[tuple[str, str, Interval]], low: float = 0.0, high: float = 1.0) -> Markup:
    """Estimates with their intervals on one scale from `low` to `high`: (name, CSS class, interval) each."""
    width, row = 240.0, 9.0
    height = row * max(1, len(marks)) + 5

    def at(value: float) -> float:
        return 4 + (min(high, max(low, value)) - low) / (high - low) * (width - 8)

    grid = "".join(
        f'<line class="grid" x1="{at(x):.1f}" x2="{at(x):.1f}" y1="0" y2="{height:g}"/>'
        for x in (low, (low + high) / 2, high)
    )
    drawn = ""
    for position, (name, style, one) in enumerate(marks):
        y = 2.5 + row * (position + 0.5)
        drawn += (
            f'<g class="{escape(style)}"><title>{escape(name)} {_value(one["mean"], True)}'
            f" ({_value(one['low'], True)} to {_value(one['high'], True)})</title>"
            f'<rect class="hit" x="0" y="{y - row / 2:.1f}" width="{width:g}" height="{row:g}"/>'
            f'<line class="whisker" x1="{at(one["low"]):.1f}" x2="{at(one["high"]):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<circle class="dot" cx="{at(one["mean"]):.1f}" cy="{y:.1f}" r="3.2"/></g>'
        )
    return Markup(f'<svg class="intervals" viewBox="0 0 {width:g} {height:g}" aria-hidden="true">{grid}{drawn}</svg>')


def _axes(x_ticks: list[float], y_ticks: list[float], place: Place, right: float, x_label: str, as_share: bool) -> str:
    parts = []
    for value in y_ticks:
        _, y = place((0.0, value))
        parts.append(f'<line class="grid" x1="{LEFT:g}" x2="{WIDTH - right:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        unit = " %" if as_share and value == y_ticks[-1] else ""
        label = _value(value, as_share, short=True) + unit
        parts.append(f'<text x="{LEFT - 8:g}" y="{y + 3.5:.1f}" class="end">{label}</text>')
    for value in x_ticks:
        x, _ = place((value, 0.0))
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 15:g}" class="middle">{_number(value)}</text>')
    parts.append(f'<text x="{WIDTH - right:g}" y="{HEIGHT - 3:g}" class="end">{escape(x_label)}</text>')
    return "".join(parts)


def _curve(one: Series, shown: Sequence[Point], raw: Sequence[Point], placed: Sequence[Point]) -> str:
    faint = f'<path class="curve faint {one.style}" d="{_path(raw)}"/>' if len(shown) > SPARSE else ""
    dots = ""
    if len(shown) <= SPARSE:
        dots = "".join(f'<circle class="dot {one.style}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in placed)
    return f'{faint}<path class="curve {one.style}" d="{_path(placed)}"/>{dots}'


def _whiskers(one: Series, place: Place) -> str:
    drawn = ""
    for (x, _), (low, high) in zip(one.points, one.spans, strict=bool(one.spans)):
        (at, y_low), (_, y_high) = place((x, low)), place((x, high))
        drawn += f'<line class="whisker {one.style}" x1="{at:.1f}" x2="{at:.1f}" y1="{y_low:.1f}" y2="{y_high:.1f}"/>'
    return drawn


def _shaded(one: Series, place: Place) -> str:
    """The area from the lows, left to right, back along the highs."""
    there = zip(one.points, one.spans, strict=True)
    lows, highs = zip(*(((x, low), (x, high)) for (x, _), (low, high) in there), strict=True)
    return f'<path class="band {one.style}" d="{_path([place(point) for point in (*lows, *reversed(highs))])}Z"/>'


def _hover(one: Series, place: Place, x_label: str, as_share: bool) -> str:
    every = max(1, math.ceil(len(one.points) / MAX_HOVER_POINTS))
    return "".join(
        f'<circle class="hit" cx="{place(point)[0]:.1f}" cy="{place(point)[1]:.1f}" r="7">'
        f"<title>{escape(x_label)} {_number(point[0])}: {escape(one.name)} {_value(point[1], as_share)}</title>"
        "</circle>"
        for point in one.points[::every]
    )


def _end_labels(ends: list[tuple[Point, Series, float]], as_share: bool) -> str:
    """Names and last values at the curves' ends, pushed apart where they would meet, within the chart."""
    ordered = sorted(ends, key=lambda end: end[0][1])
    ys: list[float] = []
    for (_, y), _, _ in ordered:
        ys.append(max(y, ys[-1] + LABEL_GAP) if ys else y)
    lowest = HEIGHT - BOTTOM
    for place in reversed(range(len(ys))):  # what would leave the chart goes up, and pushes only what it meets
        ys[place] = min(ys[place], lowest)
        lowest = ys[place] - LABEL_GAP
    return "".join(
        f'<text class="name {one.style}" x="{x + 8:.1f}" y="{y + 3.5:.1f}">'
        f"{escape(_end_label(one, value, as_share))}</text>"
        for y, ((x, _), one, value) in zip(ys, ordered, strict=True)
    )


def _end_label(one: Series, value: float, as_share: bool) -> str:
    return f"{one.name} {_value(value, as_share)}"


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _number(value: float) -> str:
    """A place on the x axis: whole where it is."""
    return (f"{value:,.0f}" if value == round(value) else f"{value:.3g}").replace("-", "−")


def _value(value: float, as_share: bool, short: bool = False) -> str:
    if as_share:
        return f"{100 * value:.0f}" if short else f"{100 * value:.1f} %"
    return f"{value:g}" if short else f"{value:.3g}"
