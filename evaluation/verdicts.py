"""Verdicts: what the judges of several benchmarks share, for answers in our tags and published ones."""

from __future__ import annotations

from dataclasses import replace

from evaluation.responses import AMBIGUOUS, Response
from evaluation.scorers.completions import Completion, Direction, score_row
from evaluation.scorers.judgement import Judgement
from evaluation.scoring import Scored
from execution.sandbox import Sandbox

MISSING_ANSWER = "missing_answer"
AMBIGUOUS_ANSWER = "ambiguous"
WRONG_NUMBER_OF_STEPS = "wrong_number_of_steps"


def official_completion(row: Completion, answer: str, direction: Direction, sandbox: Sandbox) -> Judgement:
    """The published verdict on one greedy answer. An answer that the published rule skips is wrong then: with nothing
    else to count, both benchmarks take the row for failed."""
    scored = score_row(row, [answer], direction, "official", sandbox)
    [judgement] = scored.judgements
    return replace(judgement, correct=scored.results[0]) if scored.results else judgement


def strict_completion(row: Completion, answer: str, direction: Direction, sandbox: Sandbox) -> Judgement:
    return score_row(row, [answer], direction, "strict", sandbox).judgements[0]


def of_scored(scored: Scored) -> Judgement:
    """A Scored's final verdict; its reason is a name of `evaluation.scoring.REASONS`."""
    return Judgement(scored.final_correct, "" if scored.final_correct else scored.reason)


def why_no_answer(response: Response) -> str:
    """Why a response in our tags has no single answer to judge strictly, or ""."""
    if response.answer is None:
        return MISSING_ANSWER
    return AMBIGUOUS_ANSWER if AMBIGUOUS & set(response.faults) else ""


def said(response: Response) -> tuple[str, ...]:
    """The printed lines that the response predicts."""
    return tuple(step.text for step in response.steps)
