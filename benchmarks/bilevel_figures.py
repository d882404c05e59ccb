"""Figures of the comparison of credit rules: pure functions from answers to tables and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from benchmarks.shown import finite, shown, shown_change, step_share
from evaluation.crossed import crossed_difference, crossed_mean
from evaluation.intervals import Interval
from tasks.pages.charts import Series, line_chart
from tasks.pages.render import plain_page

Floats = NDArray[np.float64]
Row = Mapping[str, Any]
Spread = tuple[float, float, float]
Curve = list[tuple[float, Spread]]
Part = tuple[Floats, Floats, list[str]]
MEASURES = ("step", "final", "all correct", "wrong logic", "gap", "format", "length")
BANDS = ((1, 2), (3, 5), (6, 10))
START = "start"
RIVAL = "bilevel"
NUM_HUES = 8
MAX_BANDS = 4  # more of them hide one another
CURVES = ("step_reward", "final_reward", "entropy", "held_out_step", "held_out_final")
ENDS = ("step_reward", "final_reward", "entropy", "length", "format")
HELD_OUT = "held_out"


@dataclass(frozen=True)
class Asked:
    """What S models answered on the same I items: (S, I) arrays by measure, means over an item's samples. `states`
    counts each item's true states, the weight of its steps."""

    values: dict[str, Floats]
    states: Floats
    clusters: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """What the models answered, by decoding: "greedy" and "sampled" on held-out programs, benchmarks by their name."""

    by_decoding: dict[str, Asked]

    @staticmethod
    def of(rows_by_seed: Sequence[Sequence[Row]]) -> Answers:
        """From the rows of each seed's model; ValueError where they are not about the same items."""
        grouped = [_by_item(rows) for rows in rows_by_seed]
        if any(_names(one) != _names(grouped[0]) for one in grouped):
            raise ValueError("the models were not asked the same items")
        return Answers({decoding: _asked([one[decoding] for one in grouped]) for decoding in grouped[0]})

    def part(self, decoding: str, measure: str, band: tuple[int, int] | None = None) -> Part:
        """Values (S, I), weights (S, I) and clusters of the items whose states lie in the band."""
        low, high = band or (0, 10**6)
        asked = self.by_decoding[decoding]
        chosen = np.flatnonzero((asked.states >= low) & (asked.states <= high))
        value_SI = asked.values[measure][:, chosen]
        weight_I = asked.states[chosen] if measure == "step" else np.ones(len(chosen))
        return value_SI, np.broadcast_to(weight_I, value_SI.shape), [asked.clusters[place] for place in chosen]


def _by_item(rows: Sequence[Row]) -> dict[str, dict[str, list[Row]]]:
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        decoding = "greedy" if str(row["decoding"]).startswith("greedy") else "sampled"
        name = decoding if row["benchmark"] == HELD_OUT else f"{row['benchmark']}, {decoding}"
        found.setdefault(name, {}).setdefault(row["item_id"], []).append(row)
    return found


