"""Bi-Level GRPO on TRL's trainer: credit lands on the right tokens, and what would break it silently is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from execution.traces import Trace
from tests.training.test_sft import exact_rows
from tests.training.tiny_data import make_trace, tiny_recipe
from training.bilevel import BiLevelTrainer
from training.config import Recipe
from training.examples import Encoded, io_example
from training.metrics import read_metrics
from training.model import load_tokenizer
from training.rl import grpo_arguments, run_rl
from training.soundness import UnsupportedSetting
from training.tokenizer import encode

STEP_A, STEP_B = "<reasoning>2+1</reasoning><print>a: 3</print>", "<reasoning>3*2</reasoning><print>b: 6</print>"
WRONG_A, WRONG_B = "<reasoning>2-1</reasoning><print>a: 1</print>", "<reasoning>3*1</reasoning><print>b: 3</print>"
END = "<reasoning>so</reasoning><answer>6</answer>"
WRONG_END = "<reasoning>so</reasoning><answer>3</answer>"
TRACE = make_trace([("a", "x + 1"), ("b", "a * 2")], 2)
ROOT_HALF = math.sqrt(0.5)

Segments = list[tuple[str, float]]


def scripted(recipe: Recipe, texts: list[str]) -> Callable[..., dict[str, Any]]:
    """A rollout function that "samples" these responses, the end token after each."""

    def rollouts(prompts: list[str], trainer: Any) -> dict[str, Any]:
        tokenizer = trainer.processing_class
        return {
            "prompt_ids": [encode(tokenizer, prompt) for prompt in prompts],
            "completion_ids": [[*encode(tokenizer, text), tokenizer.eos_token_id] for text in texts],
            "logprobs": None,
        }

    return rollouts


def make_trainer(
    recipe: Recipe,
    sft_folder: Path,
    folder: Path,
    texts: list[str],
    trace: Trace = TRACE,
    tokenizer: PreTrainedTokenizerFast | None = None,
) -> BiLevelTrainer:
    tokenizer = tokenizer or load_tokenizer(str(sft_folder / "model"))
    example = io_example(recipe, trace, "output")
    assert example is not None
    count = recipe.rl.prompts_per_update * recipe.rl.updates
    return BiLevelTrainer(
        recipe=recipe,
        examples=[Encoded(example, (), ())] * count,
        sandbox=None,
        model=str(sft_folder / "model"),
        args=grpo_arguments(recipe, folder),
        train_dataset=Dataset.from_dict({"prompt": [example.prompt] * count, "example": list(range(count))}),
        processing_class=tokenizer,
        rollout_func=scripted(recipe, texts),
    )


def scored(trainer: BiLevelTrainer) -> dict[str, Any]:
    """One generation batch, scored: what TRL's loss gets."""
    trainer.model.train()
    rows = [trainer.train_dataset[0]] * (trainer.recipe_rl.prompts_per_update * trainer.num_generations)
    return trainer._generate_and_score_completions(rows)


def test_every_tokens_advantage_spelt_out(tmp_path: Path, sft_folder: Path) -> None:
    # rewards of anchor a: 1 1 0 (mean 2/3, deviation sqrt(2)/3), of b: 1 0 0 (mean 1/3), of the answer: 1 0 0
    # (the third is gated: its blocks are too few). A_intra: rollout 0 has 2 and 1, rollout 1 has 1 and 0.
    r = ROOT_HALF
    rollouts: list[Segments] = [
        [(STEP_A, r + 0.6 + 2 * r), (STEP_B, 2 * r + 0.3 + 2 * r), (END, 2 * r)],
        [(STEP_A, r + 0.3 - r), (WRONG_B, -r - r), (WRONG_END, -r)],
        [(WRONG_A, -2 * r - r), (END, -r)],
    ]
    recipe = tiny_recipe(rl__prompts_per_update=1)
    trainer = make_trainer(recipe, sft_folder, tmp_path, ["".join(text for text, _ in one) for one in rollouts])
    output = scored(trainer)
    tokenizer = trainer.processing_class
    for row, segments in enumerate(rollouts):
        expected = [value for text, value in segments for _ in encode(tokenizer, text)]
        expected.append(segments[-1][1])  # the end token has the terminal advantage
        got = output["advantages"][row].tolist()
        assert got[: len(expected)] == pytest.approx(expected, abs=1e-4)
        assert not any(got[len(expected) :])


