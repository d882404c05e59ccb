"""Sentinels: the gate's rules against answers that earn without following the execution.

Each is off unless the policy asks, needs its figures in the rows (a hold where they are missing) and rejects only
where an interval clustered by program says so. `max_constant_share`, of one constant answer, counts without one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from evaluation.evidence import Evidence, Scores
from evaluation.intervals import Interval, mean_interval, paired_difference
from evaluation.policy import Policy
from evaluation.reasons import SEED, Reason, Verdict, reason, scores_of, within
from evaluation.tells import folded

MOST_COMMON = 3  # answers that a model may alternate between and be found out

Check = Callable[[str, float, Scores, Policy], Reason]


def sentinels(candidate: Evidence, policy: Policy) -> list[Reason]:
    """What the policy's sentinels say of the candidate."""
    tables: tuple[tuple[Mapping[str, float], Check], ...] = (
        (policy.max_wrong_logic, _wrong_logic),
        (policy.max_constant_share, _constant_share),
        (policy.max_constant_excess, _constant_excess),
        (policy.max_echoed, _echoed),
        (policy.max_shuffled_share, _shuffled_share),
        (policy.max_unrelated_steps, _unrelated_steps),
    )
    reasons = []
    for table, check in tables:
        for metric, limit in table.items():
            scores = scores_of(candidate, metric, policy)
            reasons.append(scores if isinstance(scores, Reason) else check(metric, limit, scores, policy))
    return reasons


def _wrong_logic(metric: str, limit: float, scores: Scores, policy: Policy) -> Reason:
    right, whole = scores.measure("final"), scores.measure("all")
    values = {item: (right[item][0] - value, cluster) for item, (value, cluster) in whole.items()}
    return _limited("wrong_logic", metric, limit, "right answers by wrong steps", values, policy)


def _constant_share(metric: str, limit: float, scores: Scores, policy: Policy) -> Reason:
    """The share of one and the same answer, `1`, ` 1 ` and `1.0` being the same."""
    keys = [folded(answer) for answer in scores.answers]
    key, count = max(Counter(keys).items(), key=lambda pair: (pair[1], pair[0]))
    answer = scores.answers[keys.index(key)]
    share = count / len(keys)
    shown = "nothing" if answer is None else repr(answer[:40])
    verdict: Verdict = "reject" if share > limit else "promote"
    text = f"{metric}: {shown} is {share:.1%} of the answers (limit {limit:.1%})"
    return Reason("constant_answers", metric, verdict, text, {"answer": answer, "share": share, "limit": limit})


def _constant_excess(metric: str, limit: float, scores: Scores, policy: Policy) -> Reason:
    """The share of the k most common answers less that of the k most common accepted answers, k up to MOST_COMMON;
    the k where it is largest. Where no accepted answers are listed (input prediction), the share itself."""
    said = [{folded(answer)} for answer in scores.answers]
    true = [{folded(one) for one in accepted} for accepted in scores.expected or [()] * len(said)]
    found: list[tuple[Interval, int]] = []
    for num in range(1, MOST_COMMON + 1):
        ours, theirs = _covered(said, num), _covered(true, num)
        found.append((paired_difference(ours, theirs, scores.clusters, SEED, policy.level), num))
    interval, num = max(found, key=lambda pair: (pair[0].mean, -pair[1]))
    share = sum(_covered(said, num)) / len(said)
    verdict = within(interval.mean, interval.low, limit)
    more = "not more" if verdict == "promote" else "more" if verdict == "reject" else "perhaps more"
    answers = "answer" if num == 1 else f"{num} answers"
    text = (
        f"{metric}: the most common {answers} {'is' if num == 1 else 'are'} {share:.1%} of all, {interval.mean:+.1%}"
        f" [{interval.low:+.1%}, {interval.high:+.1%}] on the truth's own share: {more} than {limit:.1%} above it"
    )
    figures = {**vars(interval), "share": share, "num_answers": num, "threshold": limit}
    return Reason("constant_excess", metric, verdict, text, figures)


