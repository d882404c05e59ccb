"""Summary: the figures of an evaluation, per benchmark and task, with their intervals and baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.baselines import constant_baselines
from evaluation.intervals import Interval, difference_of_means, mean_interval
from evaluation.prompts import TASKS
from evaluation.scorers.judgement import pass_at_k

# Reasons that mean: no usable answer was found in the text.
EXTRACTION_FAILURES = frozenset(
    {
        "missing_answer",
        "missing_input",
        "ambiguous",
        "not_literal",
        "malformed",
        "malformed_answer",
        "input_not_literal",
        "no_program",
    }
)
# Reasons that mean: what was run for the answer was stopped by a limit of time, or by another limit or its own exit.
TIMEOUTS = frozenset({"timeout", "input_timeout"})
STOPS = frozenset({"stopped", "input_failed", "tampered"})
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """The figures of one task of one benchmark, over the rows that could be judged.

    `final`: right final answers, strictly judged; with several samples of each item the mean over them, pass@1.
    `official`: the same by the published rule, pass@1 per item over the answers that it counts; None without one.
    `pass_5`: pass@5 of both, where there are five samples. `frame_aware`: questions judged by the frame's own events.
    `step`: right steps among all true states; None where no steps are asked for, like
    the three after it. `gap`: final − step, the paper's "right answer, wrong logic" distance. `all_correct`: final
    answer and every step right. `wrong_logic`: final answer right and some step wrong, as a share of all answers;
    `wrong_logic_of_right` of the right ones. `covered` and `covered_official`: final and official on lines that are
    executed (questions only).
    `baselines`: accuracy of constant answers; `above_chance` = (final − best baseline) / (1 − best baseline).
    """

    benchmark: str
    task: str
    num_rows: int
    num_judged: int
    num_left_out: int
    num_programs: int
    decoding: str
    final: Interval
    official: Interval | None
    frame_aware: Interval | None
    pass_5: tuple[float, float | None] | None
    step: Interval | None
    gap: Interval | None
    all_correct: Interval | None
    wrong_logic: Interval | None
    wrong_logic_of_right: float | None
    covered: Interval | None
    covered_official: Interval | None
    num_official_skipped: int
    num_extraction_failures: int
    num_timeouts: int
    num_stopped: int
    num_truncated: int
    num_faulty: int
    baselines: dict[str, float]
    above_chance: float | None

    @property
    def num_not_judged(self) -> int:
        """Rows asked that our own failures left without a judgement."""
        return self.num_rows - self.num_left_out - self.num_judged


def summarise(rows: Sequence[Row], seed: int = 0) -> list[Summary]:
    """A Summary per benchmark, in the order in which they come, and task, in the order of TASKS."""
    benchmarks = list(dict.fromkeys(row["benchmark"] for row in rows))
    tasks = list(dict.fromkeys((*TASKS, *(row["task"] for row in rows))))
    groups: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((benchmarks.index(row["benchmark"]), tasks.index(row["task"])), []).append(row)
    return [_summary(groups[key], seed) for key in sorted(groups)]


def _summary(rows: Sequence[Row], seed: int) -> Summary:
    judged = [row for row in rows if row["judged"]]
    clusters = [row["cluster"] for row in judged]
    final_values = [float(row["final_correct"]) for row in judged]
    final = mean_interval(final_values, clusters, seed)
    baselines = constant_baselines(rows[0]["task"], [row["expected"] for row in judged])
    best = max(baselines.values(), default=0.0)
    covered = [row for row in judged if row.get("covered")]
    return Summary(
        benchmark=rows[0]["benchmark"],
        task=rows[0]["task"],
        num_rows=len(rows),
        num_judged=len(judged),
        num_left_out=sum(bool(row.get("left_out")) for row in rows),
        num_programs=len(set(clusters)),
        decoding=rows[0].get("decoding", ""),
        final=final,
        official=_official(judged, seed),
        frame_aware=_mean([row for row in judged if row.get("frame_correct") is not None], "frame_correct", seed),
        pass_5=_pass_5(judged),
        **_step_figures(judged, seed),
        covered=_mean(covered, "final_correct", seed),
        covered_official=_official(covered, seed),
        num_official_skipped=sum(bool(row.get("official_skipped")) for row in judged),
        num_extraction_failures=sum(row["reason"] in EXTRACTION_FAILURES for row in judged),
        num_timeouts=sum(row["reason"] in TIMEOUTS for row in judged),
        num_stopped=sum(row["reason"] in STOPS for row in judged),
        num_truncated=sum(bool(row.get("truncated")) for row in judged),
        num_faulty=sum(bool(row["faults"]) for row in judged),
        baselines=baselines,
        above_chance=(final.mean - best) / (1 - best) if judged and baselines and best < 1 else None,
    )


def _step_figures(judged: Sequence[Row], seed: int) -> dict[str, Any]:
    with_steps = [row for row in judged if any(correct is not None for correct in row["step_correct"])]
    if not with_steps:
        names = ("step", "gap", "all_correct", "wrong_logic", "wrong_logic_of_right")
        return dict.fromkeys(names)
    clusters = [row["cluster"] for row in with_steps]
    final = [float(row["final_correct"]) for row in with_steps]
    all_right = [float(all(row["step_correct"])) for row in with_steps]
    steps, step_clusters = [], []
    for row in with_steps:
        told = [float(correct) for correct in row["step_correct"] if correct is not None]
        steps += told
        step_clusters += [row["cluster"]] * len(told)
    wrong_logic = [one * (1 - whole) for one, whole in zip(final, all_right, strict=True)]
    return {
        "step": mean_interval(steps, step_clusters, seed),
        "gap": difference_of_means(final, clusters, steps, step_clusters, seed),
        "all_correct": mean_interval([a * b for a, b in zip(final, all_right, strict=True)], clusters, seed),
        "wrong_logic": mean_interval(wrong_logic, clusters, seed),
        "wrong_logic_of_right": sum(wrong_logic) / sum(final) if sum(final) else None,
    }


def _mean(rows: Sequence[Row], column: str, seed: int) -> Interval | None:
    if not rows:
        return None
    return mean_interval([float(row[column]) for row in rows], [row["cluster"] for row in rows], seed)


def _official(rows: Sequence[Row], seed: int) -> Interval | None:
    """Mean over items of the published pass@1."""
    counted = [one for one in _by_item(rows).values() if _official_results(one)]
    if not counted:
        return None
    values = [_pass_at(_official_results(one), 1) for one in counted]
    return mean_interval(values, [one[0]["cluster"] for one in counted], seed)


def _pass_5(rows: Sequence[Row]) -> tuple[float, float | None] | None:
    """Strict and official pass@5, means over items; None where items have fewer than five samples."""
    items = list(_by_item(rows).values())
    if not items or any(len(one) < 5 for one in items):
        return None
    strict = [_pass_at([bool(row["final_correct"]) for row in one], 5) for one in items]
    official = [_pass_at(results, 5) for one in items if (results := _official_results(one))]
    return sum(strict) / len(strict), sum(official) / len(official) if official else None


def _by_item(rows: Sequence[Row]) -> dict[str, list[Row]]:
    items: dict[str, list[Row]] = {}
    for row in rows:
        items.setdefault(row.get("item_id", ""), []).append(row)
    return items


def _official_results(samples: Sequence[Row]) -> list[bool]:
    """The verdicts that the published rule counts: without the answers it skips, unless none passed (CRUXEval)."""
    results = [row["official_correct"] for row in samples if row.get("official_correct") is not None]
    if not any(results):
        results += [False] * sum(bool(row.get("official_skipped")) for row in samples)
    return results


def _pass_at(results: Sequence[bool], k: int) -> float:
    return pass_at_k(len(results), sum(results), k)


# Numbers of anchors that are told together: the effect of steps is one of distance.
ANCHOR_BANDS = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 1_000_000))


@dataclass(frozen=True)
class Band:
    """The figures of the rows of a benchmark and task whose run has `first` to `last` states."""

    first: int
    last: int
    summary: Summary

    @property
    def label(self) -> str:
        if self.last > 1000:
            return f"{self.first}+"
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


def by_anchors(rows: Sequence[Row], benchmark: str, task: str, seed: int = 0) -> list[Band]:
    """Figures per number of printed states, over the rows whose steps were judged."""
    mine = [row for row in rows if (row["benchmark"], row["task"]) == (benchmark, task) and row["num_states"]]
    bands = []
    for first, last in ANCHOR_BANDS:
        found = [row for row in mine if first <= row["num_states"] <= last]
        if found:
            bands.append(Band(first, last, _summary(found, seed)))
    return bands
