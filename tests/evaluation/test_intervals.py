"""Intervals: values worked by hand, what clusters do, and how often the truth is covered."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluation.intervals import difference_of_means, mean_interval, paired_difference


def names(values: list[int]) -> list[str]:
    return [str(value) for value in values]


def test_nothing_has_no_interval() -> None:
    interval = mean_interval([], [])
    assert math.isnan(interval.mean)
    assert (interval.num_items, interval.num_clusters) == (0, 0)
    assert not interval.excludes_zero


def test_one_program_says_nothing_about_the_spread() -> None:
    interval = mean_interval([1, 1, 0, 0], ["a"] * 4)
    assert (interval.mean, interval.low, interval.high) == (0.5, -math.inf, math.inf)
    assert not interval.excludes_zero


def test_all_right_and_all_wrong_have_the_exact_binomial_interval() -> None:
    # Six programs, twelve items: 0.025 ** (1/6) = 0.5407 (Clopper and Pearson, n = 6).
    programs = names([1, 2, 3, 4, 5, 6]) * 2
    right = mean_interval([1.0] * 12, programs)
    assert (right.mean, round(right.low, 4), right.high) == (1.0, 0.5407, 1.0)
    wrong = mean_interval([0.0] * 12, programs)
    assert (wrong.mean, wrong.low, round(wrong.high, 4)) == (0.0, 0.0, 0.4593)


def test_equal_values_that_are_no_shares_have_an_interval_of_one_point() -> None:
    interval = mean_interval([0.5] * 6, names([1, 2, 3, 4, 5, 6]))
    assert (interval.mean, interval.low, interval.high) == (0.5, 0.5, 0.5)


def test_two_programs_give_the_three_resamples_there_are() -> None:
    # Means of the resamples: 0 (1/4), 0.5 (1/2), 1 (1/4); the ends of the middle 95 % are 0 and 1.
    interval = mean_interval([0, 1], ["a", "b"])
    assert (interval.mean, interval.low, interval.high) == (0.5, 0.0, 1.0)
    middle = mean_interval([0, 1], ["a", "b"], level=0.4)
    assert (middle.low, middle.high) == (0.5, 0.5)


def test_the_half_width_is_that_of_the_normal_approximation_for_single_items() -> None:
    values = [1.0] * 400 + [0.0] * 400
    interval = mean_interval(values, names(list(range(800))))
    # 1.96 * sqrt(0.25 / 800) = 3.46 points
    assert interval.half_width == pytest.approx(0.0346, abs=0.003)


def test_items_that_agree_within_programs_widen_the_interval() -> None:
    values = [float(program % 2) for program in range(40) for _ in range(10)]
    apart = mean_interval(values, names(list(range(400))))
    together = mean_interval(values, names([program for program in range(40) for _ in range(10)]))
    # Ten copies of one answer are one answer: sqrt(10) wider.
    assert together.half_width / apart.half_width == pytest.approx(math.sqrt(10), rel=0.15)


def test_a_paired_difference_sees_what_two_intervals_do_not() -> None:
    generator = np.random.default_rng(1)
    base = (generator.random(300) < 0.5).astype(float)
    better = base.copy()
    better[np.flatnonzero(base == 0)[:12]] = 1
    clusters = names(list(range(300)))
    difference = paired_difference(better.tolist(), base.tolist(), clusters)
    assert difference.mean == pytest.approx(12 / 300)
    assert difference.low > 0
    assert mean_interval(better.tolist(), clusters).low < mean_interval(base.tolist(), clusters).high


def test_a_difference_of_means_takes_the_programs_together() -> None:
    # Final answers 1, 0; steps 1 1 | 0 0: equal in every resample, so the difference is 0 without any spread.
    difference = difference_of_means([1, 0], ["a", "b"], [1, 1, 0, 0], ["a", "a", "b", "b"])
    assert (difference.mean, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_the_seed_decides_the_interval() -> None:
    values = np.random.default_rng(0).random(50).tolist()
    clusters = names(list(range(50)))
    assert mean_interval(values, clusters, seed=1) == mean_interval(values, clusters, seed=1)
    assert mean_interval(values, clusters, seed=1) != mean_interval(values, clusters, seed=2)


def test_values_without_their_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="cluster"):
        mean_interval([1, 0], ["a"])
    with pytest.raises(ValueError, match="differ in number"):
        paired_difference([1], [1, 0], ["a"])
    with pytest.raises(ValueError, match="level"):
        mean_interval([1, 0], ["a", "b"], level=1.0)


def test_a_95_percent_interval_covers_the_truth_in_at_least_90_percent_of_simulations() -> None:
    """60 programs of 1 to 6 items; a program's difficulty is drawn around 0.4."""
    generator = np.random.default_rng(7)
    num_simulations, covered = 300, 0
    for simulation in range(num_simulations):
        values: list[float] = []
        clusters: list[str] = []
        for program in range(60):
            rate = generator.beta(1.2, 1.8)  # mean 0.4
            size = int(generator.integers(1, 7))
            values += (generator.random(size) < rate).astype(float).tolist()
            clusters += [str(program)] * size
        interval = mean_interval(values, clusters, seed=simulation, num_resamples=500)
        covered += interval.low <= 0.4 <= interval.high
    assert 0.90 <= covered / num_simulations <= 0.99
