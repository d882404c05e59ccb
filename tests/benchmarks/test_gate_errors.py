"""The simulation of the gate's errors, small: its data has the quality it says, and finished comparisons are found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gate_errors
from benchmarks.gate_errors import centre, compare, decisions, plot, share_interval, sigmoid


def test_the_simulated_chance_has_the_mean_that_was_asked_for() -> None:
    draws = np.random.default_rng(0).normal(0, 1.5, 200_000)
    for mean in (0.6, 0.9):
        assert sigmoid(centre(mean, 1.5) + draws).mean() == pytest.approx(mean, abs=0.005)


def test_a_great_gain_is_promoted_a_great_loss_rejected_and_no_gain_is_not_promoted() -> None:
    def verdicts(gain: float) -> set[str]:
        return {compare(gain, np.random.default_rng(seed)) for seed in range(3)}

    assert verdicts(9.0) == {"promote"}
    assert verdicts(-9.0) == {"reject"}
    assert "promote" not in verdicts(0.0)


def test_what_was_decided_is_not_decided_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list(decisions(tmp_path, 0.0, 2))
    monkeypatch.setattr(gate_errors, "compare", lambda *given: "anew")
    assert list(decisions(tmp_path, 0.0, 3)) == [*first, "anew"]


def test_the_page_shows_every_verdict_with_its_interval_and_how_much_was_simulated(tmp_path: Path) -> None:
    shares = {0.0: Counter(hold=15, reject=5), 2.5: Counter(promote=20)}
    plot(tmp_path / "page.html", shares)
    html = (tmp_path / "page.html").read_text("utf-8")
    for said in ("promoted 100.0 %", "held 0.0 %", "rejected 0.0 %", "true gain, points 0: rejected 25.0 %"):
        assert said in html
    assert "20 comparisons per gain" in html
    assert all(html.count(f'class="whisker {style}"') == 2 for style in ("final", "loss", "step"))
    interval = share_interval(shares[0.0], "reject")
    assert (interval.mean, interval.low > 0, interval.high < 0.5) == (0.25, True, True)


def test_a_loss_is_simulated_by_other_draws_than_the_gain_of_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_errors, "compare", lambda gain, generator: str(generator.random()))
    assert list(decisions(tmp_path, -2.0, 2)) != list(decisions(tmp_path, 2.0, 2))
