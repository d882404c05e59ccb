"""Evidence: what the gate knows of a model, one entry per judged item, made of the rows of its evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.baselines import best_constant
from evaluation.tells import Tells, tells

_LISTS = ("expected", "step_correct", "states_true", "states_predicted")


@dataclass(frozen=True)
class Scores:
    """The judged items of one benchmark and task, in the order of `item_ids`; all tuples have one entry per item.

    `final` is 1 where the final answer is right; `step` the share of right steps, None where no step was judged;
    `answers` the answer given, None without one. `best_constant` is the accuracy of the best constant answer;
    `num_not_judged` counts rows that our own failures left out. May be empty where nobody asks: `official`, 1 where
    the published scorer takes the answer and None where it has no verdict; `expected`, the accepted answers;
    `tells`, whether answer and steps are about the program.
    """

    item_ids: tuple[str, ...]
    clusters: tuple[str, ...]
    final: tuple[float, ...]
    step: tuple[float | None, ...]
    answers: tuple[str | None, ...]
    best_constant: float = 0.0
    num_not_judged: int = 0
    official: tuple[float | None, ...] = ()
    expected: tuple[tuple[str, ...], ...] = ()
    tells: tuple[Tells, ...] = ()

    def measure(self, name: str) -> dict[str, tuple[float, str]]:
        """item_id -> (value, cluster) of the measure "final", "step", "all" or "official", where it is defined."""
        if name == "official":
            kept = zip(self.item_ids, self.clusters, self.official, strict=True) if self.official else ()
            return {item: (value, cluster) for item, cluster, value in kept if value is not None}
        values = zip(self.item_ids, self.clusters, self.final, self.step, strict=True)
        if name == "final":
            return {item: (final, cluster) for item, cluster, final, _ in values}
        if name == "step":
            return {item: (step, cluster) for item, cluster, _, step in values if step is not None}
        return {item: (final * (step == 1), cluster) for item, cluster, final, step in values if step is not None}


Evidence = Mapping[tuple[str, str], Scores]


def evidence_from_rows(rows: Sequence[Mapping[str, Any]]) -> Evidence:
    """Evidence of an evaluation's rows (`evaluation.harness.evaluate`), by (benchmark, task)."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if any(isinstance(row.get(column), str) for column in _LISTS):
            raise TypeError("a row's lists came as text: decode the columns of harness.LIST_COLUMNS first")
        groups.setdefault((row["benchmark"], row["task"]), []).append(row)
    return {key: _scores(key[1], group) for key, group in groups.items()}


def _scores(task: str, rows: Sequence[Mapping[str, Any]]) -> Scores:
    judged = [row for row in rows if row["judged"]]
    steps = [[one for one in row["step_correct"] if one is not None] for row in judged]
    official = [row.get("official_correct") for row in judged]
    return Scores(
        item_ids=tuple(row["item_id"] for row in judged),
        clusters=tuple(row["cluster"] for row in judged),
        final=tuple(float(row["final_correct"]) for row in judged),
        step=tuple(sum(told) / len(told) if told else None for told in steps),
        answers=tuple(None if row["answer"] is None else str(row["answer"]).strip() for row in judged),
        best_constant=best_constant(task, [row["expected"] for row in judged]),
        num_not_judged=sum(not row["judged"] and not row.get("left_out") for row in rows),
        official=tuple(None if value is None else float(value) for value in official),
        expected=tuple(tuple(row["expected"]) for row in judged),
        tells=tells(judged),
    )
