"""The gate: promote, hold or reject a candidate, from the rows of its evaluation and the champion's, with reasons.

Reject: the evidence says that the candidate is not good enough (significantly under a floor, worse than the champion,
an answer that never changes). Hold: the evidence doesn't say that it is (too little of it, a figure missing, a gain
within the noise). Promote: nothing rejects, nothing holds. A score without an interval decides nothing. Pure: the
same evidence and policy give the same decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluation.evidence import Evidence, Scores, evidence_from_rows
from evaluation.intervals import Interval, paired_difference
from evaluation.policy import Policy, PolicyError, load_policy, split_metric
from evaluation.reasons import SEED, Reason, Verdict, change, measured, missing, reason, values_of
from evaluation.sentinels import sentinels

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


@dataclass(frozen=True)
class Decision:
    """The verdict, the reasons that carry it, and all checks that were made."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    checks: tuple[Reason, ...]


def decide(candidate: Evidence, champion: Evidence | None, policy: Policy) -> Decision:
    """Judge the candidate by the policy, beside the champion where there is one."""
    checks = [*_evaluated(candidate, policy), *_judged_enough(candidate, policy), *_floors(candidate, policy)]
    checks += [*_above_constants(candidate, policy), *sentinels(candidate, policy)]
    if champion is not None:
        checks += [*_regressions(candidate, champion, policy), *_improvement(candidate, champion, policy)]
    elif policy.first_needs_floors_only:
        checks.append(Reason("first", "", "promote", "there is no champion yet: the floors decide"))
    else:
        checks.append(Reason("first", "", "hold", f"there is no champion, and policy {policy.name} asks for one"))
    if not checks:
        checks.append(Reason("policy", "", "hold", f"policy {policy.name} asks for nothing: nothing speaks for it"))
    checks = _once(checks)
    verdicts = {check.verdict for check in checks}
    verdict: Verdict = "reject" if "reject" in verdicts else "hold" if "hold" in verdicts else "promote"
    return Decision(verdict, tuple(check for check in checks if check.verdict == verdict), tuple(checks))


def _once(checks: Sequence[Reason]) -> list[Reason]:
    """Each check once: a benchmark that is missing is found so by every rule that names it."""
    return list({(check.rule, check.metric, check.text): check for check in checks}.values())


def _evaluated(candidate: Evidence, policy: Policy) -> list[Reason]:
    """Whatever the policy names must be there, also where no rule would miss it (a first model, a gain elsewhere)."""
    named = dict.fromkeys(split_metric(metric)[:2] for metric in policy.metrics)
    found = ((key, candidate.get(key)) for key in named)
    return [missing(*key, scores) for key, scores in found if scores is None or not scores.item_ids]


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
        interval = measured(candidate, metric, policy)
        if isinstance(interval, Reason):
            reasons.append(interval)
        elif interval.mean >= floor:
            reasons.append(reason("floor", metric, "promote", f"at least {floor:.1%}", interval, floor))
        elif interval.high < floor:
            reasons.append(reason("floor", metric, "reject", f"below the floor of {floor:.1%}", interval, floor))
        else:
            words = f"not shown to reach the floor of {floor:.1%}"
            reasons.append(reason("floor", metric, "hold", words, interval, floor))
    return reasons


def _above_constants(candidate: Evidence, policy: Policy) -> list[Reason]:
    reasons: list[Reason] = []
    for metric in policy.floors_above_constant:
        interval = measured(candidate, metric, policy)
        if isinstance(interval, Reason):
            reasons.append(interval)
            continue
        benchmark, task, _ = split_metric(metric)
        constant = candidate[benchmark, task].best_constant
        verdict: Verdict
        if interval.low > constant:
            verdict, words = "promote", f"above the best constant answer ({constant:.1%})"
        elif interval.mean <= constant:
            verdict, words = "reject", f"no better than the best constant answer ({constant:.1%})"
        else:
            verdict, words = "hold", f"not shown to beat the best constant answer ({constant:.1%})"
        reasons.append(reason("above_constant", metric, verdict, words, interval, constant))
    return reasons


def _regressions(candidate: Evidence, champion: Evidence, policy: Policy) -> list[Reason]:
    reasons = []
    for metric in policy.no_regression:
        interval = _difference(candidate, champion, metric, policy, policy.level)
        if isinstance(interval, Reason):
            reasons.append(interval)
        elif interval.high < -policy.regression_margin:
            reasons.append(change("regression", metric, "reject", "worse than the champion", interval))
        else:
            reasons.append(change("regression", metric, "promote", "not shown to be worse", interval))
    return reasons


def _improvement(candidate: Evidence, champion: Evidence, policy: Policy) -> list[Reason]:
    """One gain is enough, so each is tested at a level corrected for their number (Bonferroni). What is missing is
    said even beside a gain."""
    if not policy.improve_one_of:
        return []
    level = 1 - (1 - policy.level) / len(policy.improve_one_of)
    gains, others = [], []
    for metric in policy.improve_one_of:
        interval = _difference(candidate, champion, metric, policy, level)
        if isinstance(interval, Reason):
            others.append(interval)
        elif interval.low > 0:
            gains.append(change("improvement", metric, "promote", "better than the champion", interval))
        else:
            others.append(change("improvement", metric, "hold", "no gain shown over the champion", interval))
    return [*gains, *(one for one in others if one.rule == "missing")] if gains else others


def _difference(
    candidate: Evidence, champion: Evidence, metric: str, policy: Policy, level: float
) -> Interval | Reason:
    """Candidate − champion over the items that both were asked and judged on."""
    pair = []
    for who, evidence in (("candidate", candidate), ("champion", champion)):
        values = values_of(evidence, metric, policy)
        if isinstance(values, Reason):
            text = values.text if (who, values.rule) == ("candidate", "missing") else f"{who}: {values.text}"
            return replace(values, text=text)
        pair.append(values)
    ours, theirs = pair
    common = sorted(ours.keys() & theirs.keys())
    clusters = [ours[item][1] for item in common]
    if len(common) < policy.min_items or len(set(clusters)) < max(2, policy.min_programs):
        text = f"{metric}: only {len(common)} answers of candidate and champion are to the same items"
        return Reason("not_paired", metric, "hold", text, {"num_items": len(common)})
    a, b = [ours[item][0] for item in common], [theirs[item][0] for item in common]
    return paired_difference(a, b, clusters, SEED, level)
