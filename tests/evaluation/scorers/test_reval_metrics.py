"""REval's metrics, on values worked by hand."""

from __future__ import annotations

import math

import pytest

from evaluation.scorers.reval_metrics import CoverageMetrics, consistency, coverage_metrics


def test_coverage_metrics_take_executed_lines_as_positive() -> None:
    # 2 right YES, 1 wrong YES, 1 missed, 1 right NO: precision 2/3, recall 2/3.
    metrics = coverage_metrics([True, True, True, False, False], [True, True, False, True, False])
    assert metrics == CoverageMetrics(0.6, pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_where_the_published_code_divides_by_zero_there_is_no_figure() -> None:
    metrics = coverage_metrics([False, False], [True, False])
    assert metrics.accuracy == 0.5 and math.isnan(metrics.precision) and metrics.recall == 0.0


def test_a_point_is_worth_what_is_right_in_order_and_nothing_out_of_order() -> None:
    patterns = [
        (True, True, True, True),  # 1
        (True, True, True, False),  # 0.5
        (True, True, False, False),  # 0.25
        (True, False, False, False),  # 0.125
        (True, False, True, True),  # 0
        (False, True, True, True),  # 0
        (False, False, False, True),  # 0
        (True, True, False, True),  # 0
    ]
    assert consistency(*zip(*patterns, strict=True)) == pytest.approx(100 * 1.875 / 8)