def _names(grouped: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    return {decoding: sorted(items) for decoding, items in grouped.items()}


def _asked(seeds: Sequence[Mapping[str, Sequence[Row]]]) -> Asked:
    names = sorted(seeds[0])
    values = {
        measure: np.array([[_mean(items[name], measure) for name in names] for items in seeds]) for measure in MEASURES
    }
    first = [seeds[0][name][0] for name in names]
    states = np.array([float(row["num_states"]) for row in first])
    return Asked(values, states, tuple(row["cluster"] for row in first))


def _mean(rows: Sequence[Row], measure: str) -> float:
    return sum(_measure(row, measure) for row in rows) / len(rows)


def _measure(row: Row, measure: str) -> float:
    final, whole = bool(row["final_correct"]), all(row["step_correct"])
    return {
        "step": step_share(row),
        "final": float(final),
        "all correct": float(final and whole),
        "wrong logic": float(final and not whole),
        "gap": float(final) - step_share(row),
        "format": float(not row["faults"]),
        "length": float(row["token_count"]),
    }[measure]


@dataclass(frozen=True)
class Figure:
    """One measure of one arm under one decoding, in all items or in those of a band of anchors; `changes` are against
    the start, the first arm and bilevel, by name (none against itself)."""

    arm: str
    decoding: str
    measure: str
    band: str
    value: Interval
    changes: Mapping[str, Interval]


@dataclass(frozen=True)
class Figures:
    """Everything that is told: figures, learning rates, learning curves by update and how trainings ended,
    both as mean, lowest and highest of the seeds."""

    figures: tuple[Figure, ...]
    rates: dict[str, float]
    curves: dict[str, dict[str, Curve]]
    ends: dict[str, dict[str, Spread]]
    tuned: bool
    num_seeds: int
    num_items: int
    num_programs: int


def figures(
    before: Answers,
    after: Mapping[str, Answers],
    curves: Mapping[str, Sequence[Sequence[Row]]],
    rates: Mapping[str, float],
    *,
    tuned: bool,
) -> Figures:
    """`before`: the common start, one model; `after`: each arm's models; `curves`: each arm's metrics rows by seed;
    `tuned`: whether `rates` were chosen among several."""
    first = next(iter(after))
    everything = {START: before, **after}
    rivals = [name for name in dict.fromkeys((START, first, RIVAL)) if name in everything]
    found: list[Figure] = []
    for name, answers in everything.items():
        for decoding in answers.by_decoding:
            for measure in MEASURES:
                for band in (None, *BANDS):
                    value_SI, weight_SI, clusters = answers.part(decoding, measure, band)
                    if not clusters:
                        continue
                    changes = {
                        rival: crossed_difference(
                            value_SI,
                            np.broadcast_to(everything[rival].part(decoding, measure, band)[0], value_SI.shape),
                            clusters,
                            weight_SI,
                        )
                        for rival in rivals
                        if name not in (START, rival)
                    }
                    label = "all" if band is None else f"{band[0]}–{band[1]}"
                    value = crossed_mean(value_SI, clusters, weight_SI)
                    found.append(Figure(name, decoding, measure, label, value, changes))
    shown = {
        arm: {column: curve for column in CURVES if (curve := _curve(by_seed, column))}
        for arm, by_seed in curves.items()
    }
    asked = after[first].by_decoding["greedy"]
    ends = {arm: {column: _end(by_seed, column) for column in ENDS} for arm, by_seed in curves.items()}
    for arm, by_seed in curves.items():
        ends[arm]["generated tokens"] = _spread([sum(_numbers(rows, "generated_tokens")) for rows in by_seed])
    return Figures(
        tuple(found),
        dict(rates),
        shown,
        ends,
        tuned,
        len(asked.values["final"]),
        len(asked.clusters),
        len(set(asked.clusters)),
    )


def _numbers(rows: Sequence[Row], column: str) -> list[float]:
    return [float(row[column]) for row in rows if isinstance(row.get(column), int | float)]


def _end(by_seed: Sequence[Sequence[Row]], column: str) -> Spread:
    """The column over the last quarter of the updates."""
    means = []
    for rows in by_seed:
        numbers = _numbers(rows, column)
        last = numbers[-max(1, len(numbers) // 4) :]
        means.append(sum(last) / len(last) if last else float("nan"))
    return _spread(means)


def _spread(values: Sequence[float]) -> Spread:
    return sum(values) / len(values), min(values), max(values)


def _curve(by_seed: Sequence[Sequence[Row]], column: str) -> Curve:
    at: dict[float, list[float]] = {}
    for rows in by_seed:
        for row in rows:
            if isinstance(row.get(column), int | float):
                at.setdefault(float(row["update"]), []).append(float(row[column]))
    return [(update, _spread(values)) for update, values in sorted(at.items()) if len(values) == len(by_seed)]


def tables(found: Figures) -> list[Table]:
    """A table per decoding: every measure over all items, and step and final by number of anchors."""
    made = []
    for decoding in dict.fromkeys(one.decoding for one in found.figures):
        mine = [one for one in found.figures if one.decoding == decoding]
        columns = [(one.measure, one.band) for one in mine if one.band == "all" or one.measure in ("step", "final")]
        title = (
            f"{decoding}: {found.num_items:,} held-out programs' calls ({found.num_programs:,} programs),"
            f" {found.num_seeds} seeds, % [95 % over programs and seeds]; below the change against"
            f" {' and against '.join(_rivals(mine))}"
        )
        table = Table("measure", "anchors", *dict.fromkeys(one.arm for one in mine), title=title, box=SIMPLE)
        for measure, band in dict.fromkeys(columns):
            shown = [one for one in mine if (one.measure, one.band) == (measure, band)]
            cells = [
                "\n".join([_shown(one.value, measure), *(_change(one, rival) for rival in _rivals(mine))])
                for one in shown
            ]
            table.add_row(measure, band, *cells)
        made.append(table)
    return [*made, _ends_table(found)]


def _ends_table(found: Figures) -> Table:
    title = "training: means over the last quarter of the updates, and tokens in all; mean and range of the seeds"
    table = Table("", *found.ends, title=title, box=SIMPLE)
    for column in next(iter(found.ends.values())):
        digits = 0 if column in ("generated tokens", "length") else 3
        cells = [
            f"{mean:,.{digits}f} [{low:,.{digits}f}–{high:,.{digits}f}]"
            for mean, low, high in (ends[column] for ends in found.ends.values())
        ]
        table.add_row(column.replace("_", " "), *cells)
    return table


def _shown(one: Interval, measure: str) -> str:
    return shown(one, scale=_scale(measure))


def _scale(measure: str) -> float:
    return 1.0 if measure == "length" else 100.0


def _rivals(found: Sequence[Figure]) -> list[str]:
    return list(dict.fromkeys(rival for one in found for rival in one.changes))


def _change(one: Figure, rival: str) -> str:
    """The change against another arm, with a star where the interval leaves out zero."""
    change = one.changes.get(rival)
    if change is None:
        return ""
    return shown_change(change, _scale(one.measure))


def as_json(found: Figures) -> dict[str, Any]:
    """The figures as plain data; ends of intervals that do not exist are null."""
    return {
        **{name: value for name, value in vars(found).items() if name != "figures"},
        "figures": [finite(asdict(one)) for one in found.figures],
    }


def _side_by_side(found: Sequence[Figure]) -> list[Figure]:
    """The arms of a measure one below the other."""
    by_measure: dict[tuple[str, str, str], list[Figure]] = {}
    for one in found:
        by_measure.setdefault((one.decoding, one.measure, one.band), []).append(one)
    return [one for group in by_measure.values() for one in group]


def page(found: Figures) -> str:
    """A self-contained page: learning curves, accuracy by number of anchors, and the table."""
    rivals = _rivals(found.figures)
    banded = len(found.curves) <= MAX_BANDS
    charts = []
    for column in CURVES:
        series = [
            _series(arm, f"hue-{place % NUM_HUES}", curve[column], banded)
            for place, (arm, curve) in enumerate(found.curves.items())
            if curve.get(column)
        ]
        if series:
            chart = line_chart(series, x_label="update", as_share=column != "entropy", zoomed=True)
            charts.append((f"{column.replace('_', ' ')}, mean{' and range' if banded else ''} of the seeds", chart))
    rows = [
        [one.decoding, one.measure, one.band, one.arm, _shown(one.value, one.measure)]
        + [_change(one, rival) for rival in rivals]
        for one in _side_by_side(found.figures)
    ]
    rates = ", ".join(f"{arm} {rate:g}" for arm, rate in found.rates.items())
    lead = (
        f"{found.num_seeds} seeds from one SFT start; {found.num_items:,} items of {found.num_programs:,} held-out"
        f" programs; learning rates, {'chosen on other programs' if found.tuned else 'not tuned'}: {rates}"
    )
    head = ["decoding", "measure", "anchors", "arm", "value", *(f"against {rival}" for rival in rivals)]
    return plain_page("Credit rules side by side", lead, charts, head, rows)


def _series(name: str, style: str, curve: Curve, banded: bool) -> Series:
    points = tuple((update, mean) for update, (mean, _, _) in curve)
    spans = tuple((low, high) for _, (_, low, high) in curve)
    return Series(name, style, points, spans if banded else (), band=banded)
