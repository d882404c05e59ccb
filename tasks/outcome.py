"""Outcome: what the steps of a run left, together, for those who tell about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from evaluation.intervals import Interval, paired_difference
from evaluation.summary import Summary
from evaluation.trace_items import HELD_OUT
from tasks.promote import Promotion
from tasks.steps import StepResult

BEFORE, AFTER = "SFT", "Bi-Level"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Refreshed:
    """The steps of refresh-data."""

    collected: StepResult
    traced: StepResult
    validated: StepResult
    published: StepResult

    @property
    def steps(self) -> tuple[StepResult, ...]:
        return (self.collected, self.traced, self.validated, self.published)


@dataclass(frozen=True)
class Comparison:
    """One task of one benchmark before and after reinforcement learning; `change` is paired by item."""

    before: Summary
    after: Summary
    change: Interval | None

    @property
    def name(self) -> str:
        return self.after.task if self.after.benchmark == HELD_OUT else f"{self.after.benchmark} {self.after.task}"


@dataclass(frozen=True)
class RunOutcome:
    """The whole run: what it learnt from, what came of it, and where to read about it."""

    refreshed: Refreshed
    comparisons: tuple[Comparison, ...]
    version: int
    promotion: Promotion
    report: Path
    link: str
    seconds: float


def compare(
    before: Sequence[Row], after: Sequence[Row], summaries_before: list[Summary], summaries_after: list[Summary]
) -> tuple[Comparison, ...]:
    """Tasks that both models were asked, with the paired difference of right final answers, after − before."""
    first = {(summary.benchmark, summary.task): summary for summary in summaries_before}
    comparisons = []
    for summary in summaries_after:
        key = (summary.benchmark, summary.task)
        if key in first:
            comparisons.append(Comparison(first[key], summary, _change(before, after, key)))
    return tuple(comparisons)


def _change(before: Sequence[Row], after: Sequence[Row], key: tuple[str, str]) -> Interval | None:
    old, new = (
        {row["item_id"]: row for row in rows if (row["benchmark"], row["task"]) == key and row["judged"]}
        for rows in (before, after)
    )
    common = sorted(old.keys() & new.keys())
    if not common:
        return None
    values = [[float(rows[item]["final_correct"]) for item in common] for rows in (new, old)]
    return paired_difference(values[0], values[1], [new[item]["cluster"] for item in common])


def percent(interval: Interval | None) -> str:
    """`61.3 [57–65]`, in percent, or a dash."""
    if interval is None:
        return "–"
    return f"{100 * interval.mean:.1f} [{100 * interval.low:.0f}–{100 * interval.high:.0f}]"


def accuracy_rows(comparisons: tuple[Comparison, ...]) -> list[dict[str, str]]:
    """The accuracies as table rows, in percent with 95 % intervals clustered by program."""
    rows = []
    for one in comparisons:
        baselines = one.after.baselines
        best = max(baselines, key=lambda answer: baselines[answer]) if baselines else None
        rows.append(
            {
                "task": one.name,
                "n": f"{one.after.num_judged}",
                f"step {BEFORE}": percent(one.before.step),
                f"step {AFTER}": percent(one.after.step),
                f"final {BEFORE}": percent(one.before.final),
                f"final {AFTER}": percent(one.after.final),
                "constant": f"{100 * baselines[best]:.1f} ({best[:12]})" if best is not None else "–",
            }
        )
    return rows


def print_outcome(outcome: RunOutcome, out: Console) -> None:
    """The short table at the end of a run."""
    collected, traced = outcome.refreshed.collected.summary, outcome.refreshed.traced.summary
    published = outcome.refreshed.published.summary
    table = Table("", "", title="data", title_justify="left", show_header=False, box=SIMPLE)
    table.add_row("real programs (calls)", f"{collected['num_real']:,}")
    table.add_row(
        "synthesised programs (calls)", f"{collected['num_synthesised_sources']:,} ({collected['num_synthesised']:,})"
    )
    table.add_row("traces", f"{traced['num_traces']:,}")
    for reason, count in traced["set_aside"].items():
        table.add_row(f"  put aside: {reason}", f"{count:,}")
    table.add_row("dataset", f"{published['dataset_id'][:12]}")
    table.add_row("  to train on / held out", f"{published['num_train']:,} / {published['num_held_out']:,}")
    out.print(table)
    rows = accuracy_rows(outcome.comparisons)
    if rows:
        title = "accuracy, greedy, on programs held out of training, %, with 95 % intervals"
        accuracies = Table(*rows[0], title=title, title_justify="left", box=SIMPLE)
        for row in rows:
            accuracies.add_row(*row.values())
        out.print(accuracies)
    out.print(f"gate      {outcome.promotion.happened}", highlight=False, markup=False)
    for reason in outcome.promotion.reasons:
        out.print(f"          - {reason['text']}", highlight=False, markup=False)
    out.print(f"report    {outcome.report}", highlight=False, markup=False)
    out.print(f"took      {outcome.seconds:,.0f} s", highlight=False)
