"""Intervals over seeds and programs at once: what another seed and other programs would have given.

The seeds of a training and the programs of a test are crossed: every seed's model answers every program. Both are drawn
again, with replacement and independently of each other (the pigeonhole bootstrap: A. B. Owen, Annals of Applied
Statistics 1, 2007), items of one program together. S seeds, I items.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.intervals import NUM_RESAMPLES, Interval

Floats = NDArray[np.float64]


def crossed_mean(
    value_SI: Floats,
    clusters: Sequence[str],
    weight_SI: Floats | None = None,
    seed: int = 0,
    level: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
) -> Interval:
    """Weighted mean of `value_SI` (weights such as numbers of steps; default 1) with its interval over seeds and
    programs; `clusters` names the program of each item. One seed or one program: an interval without ends."""
    value_SI = np.asarray(value_SI, dtype=np.float64)
    weight_SI = np.ones_like(value_SI) if weight_SI is None else np.asarray(weight_SI, dtype=np.float64)
    if value_SI.shape != weight_SI.shape or value_SI.shape[1:] != (len(clusters),):
        raise ValueError(f"values {value_SI.shape}, weights {weight_SI.shape} and {len(clusters)} clusters differ")
    names = sorted(set(clusters))
    where = np.searchsorted(np.array(names), np.array(clusters))
    total_SC, weight_SC = (_by_cluster(one, where, len(names)) for one in (value_SI * weight_SI, weight_SI))
    mean = float(total_SC.sum() / weight_SC.sum())
    num_seeds, num_clusters = total_SC.shape
    if num_seeds < 2 or num_clusters < 2:
        return Interval(mean, float("-inf"), float("inf"), len(clusters), num_clusters)
    generator = np.random.default_rng(seed)
    seeds_RS = generator.multinomial(num_seeds, [1 / num_seeds] * num_seeds, size=num_resamples)
    clusters_RC = generator.multinomial(num_clusters, [1 / num_clusters] * num_clusters, size=num_resamples)
    drawn_R = _drawn(seeds_RS, total_SC, clusters_RC) / _drawn(seeds_RS, weight_SC, clusters_RC)
    low, high = np.quantile(drawn_R[~np.isnan(drawn_R)], [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), len(clusters), num_clusters)


def crossed_difference(
    a_SI: Floats,
    b_SI: Floats,
    clusters: Sequence[str],
    weight_SI: Floats | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of a − b where both were trained from the same start under the same seeds and asked the same items."""
    if np.shape(a_SI) != np.shape(b_SI):
        raise ValueError(f"paired values differ in shape: {np.shape(a_SI)} and {np.shape(b_SI)}")
    return crossed_mean(np.asarray(a_SI) - np.asarray(b_SI), clusters, weight_SI, seed, level)


def _by_cluster(value_SI: Floats, where: NDArray[np.int64], num_clusters: int) -> Floats:
    return np.stack([np.bincount(where, weights=row, minlength=num_clusters) for row in value_SI])


def _drawn(seeds_RS: NDArray[np.int64], total_SC: Floats, clusters_RC: NDArray[np.int64]) -> Floats:
    drawn: Floats = np.einsum("rs,sc,rc->r", seeds_RS, total_SC, clusters_RC, optimize=True).astype(np.float64)
    return drawn
