"""Completions: rows whose answers complete `f(INPUT) == OUTPUT`, judged by the published rule and strictly.

CRUXEval (facebookresearch/cruxeval, evaluation/) and LiveCodeBench's code execution (LiveCodeBench/LiveCodeBench,
lcb_runner/evaluation/) differ in the imports before the program and in what leaves an answer out.

Official: an output answer that holds the call, or an input answer without `f(`, is skipped and leaves n; pass@k is
over what remains. Strict: n is the number of answers; an output is a literal, equal with its types; an input is
literal arguments, on which the *original* function gives the output; everything else is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.inputs import InputError, literal_call
from evaluation.scorers.assertions import OFFICIAL_LIMITS, judge_assertions
from evaluation.scorers.judgement import (
    NOT_LITERAL,
    RAISED,
    SANDBOX_FAILED,
    SKIPPED,
    STOPPED,
    TIMEOUT,
    Judgement,
    Mode,
    pass_at_k,
)
from execution.sandbox import Job, Observation, Sandbox, Verdict
from execution.values import equal_literals

__all__ = ["OFFICIAL_LIMITS", "Completion", "Direction", "Scored", "score_row"]

Direction = Literal["output", "input"]


@dataclass(frozen=True)
class Completion:
    """What a row asks: `source` (its imports included) defines `entry_point`; `call` gives `output`.

    `failed_when_none_passed`: CRUXEval counts skipped answers as wrong where no answer passed, LiveCodeBench only
    where all were skipped.
    """

    source: str
    entry_point: str
    call: str
    output: str
    failed_when_none_passed: bool = True


@dataclass(frozen=True)
class Scored:
    """Judgements in the order of the answers; `results` are those that count in pass@k."""

    judgements: tuple[Judgement, ...]
    results: tuple[bool, ...]

    def pass_at(self, k: int) -> float:
        return pass_at_k(len(self.results), sum(self.results), k)


def score_row(row: Completion, answers: Sequence[str], direction: Direction, mode: Mode, sandbox: Sandbox) -> Scored:
    """All answers of one row; equal answers are judged once. One that our sandbox failed on leaves n in either mode."""
    different = list(dict.fromkeys(answers))
    judge = _strict if mode == "strict" else _official
    verdicts = dict(zip(different, judge(row, different, direction, sandbox), strict=True))
    judged = tuple(verdicts[answer] for answer in answers)
    results = tuple(one.correct for one in judged if one.correct is not None)
    num_skipped = sum(one.reason == SKIPPED for one in judged)
    if (row.failed_when_none_passed and not any(results)) or num_skipped == len(answers):
        results += (False,) * num_skipped
    return Scored(judged, results)


def _official(row: Completion, answers: Sequence[str], direction: Direction, sandbox: Sandbox) -> list[Judgement]:
    run = [place for place, answer in enumerate(answers) if not _skipped(row, answer, direction)]
    seen = judge_assertions(row.source, row.output, [answers[place] for place in run], sandbox)
    judged = [Judgement(None, SKIPPED)] * len(answers)
    for place, judgement in zip(run, seen, strict=True):
        judged[place] = judgement
    return judged


def _skipped(row: Completion, answer: str, direction: Direction) -> bool:
    return f"{row.entry_point}(" not in answer if direction == "input" else row.call in answer


def _strict(row: Completion, answers: Sequence[str], direction: Direction, sandbox: Sandbox) -> list[Judgement]:
    if direction == "output":
        equal = [equal_literals(answer, row.output) for answer in answers]
        return [Judgement(False, NOT_LITERAL) if one is None else Judgement.of(one) for one in equal]
    judged: dict[int, Judgement] = {}
    jobs: dict[int, Job] = {}
    for place, answer in enumerate(answers):
        try:
            jobs[place] = Job(row.source, literal_call(row.entry_point, answer))
        except InputError:
            judged[place] = Judgement(False, NOT_LITERAL)
    for place, seen in zip(jobs, sandbox.run_together(list(jobs.values())), strict=True):
        if seen.verdict is Verdict.SANDBOX_FAILED:
            seen = sandbox.run(jobs[place])
        judged[place] = _input_verdict(seen, row.output)
    return [judged[place] for place in range(len(answers))]


def _input_verdict(seen: Observation, output: str) -> Judgement:
    if seen.verdict is Verdict.OK:
        return Judgement.of(bool(seen.result_is_literal and equal_literals(seen.result or "", output)))
    if seen.verdict is Verdict.SANDBOX_FAILED:
        return Judgement(None, SANDBOX_FAILED)
    return Judgement(False, {Verdict.EXCEPTION: RAISED, Verdict.TIMEOUT: TIMEOUT}.get(seen.verdict, STOPPED))
