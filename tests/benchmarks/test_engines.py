"""The benchmark of rollout engines runs and prints a row for each."""

from __future__ import annotations

import pytest

from benchmarks.engines import SIZES, main, random_llama


def test_quick_prints_every_engine(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--engine", "transformers", "--engine", "sampler"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("1M")]
    assert [row[1] for row in rows] == ["transformers", "sampler"]
    assert rows[0][4] == "1.00"
    assert all(float(row[3].replace(",", "")) > 0 for row in rows)


@pytest.mark.parametrize(("size", "millions"), [("1M", 1), ("5M", 5), ("30M", 30)])
def test_sizes_are_what_they_say(size: str, millions: int) -> None:
    assert size in SIZES
    assert random_llama(size).num_parameters() / 1e6 == pytest.approx(millions, rel=0.1)