@pytest.mark.parametrize(
    ("mode", "first", "answer"),
    [("terminal", 2.0, 2.0), ("step", 3.0, 2.0)],
)
def test_modes_differ_in_what_steps_get(
    tmp_path: Path, sft_folder: Path, mode: str, first: float, answer: float
) -> None:
    texts = [STEP_A + STEP_B + END, STEP_A + WRONG_B + WRONG_END, WRONG_A + WRONG_B + WRONG_END]
    recipe = tiny_recipe(rl__prompts_per_update=1, rl__mode=mode)
    advantages = scored(make_trainer(recipe, sft_folder, tmp_path, texts))["advantages"]
    assert float(advantages[0, 0]) == pytest.approx(first * ROOT_HALF, abs=1e-4)
    last = int((advantages[0] != 0).nonzero().max())
    assert float(advantages[0, last]) == pytest.approx(answer * ROOT_HALF, abs=1e-4)


def test_credit_without_reasoning_is_on_the_print_block_only(tmp_path: Path, sft_folder: Path) -> None:
    texts = [STEP_A + STEP_B + END, STEP_A + STEP_B + END, WRONG_A + STEP_B + END]
    recipe = tiny_recipe(rl__prompts_per_update=1, rl__mode="step", rl__credit_reasoning=False)
    trainer = make_trainer(recipe, sft_folder, tmp_path, texts)
    advantages = scored(trainer)["advantages"]
    before = len(encode(trainer.processing_class, "<reasoning>2+1</reasoning>"))
    step = len(encode(trainer.processing_class, STEP_A))
    assert not advantages[0, :before].any()
    assert advantages[0, before:step].tolist() == pytest.approx([ROOT_HALF] * (step - before), abs=1e-4)


def test_a_single_anchor_is_trained_with_the_terminal_reward_alone(tmp_path: Path, sft_folder: Path) -> None:
    texts = [STEP_A + "<answer>3</answer>", STEP_A + "<answer>4</answer>", WRONG_A + "<answer>4</answer>"]
    recipe = tiny_recipe(rl__prompts_per_update=1)
    trace = make_trace([("a", "x + 1")], 2)
    advantages = scored(make_trainer(recipe, sft_folder, tmp_path, texts, trace))["advantages"]
    assert sorted({round(float(value), 3) for value in advantages.flatten()}) == [-0.707, 0.0, 1.414]


def test_log_probabilities_do_not_depend_on_how_rows_are_parted(tmp_path: Path, sft_folder: Path) -> None:
    texts = [STEP_A + STEP_B + END, STEP_A, WRONG_A + END] * 2
    results = []
    for parts, shared in ((1, False), (4, False), (1, True), (2, True)):
        recipe = tiny_recipe(rl__length_parts=parts, rl__share_prompts=shared)
        trainer = make_trainer(recipe, sft_folder, tmp_path / f"{parts}{shared}", texts)
        inputs = scored(trainer)
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
        seen = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1)
        keep = inputs["completion_ids"].shape[1]
        logps, entropy, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, seen, keep, compute_entropy=True
        )
        results.append((logps * inputs["completion_mask"], entropy * inputs["completion_mask"]))
    for logps, entropy in results[1:]:
        assert torch.allclose(results[0][0], logps, atol=1e-5)
        assert torch.allclose(results[0][1], entropy, atol=1e-5)


