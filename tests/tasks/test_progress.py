"""What people are told of a running step: rate and remaining time."""

from __future__ import annotations

import pytest

from tasks.progress import Progress, pace


@pytest.mark.parametrize(
    ("done", "total", "elapsed_s", "said"),
    [
        (0, 100, 5, ""),
        (123, 3000, 10, "12.3 items/s, 4 min left"),  # 2877 / 12.3 = 233.9 s
        (1000, 4000, 4, "250 items/s, 12 s left"),
        (1, 3, 60, "1 items/min, 2 min left"),  # 120 s
        (1, 241, 30, "2 items/min, 2 h 0 min left"),
        (50, 50, 25, "2.0 items/s"),
    ],
)
def test_pace_gives_rate_and_remaining_time(done: float, total: float, elapsed_s: float, said: str) -> None:
    assert pace(done, total, elapsed_s) == said


def test_what_was_there_before_counts_neither_as_done_nor_as_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("tasks.progress.time.monotonic", lambda: now[0])
    bar = Progress("answers", 1000, None, None)
    now[0] += 10
    assert bar.pace(800, "answers", before=700) == "10.0 answers/s, 20 s left"
