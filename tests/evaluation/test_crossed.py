"""Intervals over seeds and programs: exact means, spread from both, and coverage on simulated data."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.crossed import crossed_difference, crossed_mean


def test_the_mean_is_weighted_and_exact() -> None:
    values = np.array([[1.0, 0.0], [0.5, 1.0]])
    weights = np.array([[2.0, 1.0], [2.0, 3.0]])
    found = crossed_mean(values, ["a", "b"], weights)
    assert found.mean == (2 + 0 + 1 + 3) / 8
    assert found.low <= found.mean <= found.high
    assert (found.num_items, found.num_clusters) == (2, 2)


def test_one_seed_or_one_program_has_no_ends() -> None:
    assert crossed_mean(np.ones((1, 4)), list("abcd")).low == float("-inf")
    assert crossed_mean(np.ones((3, 2)), ["a", "a"]).high == float("inf")


def test_spread_comes_from_seeds_and_from_programs() -> None:
    generator = np.random.default_rng(1)
    programs = [str(number) for number in range(200)]
    between_seeds = np.repeat(generator.normal(size=(6, 1)), 200, axis=1)
    between_programs = np.repeat(generator.normal(size=(1, 200)), 6, axis=0)
    seeds, items = (crossed_mean(one, programs) for one in (between_seeds, between_programs))
    assert seeds.half_width > 0.3
    assert 0.08 < items.half_width < 0.25


def test_items_of_one_program_are_drawn_together() -> None:
    values = np.repeat(np.random.default_rng(2).normal(size=(4, 20)), 10, axis=1)
    together = crossed_mean(values, [str(number // 10) for number in range(200)])
    apart = crossed_mean(values, [str(number) for number in range(200)])
    assert together.half_width > 1.5 * apart.half_width


def test_a_difference_is_paired() -> None:
    generator = np.random.default_rng(3)
    base = generator.normal(size=(5, 300))
    found = crossed_difference(base + 0.1, base, [str(number) for number in range(300)])
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    with pytest.raises(ValueError, match="differ"):
        crossed_difference(base, base[:2], [str(number) for number in range(300)])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(4)
    clusters = [str(number) for number in range(60)]
    covered = 0
    for trial in range(200):
        effects = generator.normal(size=(8, 1)) * 0.3 + generator.normal(size=(1, 60)) * 0.5
        found = crossed_mean(effects + generator.normal(size=(8, 60)), clusters, seed=trial, num_resamples=400)
        covered += found.low <= 0 <= found.high
    assert covered >= 175
