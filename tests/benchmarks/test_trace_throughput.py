"""The throughput tables at a small size: what they count, without a word on how fast it was."""

from __future__ import annotations

import json
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.trace_throughput import (
    NUM_INPUTS,
    Observer,
    Waiter,
    growth_table,
    instrumentation_table,
    run_pool,
    sources,
)
from execution.traces import Trace
from tests.execution.conftest import open_jail


def test_the_programs_of_the_throughput_are_different_sources_of_all_levels() -> None:
    groups = list(islice(sources(), 12))
    assert [programs[0].level for programs in groups] == [1, 2, 3, 4, 5, 6] * 2
    assert len({programs[0].source for programs in groups}) == 12
    assert all(len(programs) == NUM_INPUTS == len({one.call for one in programs}) for programs in groups)


def test_a_worker_gives_the_trace_of_every_program_of_its_piece() -> None:
    open_jail().close()  # skips where there is none
    piece = list(islice(sources(), 2))
    worker = Observer()
    try:
        rows = worker.do(piece)
    finally:
        worker.close()
    assert [Trace.from_json(row).program for row in rows] == [program for programs in piece for program in programs]
    assert Waiter(0.0, rows).do(piece) == rows


def test_the_growth_table_has_a_row_for_the_whole_size() -> None:
    open_jail().close()
    rows = growth_table(NUM_INPUTS * 4).splitlines()[1:]
    assert len(rows) == 1 and int(rows[0].split()[0]) >= NUM_INPUTS * 4


def test_the_instrumentation_table_counts_all_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cruxeval").mkdir()
    (tmp_path / "cruxeval" / "dev.jsonl").write_text(
        json.dumps({"code": "def f(x):\n    y = x\n    return y\n"}) + "\n"
    )
    monkeypatch.setenv("STEPCODE_BENCHMARKS", str(tmp_path))
    rows = [line.split() for line in instrumentation_table(6).splitlines()]
    assert [row[0] for row in rows[1:]] == ["level"] * 6 + ["CRUXEval", "all"]
    assert (rows[7][1], rows[8][1]) == ("1", "7")


def test_the_pool_gives_programs_per_second_and_the_last_answer() -> None:
    pieces = [(f"piece-{number}", None) for number in range(9)]
    rate, _, answer = run_pool(partial(Waiter, 0.05, ["a", "b"]), pieces, 2)
    # nine pieces take two workers five turns of at least 0.05 s
    assert answer == ["a", "b"] and 0 < rate <= 9 * 2 / (5 * 0.05)