def _covered(texts: list[set[str]], num: int) -> list[float]:
    """1.0 for each item that has one of the `num` most common texts."""
    counts = Counter(text for several in texts for text in several)
    common = {text for text, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:num]}
    return [float(bool(several & common)) for several in texts]


def _echoed(metric: str, limit: float, scores: Scores, policy: Policy) -> Reason:
    values = _told(scores, lambda place: scores.tells[place].echoed)
    return _limited("echoed_steps", metric, limit, "steps that echo the program or the step before", values, policy)


def _shuffled_share(metric: str, limit: float, scores: Scores, policy: Policy) -> Reason:
    """Step accuracy under another program's trace may be `limit` of that under the own one.

    Tested on other − limit x own, item by item, so that the ratio needs no interval of its own. Only steps whose true
    values differ count: there a model that knows its program has 0, one that knows nothing as much as by its own.
    """
    rule = "shuffled_traces"
    pairs = [
        (one.other, one.own, cluster)
        for one, cluster in zip(scores.tells, scores.clusters, strict=bool(scores.tells))
        if one.own is not None and one.other is not None
    ]
    clusters = [cluster for *_, cluster in pairs]
    if len(set(clusters)) < 2:
        return _nothing(rule, metric, "steps that another program's trace could be held against")
    other = sum(there for there, _, _ in pairs) / len(pairs)
    own = sum(here for _, here, _ in pairs) / len(pairs)
    interval = mean_interval([there - limit * here for there, here, _ in pairs], clusters, SEED, policy.level)
    verdict: Verdict = "reject" if interval.low > 0 else "promote" if interval.high <= 0 else "hold"
    words = {"reject": "more than", "hold": "not shown to be within", "promote": "within"}[verdict]
    text = (
        f"{metric}: {own:.1%} of the values are right, {other:.1%} under traces of other programs: {words}"
        f" {limit:.0%} of it"
    )
    figures = {"own": own, "other": other, "threshold": limit, "excess": vars(interval)}
    return Reason(rule, metric, verdict, text, figures)


def _unrelated_steps(metric: str, limit: float, scores: Scores, policy: Policy) -> Reason:
    """Of the right answers, those whose steps fit another program's trace as well as their own."""

    def unrelated(place: int) -> float | None:
        one = scores.tells[place]
        if one.own is None or one.other is None or not scores.final[place]:
            return None
        return float(one.other >= one.own)

    words = "right answers whose steps fit another program as well"
    return _limited("unrelated_steps", metric, limit, words, _told(scores, unrelated), policy)


def _told(scores: Scores, value: Callable[[int], float | None]) -> dict[str, tuple[float, str]]:
    """item_id -> (value, cluster), where it is defined."""
    found: dict[str, tuple[float, str]] = {}
    for place in range(len(scores.tells)):
        one = value(place)
        if one is not None:
            found[scores.item_ids[place]] = (one, scores.clusters[place])
    return found


def _limited(
    rule: str, metric: str, limit: float, what: str, values: Mapping[str, tuple[float, str]], policy: Policy
) -> Reason:
    clusters = [cluster for _, cluster in values.values()]
    if len(set(clusters)) < 2:
        return _nothing(rule, metric, "judged steps" if rule == "wrong_logic" else "steps to tell it by")
    interval = mean_interval([value for value, _ in values.values()], clusters, SEED, policy.level)
    verdict = within(interval.mean, interval.low, limit)
    words = {"promote": "within", "reject": "above", "hold": "not shown to be within"}[verdict]
    return reason(rule, metric, verdict, f"{what} {words} {limit:.1%}", interval, limit)


def _nothing(rule: str, metric: str, what: str) -> Reason:
    return Reason(rule, metric, "hold", f"{metric}: too few answers have {what}")
