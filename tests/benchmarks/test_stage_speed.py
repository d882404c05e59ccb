"""The speed of stages: its table by hand, and the whole of it at its smallest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.stage_speed import Limits, stage_table
from tests.benchmarks.running import run_python

ROW = {"loss": 0.1, "update_s": 2.0, "tokens_per_s": 50.0, "generated_tokens": 100, "length": 20.0}
PHASES = {"generate_s": 1.5, "train_s": 0.5, "generate_tokens_per_s": 66.7, "generate_gpu_busy": 0.25}


def printed(limits: Limits | None) -> str:
    rows = [ROW | PHASES | {"update_s": 9.0}, ROW | PHASES, ROW | PHASES, {"held_out_step": 1.0}]
    console = Console(width=120)
    with console.capture() as seen:
        console.print(stage_table("rl", rows, 10**9, limits))
    return seen.get()


def test_medians_leave_out_the_first_update() -> None:
    text = printed(None)
    assert "RL: 30.0 updates per minute, 50 tokens/s" in text
    assert re.search(r"generate\s+1\.500\s+75%\s+67\s+25%", text), text
    assert re.search(r"train\s+0\.500\s+25%", text)


def test_the_floor_is_that_of_weights_read_and_operations() -> None:
    text = printed(Limits(tflops=1000, gigabytes_per_s=4000))
    # 20 tokens one after the other, each reading 2 GB at 4,000 GB/s; 6 * 1e9 * 100 operations at 1e15 per second
    assert re.search(r"generate.* 0\.01 *$", text, re.MULTILINE), text
    assert re.search(r"train.* 0\.0006 *$", text, re.MULTILINE)


def test_a_stage_of_one_update_tells_nothing() -> None:
    with pytest.raises(ValueError, match="fewer than two updates"):
        stage_table("rl", [ROW], 1, None)


@pytest.mark.slow
def test_both_stages_are_shown(tmp_path: Path, prefect_api: str) -> None:
    given = ["--quick", "--home", str(tmp_path / "home"), "--changes", '{"rl.updates": 3}']
    text = run_python("-m", "benchmarks.stage_speed", *given, PREFECT_API_URL=prefect_api)
    assert re.search(r"SFT: \d+\.\d updates per minute", text), text
    assert re.search(r"generate\s+\d+\.\d+\s+\d+%", text), text
