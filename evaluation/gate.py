"""The gate: promote, hold or reject a candidate, from the rows of its evaluation and the champion's, with reasons.

Reject: the evidence says that the candidate is not good enough (significantly under a floor, worse than the champion,
an answer that never changes). Hold: the evidence doesn't say that it is (too little of it, a figure missing, a gain
within the noise). Promote: nothing rejects, nothing holds. A score without an interval decides nothing. Pure: the
same evidence and policy give the same decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evaluation.baselines import best_constant
from evaluation.intervals import Interval, mean_interval, paired_difference
from evaluation.policy import Policy, PolicyError, load_policy, split_metric

__all__ = [
    "Decision",
    "Evidence",
    "Policy",
    "PolicyError",
    "Reason",
    "Scores",
    "decide",
    "evidence_from_rows",
    "load_policy",
]

Verdict = Literal["promote", "hold", "reject"]
_SEED = 0


@dataclass(frozen=True)
class Scores:
    """The judged items of one benchmark and task, in the order of `item_ids`; all tuples have one entry per item.

    `final` is 1 where the final answer is right; `step` the share of right steps, None where no step was judged;
    `answers` the answer given, None without one. `best_constant` is the accuracy of the best constant answer;
    `num_not_judged` counts rows that our own failures left out.
    """

    item_ids: tuple[str, ...]
    clusters: tuple[str, ...]
    final: tuple[float, ...]
    step: tuple[float | None, ...]
    answers: tuple[str | None, ...]
    best_constant: float = 0.0
    num_not_judged: int = 0

    def measure(self, name: str) -> dict[str, tuple[float, str]]:
        """item_id -> (value, cluster) of the measure "final", "step" or "all", where it is defined."""
        values = zip(self.item_ids, self.clusters, self.final, self.step, strict=True)
        if name == "final":
            return {item: (final, cluster) for item, cluster, final, _ in values}
        if name == "step":
            return {item: (step, cluster) for item, cluster, _, step in values if step is not None}
        return {item: (final * (step == 1), cluster) for item, cluster, final, step in values if step is not None}


Evidence = Mapping[tuple[str, str], Scores]


@dataclass(frozen=True)
class Reason:
    """What one rule says about one metric, in words and in figures. `verdict` is what this alone would decide."""

    rule: str
    metric: str
    verdict: Verdict
    text: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The verdict, the reasons that carry it, and all checks that were made."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    checks: tuple[Reason, ...]


def evidence_from_rows(rows: Sequence[Mapping[str, Any]]) -> Evidence:
    """Evidence of an evaluation's rows (`evaluation.harness.evaluate`), by (benchmark, task)."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if any(isinstance(row[column], str) for column in ("expected", "step_correct")):
            raise TypeError("a row's lists came as text: decode the columns of harness.LIST_COLUMNS first")
        groups.setdefault((row["benchmark"], row["task"]), []).append(row)
    return {key: _scores(key[1], group) for key, group in groups.items()}


def _scores(task: str, rows: Sequence[Mapping[str, Any]]) -> Scores:
    judged = [row for row in rows if row["judged"]]
    steps = [[one for one in row["step_correct"] if one is not None] for row in judged]
    return Scores(
        item_ids=tuple(row["item_id"] for row in judged),
        clusters=tuple(row["cluster"] for row in judged),
        final=tuple(float(row["final_correct"]) for row in judged),
        step=tuple(sum(told) / len(told) if told else None for told in steps),
        answers=tuple(None if row["answer"] is None else str(row["answer"]).strip() for row in judged),
        best_constant=best_constant(task, [row["expected"] for row in judged]),
        num_not_judged=sum(not row["judged"] and not row.get("left_out") for row in rows),
    )


def decide(candidate: Evidence, champion: Evidence | None, policy: Policy) -> Decision:
    """Judge the candidate by the policy, beside the champion where there is one."""
    checks = [*_judged_enough(candidate, policy), *_floors(candidate, policy), *_above_constants(candidate, policy)]
    checks += [*_wrong_logic(candidate, policy), *_constant_answers(candidate, policy)]
    if champion is not None:
        checks += [*_regressions(candidate, champion, policy), *_improvement(candidate, champion, policy)]
    elif policy.first_needs_floors_only:
        checks.append(Reason("first", "", "promote", "there is no champion yet: the floors decide"))
    else:
        checks.append(Reason("first", "", "hold", f"there is no champion, and policy {policy.name} asks for one"))
    if not checks:
        checks.append(Reason("policy", "", "hold", f"policy {policy.name} asks for nothing: nothing speaks for it"))
    verdicts = {check.verdict for check in checks}
    verdict: Verdict = "reject" if "reject" in verdicts else "hold" if "hold" in verdicts else "promote"
    return Decision(verdict, tuple(check for check in checks if check.verdict == verdict), tuple(checks))


