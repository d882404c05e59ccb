"""Comparison: two models on the items that both were asked, task by task, with intervals. Pure, from rows.

Differences are B − A, item by item, with 95 % intervals clustered by program (see `evaluation.intervals`). What can't
be paired is counted and said, never dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.intervals import Interval, mean_interval, paired_difference

Row = Mapping[str, Any]
# Printed states of a program, in groups wide enough to hold some programs each: (first, last).
STATE_GROUPS = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 7), (8, 10), (11, 15), (16, 25), (26, 10**9))


@dataclass(frozen=True)
class Pair:
    """One measure of both models over the same items, and the difference B − A."""

    a: Interval
    b: Interval
    difference: Interval


@dataclass(frozen=True)
class Unpaired:
    """What one task's rows hold beside the common items.

    `only_a`, `only_b`: items that the other was not asked. `not_judged`: items without a verdict for one of them (our
    own failures, or left out). `other_question`: the same name with other accepted answers or another program.
    """

    only_a: int
    only_b: int
    not_judged: int
    other_question: int

    @property
    def total(self) -> int:
        return self.only_a + self.only_b + self.not_judged + self.other_question


@dataclass(frozen=True)
class Group:
    """The right final answers among programs that print `first` to `last` states."""

    first: int
    last: int
    mean_states: float
    a: Interval
    b: Interval


@dataclass(frozen=True)
class TaskComparison:
    """Two models on one task of one benchmark.

    `final`: right final answers, by the strict verdict; `official` by the published scorer's, over the items where
    both have one. `only_a_right`, `only_b_right`: the items that tell the two apart (McNemar 1947). `step`: share of
    right steps per item, `all_correct`: final answer and every step right, `gap`: final − step, and `wrong_logic`:
    right in the end with a wrong step; these four over the items where both were judged by steps, None without any.
    `other_prompts`: common items that were asked in other words. `groups`: by number of states, where it is one and
    the same for both.
    """

    benchmark: str
    task: str
    num_items: int
    num_programs: int
    final: Pair
    only_a_right: int
    only_b_right: int
    official: Pair | None
    num_with_steps: int
    step: Pair | None
    all_correct: Pair | None
    gap: Pair | None
    wrong_logic: Pair | None
    unpaired: Unpaired
    other_prompts: int
    groups: tuple[Group, ...]

    @property
    def name(self) -> str:
        return f"{self.benchmark}/{self.task}"


def compare_rows(
    rows_a: Sequence[Row], rows_b: Sequence[Row], seed: int = 0
) -> tuple[tuple[TaskComparison, ...], dict[str, Unpaired]]:
    """The tasks with common items, in the order of `rows_a`; and by name those that have none, with the reasons."""
    tasks_a, tasks_b = _by_task(rows_a), _by_task(rows_b)
    compared, without = [], {}
    for key in dict.fromkeys((*tasks_a, *tasks_b)):
        pairs, unpaired = _paired(tasks_a.get(key, {}), tasks_b.get(key, {}))
        if pairs:
            compared.append(_compared(key, pairs, unpaired, seed))
        else:
            without["/".join(key)] = unpaired
    return tuple(compared), without


def _by_task(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, Row]]:
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row["benchmark"], row["task"]), {})[row["item_id"]] = row
    return found


def _paired(a: Mapping[str, Row], b: Mapping[str, Row]) -> tuple[list[tuple[Row, Row]], Unpaired]:
    pairs, not_judged, other_question = [], 0, 0
    for item in sorted(a.keys() & b.keys()):
        one, two = a[item], b[item]
        if any(one[column] != two[column] for column in ("expected", "cluster")):
            other_question += 1
        elif not (one["judged"] and two["judged"]):
            not_judged += 1
        else:
            pairs.append((one, two))
    return pairs, Unpaired(len(a.keys() - b.keys()), len(b.keys() - a.keys()), not_judged, other_question)


def _compared(key: tuple[str, str], pairs: list[tuple[Row, Row]], unpaired: Unpaired, seed: int) -> TaskComparison:
    official = [pair for pair in pairs if all(row.get("official_correct") is not None for row in pair)]
    stepped = [pair for pair in pairs if all(_step(row) is not None for row in pair)]

    def by_steps(measure: Callable[[Row], float]) -> Pair | None:
        return _pair(stepped, measure, seed) if stepped else None

    return TaskComparison(
        benchmark=key[0],
        task=key[1],
        num_items=len(pairs),
        num_programs=len({one["cluster"] for one, _ in pairs}),
        final=_pair(pairs, _final, seed),
        only_a_right=sum(_final(one) > _final(two) for one, two in pairs),
        only_b_right=sum(_final(two) > _final(one) for one, two in pairs),
        official=_pair(official, lambda row: float(row["official_correct"]), seed) if official else None,
        num_with_steps=len(stepped),
        step=by_steps(lambda row: _step(row) or 0.0),
        all_correct=by_steps(_all_correct),
        gap=by_steps(lambda row: _final(row) - (_step(row) or 0.0)),
        wrong_logic=by_steps(lambda row: _final(row) - _all_correct(row)),
        unpaired=unpaired,
        other_prompts=sum(one.get("prompt") != two.get("prompt") for one, two in pairs),
        groups=_groups(pairs, seed),
    )


def _pair(pairs: Sequence[tuple[Row, Row]], measure: Callable[[Row], float], seed: int) -> Pair:
    clusters = [one["cluster"] for one, _ in pairs]
    a, b = [measure(one) for one, _ in pairs], [measure(two) for _, two in pairs]
    return Pair(
        mean_interval(a, clusters, seed), mean_interval(b, clusters, seed), paired_difference(b, a, clusters, seed)
    )


def _groups(pairs: Sequence[tuple[Row, Row]], seed: int) -> tuple[Group, ...]:
    groups = []
    for first, last in STATE_GROUPS:
        here = [
            (one, two)
            for one, two in pairs
            if one.get("num_states") == two.get("num_states") and first <= (one.get("num_states") or 0) <= last
        ]
        if here:
            pair = _pair(here, _final, seed)
            mean = sum(one["num_states"] for one, _ in here) / len(here)
            groups.append(Group(first, last, mean, pair.a, pair.b))
    return tuple(groups)


def _final(row: Row) -> float:
    return float(row["final_correct"])


def _step(row: Row) -> float | None:
    """The share of right steps among those that could be judged; None without any."""
    told = [bool(one) for one in row["step_correct"] if one is not None]
    return sum(told) / len(told) if told else None


def _all_correct(row: Row) -> float:
    return _final(row) * (_step(row) == 1)
