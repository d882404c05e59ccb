"""The speed table at a small size: every way gives the known results, and ratios are what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.in_process import bare, traced
from benchmarks.sandbox_speed import NUM_INPUTS, Way, all_ways, fork_floor_s, small, table
from execution.zygote import ZygoteSandbox
from tests.execution.conftest import open_jail

LOOP = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"


def test_every_way_runs_every_program_and_compares_its_result() -> None:
    programs = small(2)
    wrong = replace(programs[0], expected="[]")
    with open_jail() as jail:
        assert isinstance(jail, ZygoteSandbox)
        for way, way_of_wrong in zip(all_ways(jail, programs), all_ways(jail, [wrong]), strict=True):
            way.measure()
            assert (way.num_wrong, way.num_rounds, way.cpu_s > 0 or way.num_runs < 100) == (0, 1, True), way.label
            assert way_of_wrong.run() == (NUM_INPUTS if "inputs" in way.label else 1), way.label


def test_ratios_are_to_the_fresh_interpreters() -> None:
    ways = [Way("python", lambda: 0, 10), Way("bare python", lambda: 0, 10), Way("sandbox", lambda: 2, 100)]
    for way, used in zip(ways, (0.2, 0.1, 0.1), strict=True):
        way.cpu_s, way.num_rounds = used, 1
    lines = table(ways, 0.0005).splitlines()
    assert lines[3].split() == ["sandbox", "1,000", "1.00", "0.00", "20.0", "10.0", "0"]
    assert lines[4].split()[-4:] == ["2,000", "0.50", "40.0", "20.0"]


def test_the_floor_is_measured_on_the_jails_own_warm_interpreter() -> None:
    assert fork_floor_s() > 0


def test_tracing_in_this_process_sees_each_line_with_the_values_before_it() -> None:
    result, rows = traced(LOOP, "f(2)")
    assert (result, bare(LOOP, "f(2)")) == (1, 1)
    assert rows[1:] == [
        (2, {"n": "2"}),
        (3, {"n": "2", "total": "0"}),
        (4, {"n": "2", "total": "0", "i": "0"}),
        (3, {"n": "2", "total": "0", "i": "0"}),
        (4, {"n": "2", "total": "0", "i": "1"}),
        (3, {"n": "2", "total": "1", "i": "1"}),
        (5, {"n": "2", "total": "1", "i": "1"}),
    ]


def test_tracing_in_this_process_ends_with_an_exception_too() -> None:
    with pytest.raises(ZeroDivisionError):
        traced("def f():\n    return 1 / 0", "f()")
