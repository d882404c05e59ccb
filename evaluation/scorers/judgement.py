"""Judgement: what a scorer says of one answer, and pass@k over several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

Mode = Literal["official", "strict"]

# Reasons, besides "": why an answer is not right, or could not be judged.
WRONG = "wrong"
NOT_LITERAL = "not_literal"
MALFORMED = "malformed"
RAISED = "raised"
TIMEOUT = "timeout"
STOPPED = "stopped"  # by another limit of the sandbox, or by its own exit
SKIPPED = "skipped"  # left out by the official rule
SANDBOX_FAILED = "sandbox_failed"


@dataclass(frozen=True)
class Judgement:
    """`correct` is None where there is no verdict: the official rule skips the answer, or our sandbox failed."""

    correct: bool | None
    reason: str = ""

    @staticmethod
    def of(correct: bool, otherwise: str = WRONG) -> Judgement:
        return Judgement(correct, "" if correct else otherwise)


def pass_at_k(num_answers: int, num_correct: int, k: int) -> float:
    """Probability that one of k answers drawn without return is right (Chen et al., arXiv 2107.03374, eq. 1).

    1 where fewer than k are wrong, so also for no answers at all, as in the published code.
    """
    if num_answers - num_correct < k:
        return 1.0
    return 1.0 - prod(1.0 - k / i for i in range(num_answers - num_correct + 1, num_answers + 1))


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> float:
    """Mean of pass@k over rows given as (number of answers, number of right ones); nan for no rows."""
    if not counts:
        return float("nan")
    return sum(pass_at_k(answers, correct, k) for answers, correct in counts) / len(counts)
