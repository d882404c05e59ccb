"""`stepcode explain`: what was logged in training is what the tokens got, and it is found by run, file and version."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from stepcode import app
from tasks.errors import NothingToExplain
from tasks.explain import chosen_group, chosen_rollout, explanation, logged_rollouts
from tests.training.test_bilevel import END, STEP_A, STEP_B, WRONG_A, WRONG_B, WRONG_END, make_trainer, scored
from tests.training.tiny_data import tiny_recipe
from training.config import Recipe
from training.metrics import ROLLOUTS, read_metrics
from training.rl import run_rl
from training.rollout_log import RolloutLog

R = math.sqrt(0.5)


@pytest.fixture
def logged(tmp_path: Path, sft_folder: Path) -> Path:
    """A folder with one scripted group: rewards of a 1 1 0, of b 1 0 0, of the answer 1 0 0."""
    texts = [STEP_A + STEP_B + END, STEP_A + WRONG_B + WRONG_END, WRONG_A + WRONG_B + WRONG_END]
    recipe = tiny_recipe(rl__prompts_per_update=1)
    trainer = make_trainer(recipe, sft_folder, tmp_path, texts)
    trainer.rollout_log = RolloutLog(tmp_path, recipe, -1)
    scored(trainer)
    return tmp_path


def test_the_log_spells_out_every_advantage(logged: Path) -> None:
    rows = logged_rollouts(str(logged))
    assert [(row["group"], row["rollout"]) for row in rows] == [(0, 0), (0, 1), (0, 2)]
    first = rows[0]
    assert first["states"] == ["a: 3", "b: 6"]
    assert (first["step_rewards"], first["final_reward"], first["reason"]) == ([1, 1], 1, "right")
    assert first["group_advantages"] == pytest.approx([R, 2 * R], abs=1e-4)
    assert first["step_advantages"] == pytest.approx([R + 0.6, 2 * R + 0.3], abs=1e-4)
    assert first["final_advantage"] == pytest.approx(2 * R, abs=1e-4)
    for row in rows:
        assert "".join(row["tokens"]).startswith(row["text"])
        for token, advantage in enumerate(row["advantages"]):
            own = [
                a for (start, end), a in zip(row["spans"], row["step_advantages"], strict=True) if start <= token < end
            ]
            assert advantage == pytest.approx(sum(own) + row["final_advantage"], abs=1e-4)


def test_every_token_is_shown_with_its_step(logged: Path) -> None:
    group = chosen_group(logged_rollouts(str(logged)), None, None)
    out = Console(width=160, record=True, file=io.StringIO())
    row = chosen_rollout(group, 1)
    out.print(explanation(group, row, prompt=True))
    text = out.export_text()
    assert "rollout 1 of 3; output prediction of f(2); mode bilevel, lambda 0.3" in text
    assert "final reward 0 (wrong), the group's 1 0 0: A_final -0.707" in text
    assert re.search(r"2\s+b: 6\s+b: 3\s+0\s+1 0 0\s+-0\.707\s+\+0\.000\s+-0\.707", text)
    lines = [line for line in text.splitlines() if re.match(r"\s+\d+\s.*[+-]\d\.\d{3}\s*$", line)]
    assert len(lines) == len(row["step_rewards"]) + len(row["tokens"])
    assert lines[2].split()[-6:] == ["1", "1", "+0.707", "+0.300", "-0.707", "+0.300"]  # the first token


def test_what_was_not_logged_is_said(logged: Path, tmp_path: Path) -> None:
    rows = logged_rollouts(str(logged / ROLLOUTS))
    with pytest.raises(NothingToExplain, match="update 7 was not logged; logged are 1"):
        chosen_group(rows, 7, None)
    with pytest.raises(NothingToExplain, match="group 3 of update 1"):
        chosen_group(rows, None, 3)
    with pytest.raises(NothingToExplain, match="the group has 3"):
        chosen_rollout(rows, 5)
    with pytest.raises(NothingToExplain, match=r"no rollouts\.jsonl at"):
        logged_rollouts(str(tmp_path / "none.jsonl"))


def test_the_command_prints_it(logged: Path) -> None:
    shown = CliRunner().invoke(app, ["explain", str(logged), "--rollout", "2", "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.output)["rollout"] == 2
    shown = CliRunner().invoke(app, ["explain", str(logged), "--update", "9"])
    assert shown.exit_code == 1
    assert "update 9 was not logged" in shown.output


@pytest.mark.parametrize("every", [0, 2])
def test_a_resumed_run_logs_each_rollout_once(tmp_path: Path, dataset: Path, sft_folder: Path, every: int) -> None:
    torch.set_num_threads(1)
    recipe = tiny_recipe(logging__rollouts_every=every, logging__rollout_groups=1)

    def run(recipe: Recipe, stop_after: int | None = None) -> None:
        run_rl(recipe, dataset, sft_folder / "model", tmp_path, "local", stop_after)

    run(recipe, stop_after=2)
    with (tmp_path / ROLLOUTS).open("a") as file:  # as a kill after the checkpoint would leave it
        file.write(json.dumps({"update": 3, "group": 0, "rollout": 0}) + "\n")
    run(recipe)
    found = [(row["update"], row["rollout"]) for row in read_metrics(tmp_path / ROLLOUTS)]
    assert found == ([(update, rollout) for update in (1, 3) for rollout in range(3)] if every else [])
