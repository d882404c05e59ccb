"""Modules of the standard library with anchors pass the standard library's own tests."""

from __future__ import annotations

import os

import pytest

from tests.execution.anchored_suite import NoTests, run_suite
from tests.execution.standard_library import SUITES


@pytest.mark.parametrize("names", sorted(SUITES))
def test_a_standard_library_module_with_anchors_passes_its_own_tests(names: str) -> None:
    try:
        report = run_suite(names.split(), SUITES[names].split(), anchored=True, timeout_s=120)
    except NoTests as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"this Python has no test package: {missing}")
    assert report.num_anchors > 10
    assert report.num_shown > 10
    assert report.num_run > 5
    assert report.failed == {}
