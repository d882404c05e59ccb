"""A comparison for people and programs: the table of the terminal, the page, and everything as data."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evaluation.comparison import Pair, TaskComparison
from evaluation.intervals import Interval
from tasks.compare import ModelComparison, in_words
from tasks.errors import NothingToCompare
from tasks.pages.content import Compared, ComparedTask
from tasks.pages.content import Interval as PageInterval
from tasks.pages.render import render_comparison

MERITS = ("final", "final, official", "step", "all correct")  # measures of which more is better


def as_json(found: ModelComparison) -> dict[str, Any]:
    """Everything as data; shares between 0 and 1, null for the ends of an interval that one program can't have."""
    return {**_finite(dataclasses.asdict(found)), "notes": notes(found)}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def page(found: ModelComparison) -> str:
    """The comparison as one self-contained page."""
    content: Compared = {
        "a": dataclasses.asdict(found.a),  # type: ignore[typeddict-item]
        "b": dataclasses.asdict(found.b),  # type: ignore[typeddict-item]
        "tasks": [_compared_task(task) for task in found.tasks],
        "notes": notes(found),
    }
    return render_comparison(content)


def write_page(found: ModelComparison, path: Path) -> None:
    """Write the page, whole or not at all. NothingToCompare where the file can't be written."""
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.write_text(page(found), "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise NothingToCompare(f"can't write the page to {path}: {error}") from error


def _compared_task(task: TaskComparison) -> ComparedTask:
    return {
        "name": task.name,
        "num_items": task.num_items,
        "num_programs": task.num_programs,
        "measures": [
            {
                "name": name,
                "num_items": number,
                "a": _interval(pair.a),
                "b": _interval(pair.b),
                "difference": _interval(pair.difference),
                "apart": apart,
                "is_merit": name in MERITS,
            }
            for name, number, pair, apart in measures(task)
        ],
        "groups": [
            {"states": group.mean_states, "a": _interval(group.a), "b": _interval(group.b)} for group in task.groups
        ],
    }


def _interval(one: Interval) -> PageInterval:
    return {"mean": one.mean, "low": one.low, "high": one.high}


def comparison_table(found: ModelComparison) -> RenderableType:
    """The comparison as a terminal shows it; accuracies in percent, differences (B − A) in points."""
    table = Table(
        "task",
        "measure",
        "n",
        "A",
        "B",
        "B − A [95 %]",
        "only A / only B",
        title=Text(f"A: {found.a.name} ({found.a.source})\nB: {found.b.name} ({found.b.source})"),
        title_justify="left",
        box=SIMPLE,
    )
    for task in found.tasks:
        for position, (measure, number, pair, apart) in enumerate(measures(task)):
            shown = (f"{number:,}", f"{100 * pair.a.mean:.1f}", f"{100 * pair.b.mean:.1f}", points(pair.difference))
            cells = ("" if position else task.name, measure, *shown, apart)
            table.add_row(*map(Text, cells))  # as they are: a name or an interval in brackets is no markup
    return Group(table, *(Text(note) for note in notes(found)))


def measures(task: TaskComparison) -> list[tuple[str, int, Pair, str]]:
    """(name, number of items, pair, items that only one answered right) of each measure that there is."""
    apart = f"{task.only_a_right:,} / {task.only_b_right:,}"
    found = [("final", task.num_items, task.final, apart)]
    if task.official is not None:
        found.append(("final, official", task.official.difference.num_items, task.official, ""))
    by_steps = (
        ("step", task.step),
        ("all correct", task.all_correct),
        ("gap, final − step", task.gap),
        ("right by wrong steps", task.wrong_logic),
    )
    return found + [(name, task.num_with_steps, pair, "") for name, pair in by_steps if pair is not None]


def notes(found: ModelComparison) -> list[str]:
    """What a reader of the figures must know: what is not paired, and what was asked in other words."""
    told = []
    for task in found.tasks:
        if task.unpaired.total:
            told.append(f"{task.name}: not paired: {in_words(task.unpaired)}")
        if task.other_prompts:
            told.append(f"{task.name}: {task.other_prompts:,} of {task.num_items:,} were asked with different prompts")
    return told + [f"{task}: nothing in common: {in_words(one)}" for task, one in found.without.items()]


def points(interval: Interval) -> str:
    """`+4.1 [+0.6, +7.5]`, in points; a star where it excludes zero."""
    star = " *" if interval.excludes_zero else ""
    if interval.num_clusters < 2:
        return f"{100 * interval.mean:+.1f} [one program: no interval]"
    return f"{100 * interval.mean:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]{star}"