def _judged_enough(candidate: Evidence, policy: Policy) -> list[Reason]:
    reasons = []
    for (benchmark, task), scores in sorted(candidate.items()):
        asked = len(scores.item_ids) + scores.num_not_judged
        share = scores.num_not_judged / asked if asked else 0.0
        if share > policy.max_not_judged:
            metric = f"{benchmark}/{task}"
            text = f"{metric}: {scores.num_not_judged} of {asked} answers could not be judged"
            figures = {"num_not_judged": scores.num_not_judged, "num_asked": asked, "limit": policy.max_not_judged}
            reasons.append(Reason("not_judged", metric, "hold", text, figures))
    return reasons


def _floors(candidate: Evidence, policy: Policy) -> list[Reason]:
    reasons = []
    for metric, floor in policy.floors.items():
        interval = _measured(candidate, metric, policy)
        if isinstance(interval, Reason):
            reasons.append(interval)
        elif interval.mean >= floor:
            reasons.append(_reason("floor", metric, "promote", f"at least {floor:.1%}", interval, floor))
        elif interval.high < floor:
            reasons.append(_reason("floor", metric, "reject", f"below the floor of {floor:.1%}", interval, floor))
        else:
            words = f"not shown to reach the floor of {floor:.1%}"
            reasons.append(_reason("floor", metric, "hold", words, interval, floor))
    return reasons


def _above_constants(candidate: Evidence, policy: Policy) -> list[Reason]:
    reasons = []
    for metric in policy.floors_above_constant:
        interval = _measured(candidate, metric, policy)
        if isinstance(interval, Reason):
            reasons.append(interval)
            continue
        benchmark, task, _ = split_metric(metric)
        constant = candidate[benchmark, task].best_constant
        if interval.low > constant:
            verdict, words = "promote", f"above the best constant answer ({constant:.1%})"
        elif interval.mean <= constant:
            verdict, words = "reject", f"no better than the best constant answer ({constant:.1%})"
        else:
            verdict, words = "hold", f"not shown to beat the best constant answer ({constant:.1%})"
        reasons.append(_reason("above_constant", metric, verdict, words, interval, constant))
    return reasons


def _wrong_logic(candidate: Evidence, policy: Policy) -> list[Reason]:
    reasons = []
    for metric, limit in policy.max_wrong_logic.items():
        scores = _scores_of(candidate, metric, policy)
        if isinstance(scores, Reason):
            reasons.append(scores)
            continue
        right, whole = scores.measure("final"), scores.measure("all")
        if not whole:
            reasons.append(Reason("wrong_logic", metric, "hold", f"{metric}: no steps were judged"))
            continue
        values = [right[item][0] - value for item, (value, _) in whole.items()]
        interval = mean_interval(values, [cluster for _, cluster in whole.values()], _SEED, policy.level)
        if interval.mean <= limit:
            verdict, words = "promote", f"right answers by wrong steps within {limit:.1%}"
        elif interval.low > limit:
            verdict, words = "reject", f"right answers by wrong steps above {limit:.1%}"
        else:
            verdict, words = "hold", f"right answers by wrong steps not shown to be within {limit:.1%}"
        reasons.append(_reason("wrong_logic", metric, verdict, words, interval, limit))
    return reasons


def _constant_answers(candidate: Evidence, policy: Policy) -> list[Reason]:
    reasons = []
    for metric, limit in policy.max_constant_share.items():
        scores = _scores_of(candidate, metric, policy)
        if isinstance(scores, Reason):
            reasons.append(scores)
            continue
        counts = Counter(scores.answers)
        answer, count = max(counts.items(), key=lambda pair: (pair[1], str(pair[0])))
        share = count / len(scores.answers)
        shown = "nothing" if answer is None else repr(answer[:40])
        verdict: Verdict = "reject" if share > limit else "promote"
        text = f"{metric}: {shown} is {share:.1%} of the answers (limit {limit:.1%})"
        figures = {"answer": answer, "share": share, "limit": limit}
        reasons.append(Reason("constant_answers", metric, verdict, text, figures))
    return reasons


