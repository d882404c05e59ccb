"""Constant baselines: what answering every question of a task with one and the same text would score.

On REval, always -1 scores 58.7 % on path and always Nil 50.2 % on state, above published models: no figure of a task
with few possible answers means anything without these beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evaluation.questions import END, NIL, NO, YES

_CONSTANTS = {
    "coverage": (YES, NO),
    "state": (NIL,),
    "path": (END,),
    "next_statement": (END,),
    "variable": (NIL,),
}


def constant_baselines(task: str, expected: Sequence[Sequence[str]]) -> dict[str, float]:
    """Accuracy of each constant answer, by its text; `expected` has the accepted answers of each item.

    The task's own constants, and the answer that is accepted most often. Empty for input prediction, where any input
    that gives the result is right.
    """
    if task == "input" or not expected:
        return {}
    counts = Counter(answer for accepted in expected for answer in dict.fromkeys(accepted))
    answers = dict.fromkeys(_CONSTANTS.get(task, ()))
    if counts:
        answers[min(counts, key=lambda answer: (-counts[answer], answer))] = None
    return {answer: counts[answer] / len(expected) for answer in answers}


def best_constant(task: str, expected: Sequence[Sequence[str]]) -> float:
    """The best of the constant baselines; 0 where there is none."""
    return max(constant_baselines(task, expected).values(), default=0.0)
