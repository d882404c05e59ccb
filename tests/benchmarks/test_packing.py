"""The benchmark of packing runs and prints a row for each arm."""

from __future__ import annotations

import re

import pytest

from benchmarks.packing import ARMS, main


@pytest.mark.slow
def test_quick_prints_every_arm(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick"])
    printed = capsys.readouterr().out
    for arm in ARMS:
        assert re.search(rf"^\s+{re.escape(arm)}\s+\d+\s+\d+\s+up to \d+\s+\d+%\s+\d+\.\d+\s", printed, re.MULTILINE)
    assert re.search(rf"{next(iter(ARMS))}.*\s1\.00\s", printed)