def _regressions(candidate: Evidence, champion: Evidence, policy: Policy) -> list[Reason]:
    reasons = []
    for metric in policy.no_regression:
        interval = _difference(candidate, champion, metric, policy, policy.level)
        if isinstance(interval, Reason):
            reasons.append(interval)
        elif interval.high < -policy.regression_margin:
            reasons.append(_change("regression", metric, "reject", "worse than the champion", interval))
        else:
            reasons.append(_change("regression", metric, "promote", "not shown to be worse", interval))
    return reasons


def _improvement(candidate: Evidence, champion: Evidence, policy: Policy) -> list[Reason]:
    """One gain is enough, so each is tested at a level corrected for their number (Bonferroni)."""
    if not policy.improve_one_of:
        return []
    level = 1 - (1 - policy.level) / len(policy.improve_one_of)
    gains, others = [], []
    for metric in policy.improve_one_of:
        interval = _difference(candidate, champion, metric, policy, level)
        if isinstance(interval, Reason):
            others.append(interval)
        elif interval.low > 0:
            gains.append(_change("improvement", metric, "promote", "better than the champion", interval))
        else:
            others.append(_change("improvement", metric, "hold", "no gain shown over the champion", interval))
    return gains or others


def _scores_of(evidence: Evidence, metric: str, policy: Policy) -> Scores | Reason:
    """The scores that a metric needs, or why there are too few."""
    benchmark, task, _ = split_metric(metric)
    scores = evidence.get((benchmark, task))
    if scores is None or not scores.item_ids:
        return Reason("missing", metric, "hold", f"{metric}: the policy asks for it and it was not evaluated")
    num_items, num_programs = len(scores.item_ids), len(set(scores.clusters))
    if num_items < policy.min_items or num_programs < max(2, policy.min_programs):
        text = (
            f"{metric}: {num_items} answers on {num_programs} programs decide nothing (at least {policy.min_items} on"
            f" {max(2, policy.min_programs)})"
        )
        figures = {"num_items": num_items, "num_programs": num_programs}
        return Reason("too_few", metric, "hold", text, figures)
    return scores


def _measured(evidence: Evidence, metric: str, policy: Policy) -> Interval | Reason:
    scores = _scores_of(evidence, metric, policy)
    if isinstance(scores, Reason):
        return scores
    measured = scores.measure(split_metric(metric)[2])
    if len({cluster for _, cluster in measured.values()}) < 2:
        return Reason("missing", metric, "hold", f"{metric}: too few responses with judged steps")
    values = [value for value, _ in measured.values()]
    return mean_interval(values, [cluster for _, cluster in measured.values()], _SEED, policy.level)


def _difference(
    candidate: Evidence, champion: Evidence, metric: str, policy: Policy, level: float
) -> Interval | Reason:
    """Candidate − champion over the items that both were asked and judged on."""
    pair = []
    for who, evidence in (("candidate", candidate), ("champion", champion)):
        scores = _scores_of(evidence, metric, policy)
        if isinstance(scores, Reason):
            return Reason(scores.rule, metric, "hold", f"{who}: {scores.text}", scores.evidence)
        pair.append(scores.measure(split_metric(metric)[2]))
    ours, theirs = pair
    common = sorted(ours.keys() & theirs.keys())
    clusters = [ours[item][1] for item in common]
    if len(common) < policy.min_items or len(set(clusters)) < max(2, policy.min_programs):
        text = f"{metric}: only {len(common)} answers of candidate and champion are to the same items"
        return Reason("not_paired", metric, "hold", text, {"num_items": len(common)})
    a, b = [ours[item][0] for item in common], [theirs[item][0] for item in common]
    return paired_difference(a, b, clusters, _SEED, level)


def _reason(rule: str, metric: str, verdict: str, words: str, interval: Interval, threshold: float) -> Reason:
    text = f"{metric} {interval.mean:.1%} [{interval.low:.1%}, {interval.high:.1%}]: {words}"
    return Reason(rule, metric, _verdict(verdict), text, {**vars(interval), "threshold": threshold})


def _change(rule: str, metric: str, verdict: str, words: str, interval: Interval) -> Reason:
    points = f"{100 * interval.mean:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}] points"
    return Reason(rule, metric, _verdict(verdict), f"{metric} {points}: {words}", dict(vars(interval)))


def _verdict(name: str) -> Verdict:
    return "promote" if name == "promote" else "hold" if name == "hold" else "reject"
