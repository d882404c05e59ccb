"""Modes in the trainer: what the tokens of scripted rollouts get under each word of `rl.mode`."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from execution.observe import observe
from execution.program import Program
from execution.sandbox import open_sandbox
from execution.traces import Trace
from tests.training.test_bilevel import END, STEP_A, STEP_B, WRONG_A, WRONG_B, WRONG_END, make_trainer, scored
from tests.training.tiny_data import tiny_recipe
from training.bilevel import BiLevelTrainer
from training.metrics import read_metrics
from training.rl import run_rl
from training.tokenizer import encode

R = math.sqrt(0.5)
# rewards of a: 1 1 0, of b: 1 0 0, of the answer: 1 0 0
TEXTS = [STEP_A + STEP_B + END, STEP_A + WRONG_B + WRONG_END, WRONG_A + WRONG_B + WRONG_END]


def token_values(mode: str, texts: list[str], folder: Path, sft_folder: Path) -> list[list[float]]:
    """Advantages of each rollout: of a's first token, of b's, of the answer's last."""
    recipe = tiny_recipe(rl__prompts_per_update=1, rl__mode=mode)
    return first_tokens(make_trainer(recipe, sft_folder, folder, texts), texts)


def normalised(rewards: list[float]) -> list[float]:
    values = torch.tensor(rewards, dtype=torch.float32)
    return ((values - values.mean()) / values.std(correction=0)).tolist()


@pytest.mark.parametrize(
    ("mode", "rewards"),
    [
        ("terminal", [1, 0, 0]),
        ("outcome", [1, 0, 0]),
        ("whitebox", [2, 0.5, 0]),  # 2 * (final / 2 + steps / 2)
        ("whitebox_gated", [2, 0, 0]),
    ],
)
def test_some_modes_give_a_response_one_advantage(
    tmp_path: Path, sft_folder: Path, mode: str, rewards: list[float]
) -> None:
    got = token_values(mode, TEXTS, tmp_path, sft_folder)
    for values, expected in zip(got, normalised(rewards), strict=True):
        assert values == pytest.approx([expected] * len(values), abs=1e-4)


@pytest.mark.parametrize(("mode", "rewards"), [("terminal", [1, 0, 0]), ("outcome", [1, 1, 0])])
def test_outcome_asks_for_the_answer_alone(tmp_path: Path, sft_folder: Path, mode: str, rewards: list[float]) -> None:
    texts = [STEP_A + STEP_B + END, STEP_A + END, WRONG_A + WRONG_B + WRONG_END]  # the second lacks a block
    got = token_values(mode, texts, tmp_path, sft_folder)
    assert [values[-1] for values in got] == pytest.approx(normalised(rewards), abs=1e-4)


def real_trace(source: str, call: str) -> Trace:
    with open_sandbox("local") as first, open_sandbox("local", hash_seed=1) as second:
        (outcome,) = observe([Program(source, call, "test", 1)], (first, second))
    assert isinstance(outcome, Trace)
    return outcome


def blocks(*states: str) -> str:
    return "".join(f"<reasoning>so</reasoning><print>{state}</print>" for state in states)


def first_tokens(trainer: BiLevelTrainer, texts: list[str]) -> list[list[float]]:
    """The advantage of the first token of each step and of the last token, by rollout."""
    advantages = scored(trainer)["advantages"]
    tokenizer = trainer.processing_class
    found = []
    for row, text in enumerate(texts):
        ends = [match.end() for match in re.finditer("</print>", text)]
        places = [0, *(len(encode(tokenizer, text[:end])) for end in ends[:-1]), len(encode(tokenizer, text))]
        found.append([float(advantages[row, place]) for place in places])
    return found


def test_dependence_pays_for_the_steps_that_use_the_value(tmp_path: Path, sft_folder: Path) -> None:
    # a is used by c, b by nothing, c by the return; all alike, so that only A_intra is left, lambda 0.3
    trace = real_trace("def f(x):\n    a = x + 1\n    b = x * 3\n    c = a + 4\n    return c\n", "f(2)")
    texts = [blocks("a: 3", "b: 6", "c: 8", "c: 7") + "<answer>7</answer>"] * 3
    recipe = tiny_recipe(rl__prompts_per_update=1, rl__mode="dependence")
    got = first_tokens(make_trainer(recipe, sft_folder, tmp_path, texts, trace), texts)
    # the trace has a 3, b 6, c 7, c 7: the third is wrong, so a has one right user (the return) and one wrong one
    assert got[0] == pytest.approx([0.45, 0.3, 0.0, 0.3, 0.0], abs=1e-4)


def test_own_state_pays_for_what_follows_from_a_wrong_state(tmp_path: Path, sft_folder: Path) -> None:
    trace = real_trace("def f(x):\n    a = x + 1\n    b = a * 2\n    return b\n", "f(2)")
    texts = [
        blocks("a: 3", "b: 6", "b: 6") + "<answer>6</answer>",
        blocks("a: 3", "b: 3", "b: 3") + "<answer>3</answer>",  # b: 3 does not follow, then b: 3 does
        blocks("a: 1", "b: 2", "b: 2") + "<answer>2</answer>",  # what follows from a: 1 is right
    ]
    got = {}
    for mode in ("bilevel", "own_state"):
        recipe = tiny_recipe(rl__prompts_per_update=1, rl__mode=mode)
        trainer = make_trainer(recipe, sft_folder, tmp_path / mode, texts, trace)
        with open_sandbox("local") as sandbox:
            trainer.sandbox = sandbox
            got[mode] = first_tokens(trainer, texts)
    # by the trace: a 1 1 0, b 1 0 0, b 1 0 0; the answer 1 0 0
    assert got["bilevel"][0] == pytest.approx(
        [R + 0.6 + 2 * R, 2 * R + 0.6 + 2 * R, 2 * R + 0.3 + 2 * R, 2 * R], abs=1e-4
    )
    assert got["bilevel"][1] == pytest.approx([R + 0.3 - R, -2 * R, -2 * R, -R], abs=1e-4)
    assert got["bilevel"][2] == pytest.approx([-3 * R, -2 * R, -2 * R, -R], abs=1e-4)
    # by the model's own states: a 1 1 0, b 1 0 1, b 1 1 1
    assert got["own_state"][0] == pytest.approx([R + 0.6 + 2 * R, R + 0.6 + 2 * R, 0.3 + 2 * R, 2 * R], abs=1e-4)
    assert got["own_state"][1] == pytest.approx([R + 0.45 - R, -3 * R, 0.3 - R, -R], abs=1e-4)
    assert got["own_state"][2] == pytest.approx([-3 * R, R + 0.6 - R, 0.3 - R, -R], abs=1e-4)


def test_a_run_in_the_mode_own_state_opens_a_sandbox(tmp_path: Path, dataset: Path, sft_folder: Path) -> None:
    torch.set_num_threads(1)
    recipe = tiny_recipe(rl__updates=1, rl__mode="own_state", slice__rl_input=0.0)
    assert run_rl(recipe, dataset, sft_folder / "model", tmp_path, "local")["mode"] == "own_state"
    (row,) = [row for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row]
    assert row["rollouts"] == recipe.rl.prompts_per_update * recipe.rl.group_size
