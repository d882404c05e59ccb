"""REval's metrics over verdicts: the four of coverage, and incremental consistency.

Source: r-eval/REval, evaluation.py and consistency.py (Chen et al., arXiv 2403.16437, section 4.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# What a point is worth by whether coverage, state, path and output are right; every other pattern is worth nothing.
WORTH: dict[tuple[bool, bool, bool, bool], float] = {
    (True, True, True, True): 1.0,
    (True, True, True, False): 0.5,
    (True, True, False, False): 0.25,
    (True, False, False, False): 0.125,
}


@dataclass(frozen=True)
class CoverageMetrics:
    """Shares over all points; a line that is executed counts as positive. nan where the published code divides by 0."""

    accuracy: float
    precision: float
    recall: float
    f1: float


def coverage_metrics(said: Sequence[bool], true: Sequence[bool]) -> CoverageMetrics:
    """`said` and `true`: whether each point's line is executed, as answered and in truth."""
    pairs = list(zip(said, true, strict=True))
    right_yes = sum(answer and truth for answer, truth in pairs)
    precision = _share(right_yes, sum(said))
    recall = _share(right_yes, sum(true))
    f1 = _share(2 * precision * recall, precision + recall)
    return CoverageMetrics(_share(sum(answer == truth for answer, truth in pairs), len(pairs)), precision, recall, f1)


def consistency(coverage: Sequence[bool], state: Sequence[bool], path: Sequence[bool], output: Sequence[bool]) -> float:
    """Incremental consistency in percent; one verdict per point each, a pair's output verdict for all its points."""
    patterns = zip(coverage, state, path, output, strict=True)
    return 100 * _share(sum(WORTH.get(pattern, 0.0) for pattern in patterns), len(coverage))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
