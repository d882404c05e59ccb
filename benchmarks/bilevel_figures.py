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
Part = tuple[Floats, Floats, list[str]]
MEASURES = ("step", "final", "all correct", "wrong logic", "format", "length")
BANDS = ((1, 2), (3, 5), (6, 10))
START = "start"
RIVAL = "bilevel"
NUM_HUES = 8
CURVES = ("step_reward", "final_reward", "entropy", "held_out_step", "held_out_final")


@dataclass(frozen=True)
class Answers:
    """What S models answered on the same I items, greedily and sampled: (S, I) arrays by decoding and measure. A value
    is the mean over an item's samples; `states` counts each item's true states, the weight of its steps."""

    values: dict[str, dict[str, Floats]]
    states: Floats
    clusters: tuple[str, ...]

    @staticmethod
    def of(rows_by_seed: Sequence[Sequence[Row]]) -> Answers:
        """From the rows of each seed's model; ValueError where they are not about the same items."""
        grouped = [_by_item(rows) for rows in rows_by_seed]
        names = sorted(grouped[0]["greedy"])
        if any(sorted(one[decoding]) != names for one in grouped for decoding in one):
            raise ValueError("the models were not asked the same items")
        first = grouped[0]["greedy"]
        values = {
            decoding: {
                measure: np.array([[_mean(one[decoding][name], measure) for name in names] for one in grouped])
                for measure in MEASURES
            }
            for decoding in grouped[0]
        }
        states = np.array([float(first[name][0]["num_states"]) for name in names])
        return Answers(values, states, tuple(first[name][0]["cluster"] for name in names))

    def part(self, decoding: str, measure: str, band: tuple[int, int] | None = None) -> Part:
        """Values (S, I), weights (S, I) and clusters of the items whose states lie in the band."""
        low, high = band or (0, 10**6)
        chosen = np.flatnonzero((self.states >= low) & (self.states <= high))
        value_SI = self.values[decoding][measure][:, chosen]
        weight_I = self.states[chosen] if measure == "step" else np.ones(len(chosen))
        return value_SI, np.broadcast_to(weight_I, value_SI.shape), [self.clusters[place] for place in chosen]


def _by_item(rows: Sequence[Row]) -> dict[str, dict[str, list[Row]]]:
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        decoding = "greedy" if str(row["decoding"]).startswith("greedy") else "sampled"
        found.setdefault(decoding, {}).setdefault(row["item_id"], []).append(row)
    return found


def _mean(rows: Sequence[Row], measure: str) -> float:
    return sum(_measure(row, measure) for row in rows) / len(rows)


def _measure(row: Row, measure: str) -> float:
    final, whole = bool(row["final_correct"]), all(row["step_correct"])
    return {
        "step": step_share(row),
        "final": float(final),
        "all correct": float(final and whole),
        "wrong logic": float(final and not whole),
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
    """Everything that is told: figures, the chosen learning rates, and learning curves as means over seeds."""

    figures: tuple[Figure, ...]
    rates: dict[str, float]
    curves: dict[str, dict[str, list[tuple[float, float]]]]
    num_seeds: int
    num_items: int
    num_programs: int


def figures(
    before: Answers,
    after: Mapping[str, Answers],
    curves: Mapping[str, Sequence[Sequence[Row]]],
    rates: Mapping[str, float],
) -> Figures:
    """`before`: the common start, one model; `after`: each arm's models; `curves`: each arm's metrics rows by seed."""
    first = next(iter(after))
    everything = {START: before, **after}
    rivals = [name for name in dict.fromkeys((START, first, RIVAL)) if name in everything]
    found: list[Figure] = []
    for name, answers in everything.items():
        for decoding in answers.values:
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
        arm: {column: mean for column in CURVES if (mean := _mean_curve(by_seed, column))}
        for arm, by_seed in curves.items()
    }
    answers = after[first]
    num_seeds = len(next(iter(answers.values.values()))["final"])
    return Figures(tuple(found), dict(rates), shown, num_seeds, len(answers.clusters), len(set(answers.clusters)))


def _mean_curve(by_seed: Sequence[Sequence[Row]], column: str) -> list[tuple[float, float]]:
    at: dict[float, list[float]] = {}
    for rows in by_seed:
        for row in rows:
            if isinstance(row.get(column), int | float):
                at.setdefault(float(row["update"]), []).append(float(row[column]))
    return [(update, sum(values) / len(values)) for update, values in sorted(at.items()) if len(values) == len(by_seed)]


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
    return made


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
        **{name: getattr(found, name) for name in ("rates", "curves", "num_seeds", "num_items", "num_programs")},
        "figures": [finite(asdict(one)) for one in found.figures],
    }


def page(found: Figures) -> str:
    """A self-contained page: learning curves, accuracy by number of anchors, and the table."""
    rivals = _rivals(found.figures)
    charts = []
    for column in CURVES:
        series = [
            Series(arm, f"hue-{place % NUM_HUES}", tuple(curve[column]))
            for place, (arm, curve) in enumerate(found.curves.items())
            if curve.get(column)
        ]
        if series:
            chart = line_chart(series, x_label="update", as_share=column != "entropy", zoomed=True)
            charts.append((column.replace("_", " ") + ", mean over seeds", chart))
    rows = [
        [one.decoding, one.measure, one.band, one.arm, _shown(one.value, one.measure)]
        + [_change(one, rival) for rival in rivals]
        for one in found.figures
    ]
    rates = ", ".join(f"{arm} {rate:g}" for arm, rate in found.rates.items())
    lead = (
        f"{found.num_seeds} seeds from one SFT start; {found.num_items:,} items of {found.num_programs:,} held-out"
        f" programs; learning rates, chosen on other programs: {rates}"
    )
    head = ["decoding", "measure", "anchors", "arm", "value", *(f"against {rival}" for rival in rivals)]
    return plain_page("Credit rules side by side", lead, charts, head, rows)
