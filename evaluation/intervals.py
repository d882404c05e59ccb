"""Intervals: means with a bootstrap over programs, alone, as a paired difference, and as a difference of two means.

Items of one program share its difficulty, so whole programs (clusters) are drawn, not items (percentile bootstrap;
Efron and Tibshirani 1993, ch. 13; Miller 2024, arXiv 2411.00640, on clustered items in model evaluations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES = 2000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its interval; nan for all three where there are no items.

    With one cluster nothing can be said about the spread: low and high are -inf and inf, so nothing passes for
    significant.
    """

    mean: float
    low: float
    high: float
    num_items: int
    num_clusters: int

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


NOTHING = Interval(float("nan"), float("nan"), float("nan"), 0, 0)


def mean_interval(
    values: Sequence[float],
    clusters: Sequence[str],
    seed: int = 0,
    level: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
) -> Interval:
    """Mean of `values` over items; `clusters` names each item's program.

    Where all values are 0, or all 1, a resample shows no spread: the far end is that of Clopper and Pearson (1934)
    for as many trials as there are programs.
    """
    found = _interval([(values, clusters, 1.0)], seed, level, num_resamples)
    if found.num_clusters < 2 or len(set(values)) > 1 or found.mean not in {0.0, 1.0}:
        return found
    reach = 1 - ((1 - level) / 2) ** (1 / found.num_clusters)
    return replace(found, high=reach) if found.mean == 0 else replace(found, low=1 - reach)


def paired_difference(
    a: Sequence[float],
    b: Sequence[float],
    clusters: Sequence[str],
    seed: int = 0,
    level: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
) -> Interval:
    """Mean of a − b over the same items in the same order."""
    if len(a) != len(b):
        raise ValueError(f"paired values differ in number: {len(a)} and {len(b)}")
    differences = (np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).tolist()
    return _interval([(differences, clusters, 1.0)], seed, level, num_resamples)


def difference_of_means(
    a: Sequence[float],
    clusters_a: Sequence[str],
    b: Sequence[float],
    clusters_b: Sequence[str],
    seed: int = 0,
    level: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
) -> Interval:
    """mean(a) − mean(b) where items differ in number but share programs, as final answers and steps do."""
    if not len(a) or not len(b):
        return NOTHING
    return _interval([(a, clusters_a, 1.0), (b, clusters_b, -1.0)], seed, level, num_resamples)


def _interval(
    parts: list[tuple[Sequence[float], Sequence[str], float]], seed: int, level: float, num_resamples: int
) -> Interval:
    if any(len(values) != len(clusters) for values, clusters, _ in parts):
        raise ValueError("each value needs its cluster")
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, not at {level}")
    names = sorted({name for _, clusters, _ in parts for name in clusters})
    if not names:
        return NOTHING
    index = {name: position for position, name in enumerate(names)}
    sums: list[Floats] = []
    counts: list[Floats] = []
    signs: list[float] = []
    for values, clusters, sign in parts:
        where = np.fromiter((index[name] for name in clusters), dtype=np.int64, count=len(clusters))
        sums.append(_totals(where, np.asarray(values, dtype=np.float64), len(names)))
        counts.append(_totals(where, np.ones(len(where)), len(names)))
        signs.append(sign)
    mean = float(sum(sign * one.sum() / num.sum() for sign, one, num in zip(signs, sums, counts, strict=True)))
    num_items = len(parts[0][0])
    if len(names) == 1:
        return Interval(mean, float("-inf"), float("inf"), num_items, 1)
    drawn = _resampled(sums, counts, signs, seed, num_resamples)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), num_items, len(names))


def _totals(where: NDArray[np.int64], values: Floats, num_clusters: int) -> Floats:
    return np.bincount(where, weights=values, minlength=num_clusters).astype(np.float64)


def _resampled(sums: list[Floats], counts: list[Floats], signs: list[float], seed: int, num_resamples: int) -> Floats:
    """The statistic on each resample: clusters drawn with replacement, as weights, in blocks of bounded memory."""
    generator = np.random.default_rng(seed)
    num_clusters = len(sums[0])
    block = max(1, min(num_resamples, 4_000_000 // num_clusters))
    drawn: list[Floats] = []
    for start in range(0, num_resamples, block):
        size = min(block, num_resamples - start)
        chosen = generator.integers(0, num_clusters, size=(size, num_clusters))
        chosen += num_clusters * np.arange(size)[:, None]
        weights = np.bincount(chosen.ravel(), minlength=size * num_clusters).reshape(size, num_clusters) * 1.0
        total = np.zeros(size)
        for one, num, sign in zip(sums, counts, signs, strict=True):
            items = weights @ num
            total += sign * np.divide(weights @ one, items, out=np.full(size, np.nan), where=items > 0)
        drawn.append(total)
    together = np.concatenate(drawn)
    return together[~np.isnan(together)]