def test_shared_prompts_have_the_same_gradient(tmp_path: Path, sft_folder: Path) -> None:
    texts = [STEP_A + STEP_B + END, STEP_A + WRONG_B + WRONG_END, WRONG_A + WRONG_END] * 2
    found = []
    for micro_batches, shared in ((1, False), (2, True)):
        recipe = tiny_recipe(rl__micro_batches=micro_batches, rl__share_prompts=shared)
        trainer = make_trainer(recipe, sft_folder, tmp_path / str(shared), texts)
        trainer.model.train()
        trainer._prepare_inputs([trainer.train_dataset[0]] * len(texts))
        trainer.current_gradient_accumulation_steps = micro_batches
        for part in trainer._buffered_inputs:
            trainer._compute_loss(trainer.model, part).backward()
        if shared:
            wholes = [part["rollout"].tolist() for part in trainer._buffered_inputs]
            assert wholes == [[0, 1, 2], [3, 4, 5]], "whole groups in each micro-batch"
        found.append({name: one.grad for name, one in trainer.model.named_parameters()})
    assert all(torch.allclose(found[0][name], found[1][name], atol=1e-6) for name in found[0])
    assert any(one.abs().max() > 1e-3 for one in found[0].values())


def test_a_killed_run_equals_one_that_was_not(tmp_path: Path, dataset: Path, sft_folder: Path) -> None:
    recipe = tiny_recipe(rl__micro_batches=2)
    model = sft_folder / "model"
    run_rl(recipe, dataset, model, tmp_path / "straight", "local")
    run_rl(recipe, dataset, model, tmp_path / "killed", "local", stop_after=2)
    run_rl(recipe, dataset, model, tmp_path / "killed", "local")
    straight, killed = (tmp_path / name for name in ("straight", "killed"))
    assert exact_rows(killed / "metrics.jsonl") == exact_rows(straight / "metrics.jsonl")
    first = load_file(straight / "model" / "model.safetensors")
    second = load_file(killed / "model" / "model.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)
    rows = [row for row in read_metrics(straight / "metrics.jsonl") if "loss" in row]
    assert [row["rollouts"] for row in rows] == [6, 6, 6, 6]
    wanted = {"step_reward", "final_reward", "zero_std_step", "all_correct_step", "format", "entropy", "length"}
    assert wanted <= rows[0].keys()


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("importance_sampling_level", "sequence", "cancels step credit"),
        ("loss_type", "vespo", "one advantage per response"),
        ("loss_type", "cispo", "epsilon_high to 1 or more"),
        ("loss_type", "luspo", "one advantage per response"),
        ("off_policy_mask_threshold", 0.1, "sign of one advantage"),
        ("mask_truncated_completions", True, "should lose reward"),
    ],
)
def test_what_breaks_silently_is_refused(
    tmp_path: Path, sft_folder: Path, setting: str, value: object, message: str
) -> None:
    recipe = tiny_recipe()
    args = grpo_arguments(recipe, tmp_path)
    setattr(args, setting, value)
    with pytest.raises(UnsupportedSetting, match=message):
        BiLevelTrainer(recipe=recipe, examples=[], sandbox=None, model=str(sft_folder / "model"), args=args)


def test_a_model_object_with_a_kl_term_is_refused(tmp_path: Path, sft_folder: Path) -> None:
    recipe = tiny_recipe(rl__beta=0.1)
    with pytest.raises(UnsupportedSetting, match="save the model"):
        BiLevelTrainer(recipe=recipe, examples=[], sandbox=None, model=object(), args=grpo_arguments(recipe, tmp_path))


def test_tags_as_special_tokens_are_refused(tmp_path: Path, sft_folder: Path) -> None:
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<print>"]})
    with pytest.raises(UnsupportedSetting, match="special=False"):
        make_trainer(tiny_recipe(), sft_folder, tmp_path, [], tokenizer=tokenizer)
