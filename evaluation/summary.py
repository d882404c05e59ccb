"""Summary: the figures of an evaluation, per benchmark and task, with their intervals and baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.baselines import constant_baselines
from evaluation.intervals import Interval, difference_of_means, mean_interval
from evaluation.prompts import TASKS

# Reasons that mean: no usable answer was found in the text.
EXTRACTION_FAILURES = frozenset(
    {"missing_answer", "missing_input", "ambiguous", "not_literal", "malformed_answer", "input_not_literal"}
)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """The figures of one task of one benchmark, over the rows that could be judged.

    `final`: right final answers. `step`: right steps among all true states; None where no steps are asked for, like
    the three after it. `gap`: final − step, the paper's "right answer, wrong logic" distance. `all_correct`: final
    answer and every step right. `wrong_logic`: final answer right and some step wrong, as a share of all answers;
    `wrong_logic_of_right` of the right ones. `covered`: final on lines that are executed (questions only).
    `baselines`: accuracy of constant answers; `above_chance` = (final − best baseline) / (1 − best baseline).
    """

    benchmark: str
    task: str
    num_rows: int
    num_judged: int
    num_left_out: int
    num_programs: int
    final: Interval
    step: Interval | None
    gap: Interval | None
    all_correct: Interval | None
    wrong_logic: Interval | None
    wrong_logic_of_right: float | None
    covered: Interval | None
    num_extraction_failures: int
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
    groups: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((benchmarks.index(row["benchmark"]), TASKS.index(row["task"])), []).append(row)
    return [_summary(groups[key], seed) for key in sorted(groups)]


def _summary(rows: Sequence[Row], seed: int) -> Summary:
    judged = [row for row in rows if row["judged"]]
    clusters = [row["cluster"] for row in judged]
    final_values = [float(row["final_correct"]) for row in judged]
    final = mean_interval(final_values, clusters, seed)
    baselines = constant_baselines(rows[0]["task"], [row["expected"] for row in judged])
    best = max(baselines.values(), default=0.0)
    questions = [row for row in judged if row.get("covered")]
    return Summary(
        benchmark=rows[0]["benchmark"],
        task=rows[0]["task"],
        num_rows=len(rows),
        num_judged=len(judged),
        num_left_out=sum(bool(row.get("left_out")) for row in rows),
        num_programs=len(set(clusters)),
        final=final,
        **_step_figures(judged, seed),
        covered=_mean_final(questions, seed) if questions else None,
        num_extraction_failures=sum(row["reason"] in EXTRACTION_FAILURES for row in judged),
        num_truncated=sum(bool(row.get("truncated")) for row in judged),
        num_faulty=sum(bool(row["faults"]) for row in judged),
        baselines=baselines,
        above_chance=(final.mean - best) / (1 - best) if judged and best < 1 else None,
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


def _mean_final(rows: Sequence[Row], seed: int) -> Interval:
    return mean_interval([float(row["final_correct"]) for row in rows], [row["cluster"] for row in rows], seed)
