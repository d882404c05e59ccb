"""The benchmark of RL's speed runs and prints a row for each trainer and each kind of grading."""

from __future__ import annotations

import random
import re

import pytest

from benchmarks.rl_speed import OURS, STOCK, disturbed, main


@pytest.mark.slow
def test_quick_prints_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick"])
    printed = capsys.readouterr().out
    assert re.search(rf"{STOCK}\s+\d+\.\d+\s+1\.00", printed)
    for row in (*OURS, "50 % input prediction", "output prediction by own states"):
        assert re.search(rf"^\s+{re.escape(row)}\s+\d+\.\d+\s", printed, re.MULTILINE), printed


def test_a_share_of_printed_numbers_is_changed_and_nothing_else() -> None:
    response = "<reasoning>1 + 2</reasoning><print>a: 3</print><answer>4</answer>"
    assert disturbed(response, random.Random(0), 0.0) == response
    changed = disturbed(response, random.Random(0), 1.0)
    assert re.fullmatch(r"<reasoning>1 \+ 2</reasoning><print>a: [456]</print><answer>[567]</answer>", changed)
