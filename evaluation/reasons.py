"""Reasons: what one rule of the gate says about one metric, and the figures that rules start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from evaluation.evidence import Evidence, Scores
from evaluation.intervals import Interval, mean_interval
from evaluation.policy import Policy, split_metric

Verdict = Literal["promote", "hold", "reject"]
SEED = 0
HELD_OUT = "held_out"


@dataclass(frozen=True)
class Reason:
    """What one rule says about one metric, in words and in figures. `verdict` is what this alone would decide."""

    rule: str
    metric: str
    verdict: Verdict
    text: str
    evidence: dict[str, Any] = field(default_factory=dict)


def scores_of(evidence: Evidence, metric: str, policy: Policy) -> Scores | Reason:
    """The scores that a metric needs, or why there are too few."""
    benchmark, task, _ = split_metric(metric)
    scores = evidence.get((benchmark, task))
    if scores is None or not scores.item_ids:
        return missing(benchmark, task, scores)
    num_items, num_programs = len(scores.item_ids), len(set(scores.clusters))
    if num_items < policy.min_items or num_programs < max(2, policy.min_programs):
        text = (
            f"{metric}: {num_items} answers on {num_programs} programs decide nothing (at least {policy.min_items} on"
            f" {max(2, policy.min_programs)})"
        )
        figures = {"num_items": num_items, "num_programs": num_programs}
        return Reason("too_few", metric, "hold", text, figures)
    return scores


def missing(benchmark: str, task: str, scores: Scores | None = None) -> Reason:
    """A task that the policy names and of which there is no judged answer: a hold that says what to do."""
    name = f"{benchmark}/{task}"
    if scores is not None:
        why = f"none of its {scores.num_not_judged:,} answers could be judged"
        return Reason("missing", name, "hold", f"{name}: the policy asks for it and {why}")
    if benchmark == HELD_OUT:
        mend = f'add "{task}" to evaluation.tasks in the recipe'
    else:
        mend = f"set STEPCODE_BENCHMARKS to a folder that has {benchmark}, and see that the recipe evaluates it"
    return Reason("missing", name, "hold", f"{name}: the policy asks for it and it was not evaluated: {mend}")


def measured(evidence: Evidence, metric: str, policy: Policy) -> Interval | Reason:
    """The metric's mean with its interval, or why there is none."""
    values = values_of(evidence, metric, policy)
    if isinstance(values, Reason):
        return values
    clusters = [cluster for _, cluster in values.values()]
    return mean_interval([value for value, _ in values.values()], clusters, SEED, policy.level)


def values_of(evidence: Evidence, metric: str, policy: Policy) -> dict[str, tuple[float, str]] | Reason:
    """item_id -> (value, cluster) of the metric, or why it can't be had.

    Items without an official verdict are as good as not judged: more than `max_not_judged` of them hold.
    """
    scores = scores_of(evidence, metric, policy)
    if isinstance(scores, Reason):
        return scores
    measure = split_metric(metric)[2]
    values = scores.measure(measure)
    if measure == "official" and not values:
        return Reason("missing", metric, "hold", f"{metric}: the rows have no official verdicts: evaluate again")
    if len({cluster for _, cluster in values.values()}) < 2:
        return Reason("missing", metric, "hold", f"{metric}: too few responses with judged steps")
    left = len(scores.item_ids) - len(values)
    if measure == "official" and left > policy.max_not_judged * len(scores.item_ids):
        text = f"{metric}: {left} of {len(scores.item_ids)} answers have no official verdict"
        figures = {"num_not_judged": left, "num_asked": len(scores.item_ids), "limit": policy.max_not_judged}
        return Reason("not_judged", metric, "hold", text, figures)
    return values


def reason(rule: str, metric: str, verdict: Verdict, words: str, interval: Interval, threshold: float) -> Reason:
    """A reason about a share."""
    text = f"{metric} {interval.mean:.1%} [{interval.low:.1%}, {interval.high:.1%}]: {words}"
    return Reason(rule, metric, verdict, text, {**vars(interval), "threshold": threshold})


def change(rule: str, metric: str, verdict: Verdict, words: str, interval: Interval) -> Reason:
    """A reason about a difference to the champion."""
    points = f"{100 * interval.mean:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}] points"
    return Reason(rule, metric, verdict, f"{metric} {points}: {words}", dict(vars(interval)))


def within(mean: float, low: float, limit: float) -> Verdict:
    """Of a share that has a largest value: reject where it is shown to be above it, hold where it seems to be."""
    return "promote" if mean <= limit else "reject" if low > limit else "hold"
