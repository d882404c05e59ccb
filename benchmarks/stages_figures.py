"""Figures of the comparison of stages: pure functions from answers to intervals, a table and plain data."""

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

Floats = NDArray[np.float64]
Rows = Sequence[Mapping[str, Any]]
# measure -> the task whose answers it is of; "tests" is the share of unit tests passed, "pass" all of them (pass@1)
MEASURES = {"pass": "code", "tests": "code", "step": "output", "final": "output"}


@dataclass(frozen=True)
class Figure:
    """One measure of one arm; `change` is against the arm compared with (None for that one)."""

    arm: str
    measure: str
    num_items: int
    num_programs: int
    value: Interval
    change: Interval | None


def figures(arms: Mapping[str, Sequence[Rows]], against: str) -> list[Figure]:
    """`arms`: the rows of each seed's model. ValueError where they are not about the same items; items on which some
    model's answer could not be judged are left out of all."""
    found = []
    for measure, task in MEASURES.items():
        items = _items(arms, task)
        values = {arm: _values(by_seed, items, measure) for arm, by_seed in arms.items()}
        first = {row["item_id"]: row for row in next(iter(arms.values()))[0]}
        clusters = [str(first[name]["cluster"]) for name in items]
        weight_I = [float(len(first[name]["step_correct"])) if measure in ("step", "tests") else 1.0 for name in items]
        weight_SI = np.tile(np.array(weight_I), (len(values[against]), 1))
        for arm, value_SI in values.items():
            change = None
            if arm != against:
                change = crossed_difference(value_SI, values[against], clusters, weight_SI)
            value = crossed_mean(value_SI, clusters, weight_SI)
            found.append(Figure(arm, measure, len(items), len(set(clusters)), value, change))
    return found


def _items(arms: Mapping[str, Sequence[Rows]], task: str) -> list[str]:
    """The items of a task that every model was asked and whose answers were judged."""
    models = [rows for by_seed in arms.values() for rows in by_seed]
    asked = [{row["item_id"] for row in rows if row["task"] == task} for rows in models]
    if any(one != asked[0] for one in asked):
        raise ValueError("the models were not asked the same items")
    unjudged = {row["item_id"] for rows in models for row in rows if not row["judged"]}
    return sorted(asked[0] - unjudged)


def _values(by_seed: Sequence[Rows], items: Sequence[str], measure: str) -> Floats:
    """(S, I)."""
    found = []
    for rows in by_seed:
        by_item = {row["item_id"]: row for row in rows}
        found.append([_value(by_item[name], measure) for name in items])
    return np.array(found, dtype=np.float64)


def _value(row: Mapping[str, Any], measure: str) -> float:
    if measure in ("pass", "final"):
        return float(bool(row["final_correct"]))
    return step_share(row)


def table(found: Sequence[Figure], num_seeds: int) -> Table:
    """A line per arm, a column per measure."""
    against = next(one.arm for one in found if one.change is None)
    title = f"greedy, held-out programs, {num_seeds} seeds, % [95 % over programs and seeds]; change against {against}"
    labels = {one.measure: f"{one.measure} ({MEASURES[one.measure]}, n = {one.num_items:,})" for one in found}
    made = Table("arm", *labels.values(), title=title, box=SIMPLE)
    for arm in dict.fromkeys(one.arm for one in found):
        made.add_row(arm, *(_cell(one) for one in found if one.arm == arm))
    return made


def _cell(one: Figure) -> str:
    return shown(one.value) if one.change is None else f"{shown(one.value)}\n{shown_change(one.change)}"


def as_json(found: Sequence[Figure], num_seeds: int) -> dict[str, Any]:
    """The figures as plain data; ends of intervals that do not exist are null."""
    return {"num_seeds": num_seeds, "figures": [finite(asdict(one)) for one in found]}
