"""What we rely on in TRL 1.16.0's GRPOTrainer: each test says which code of ours depends on it.

Most of it is seen at work, on a trainer of a few thousand parameters whose responses are given.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import trl
from datasets import Dataset
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from trl import GRPOTrainer

from tests.training.test_bilevel import make_trainer, scored
from tests.training.tiny_data import tiny_recipe
from tests.training.watched import TEXTS, Rollouts, watched
from training.bilevel import BiLevelTrainer
from training.model import load_tokenizer
from training.rl import grpo_arguments
from training.tokenizer import encode

KEYS = {"prompt_ids", "prompt_mask", "completion_ids", "completion_mask", "advantages", "num_items_in_batch"}
LOGPS = "_get_per_token_logps_and_entropies"


def test_the_version() -> None:
    assert trl.__version__ == "1.16.0", "another TRL: if all else here passes, name it in pyproject.toml and here"


@pytest.mark.parametrize(
    ("method", "parameters", "ours"),
    [
        (
            "_calculate_rewards",
            ["self", "inputs", "prompts", "completions", "completion_ids_list"],
            "BiLevelTrainer._calculate_rewards overrides it",
        ),
        ("_generate_and_score_completions", ["self", "inputs"], "BiLevelTrainer overrides it"),
        (
            LOGPS,
            ["self", "model", "input_ids", "attention_mask", "logits_to_keep", "batch_size", "compute_entropy"],
            "BiLevelTrainer overrides it, and forwards parts of the batch by position",
        ),
        ("_compute_loss", ["self", "model", "inputs"], "benchmarks and tests call it"),
        ("training_step", ["self", "model", "inputs", "num_items_in_batch"], "it counts `_step`"),
    ],
)
def test_signatures(method: str, parameters: list[str], ours: str) -> None:
    found = list(inspect.signature(getattr(GRPOTrainer, method)).parameters)
    assert found[: len(parameters)] == parameters, f"GRPOTrainer.{method} takes {found}: training/bilevel.py: {ours}"


def test_arguments_of_the_trainer() -> None:
    found = inspect.signature(GRPOTrainer.__init__).parameters
    wanted = {"model", "reward_funcs", "args", "train_dataset", "processing_class", "peft_config", "rollout_func"}
    assert wanted <= found.keys(), f"training/rl.py run_rl passes {sorted(wanted - found.keys())}"


def test_no_name_of_ours_is_trls() -> None:
    hooks = {"_calculate_rewards", "_generate_and_score_completions", "_prepare_inputs", LOGPS}
    own = {name for name in vars(BiLevelTrainer) if not name.startswith("__")}
    assert not own & vars(GRPOTrainer).keys() - hooks, "training/bilevel.py: rename the method that TRL has too"
    assert own >= hooks


def test_no_attribute_of_ours_is_trls(tmp_path: Path, sft_folder: Path) -> None:
    recipe = tiny_recipe()
    plain = GRPOTrainer(
        model=str(sft_folder / "model"),
        reward_funcs=[lambda **_: []],
        args=grpo_arguments(recipe, tmp_path),
        train_dataset=Dataset.from_dict({"prompt": ["a"] * 4}),
        processing_class=load_tokenizer(str(sft_folder / "model")),
    )
    own = {"recipe_rl", "examples", "sandbox", "code_sandbox", "rollout_log", "update_metrics", "sampling_round"}
    own |= {"phases", "positions", "_graded", "_sampled"}
    trainer = make_trainer(recipe, sft_folder, tmp_path, [])
    assert vars(trainer).keys() - vars(plain).keys() == own, "training/bilevel.py __init__: attributes that TRL has too"


def test_step_counts_forward_and_backward_passes(tmp_path: Path, sft_folder: Path) -> None:
    trainer = watched(tiny_recipe(rl__updates=2, rl__micro_batches=2), sft_folder, tmp_path, Rollouts())
    assert trainer._step == 0, "training/bilevel.py: TRL's counter `_step` was renamed: ours may be too"
    trainer.train()
    assert trainer._step == 4, "training/bilevel.py: `_step` counts something else; TRL generates where it divides"
    assert trainer.state.global_step == 2


def test_prompts_come_repeated_in_a_row_once_per_update(tmp_path: Path, sft_folder: Path) -> None:
    rollouts = Rollouts()
    trainer = watched(tiny_recipe(rl__updates=2, rl__micro_batches=2), sft_folder, tmp_path, rollouts)
    trainer.train()
    first, second = trainer.train_dataset["prompt"][:2]
    assert first != second
    assert [prompts for prompts, _ in rollouts.calls] == [[first] * 3 + [second] * 3] * 2, (
        "training/rollouts.py EngineRollouts groups equal prompts in a row, and training/group_credit.py views"
        " rewards as (P, G): prompts come in another order or at another time"
    )
    assert all(given is trainer for _, given in rollouts.calls), "training/rollouts.py takes the trainer's model"


def test_rewards_are_asked_for_with_the_rows_and_the_sampled_ids(tmp_path: Path, sft_folder: Path) -> None:
    rollouts = Rollouts()
    trainer = watched(tiny_recipe(rl__updates=1), sft_folder, tmp_path, rollouts)
    trainer.train()
    [(rows, prompts, completion_ids)] = trainer.reward_calls
    assert [row["example"] for row in rows] == [0, 0, 0, 1, 1, 1], "_calculate_rewards takes row['example']"
    assert prompts == [row["prompt"] for row in rows]
    assert completion_ids == rollouts.completion_ids, "training/grading.py maps spans to the sampled ids, unpadded"


@pytest.mark.parametrize("missing", ["prompt_ids", "completion_ids", "logprobs"])
def test_what_a_rollout_function_returns(tmp_path: Path, sft_folder: Path, missing: str) -> None:
    trainer = watched(tiny_recipe(rl__updates=1), sft_folder, tmp_path, Rollouts(without=missing))
    with pytest.raises(ValueError, match=missing):  # training/rollouts.py returns these three
        trainer.train()


@pytest.mark.parametrize(("beta", "more"), [(0.0, set()), (0.1, {"ref_per_token_logps"})])
def test_keys_and_padding_of_a_scored_batch(tmp_path: Path, sft_folder: Path, beta: float, more: set[str]) -> None:
    trainer = make_trainer(tiny_recipe(rl__beta=beta, rl__prompts_per_update=1), sft_folder, tmp_path, TEXTS)
    output = scored(trainer)
    assert output.keys() == KEYS | more, (
        "training/bilevel.py replaces `advantages` and reads `completion_mask`; a new key must be batch-first, and"
        " `old_per_token_logps` would mean that the ratios are not 1 when the update is taken"
    )
    mask_BT = output["completion_mask"]
    ids = [[*encode(trainer.processing_class, text), trainer.processing_class.eos_token_id] for text in TEXTS]
    assert mask_BT.sum(1).tolist() == [len(one) for one in ids], "spans count from the first column of the mask"
    assert [row[: len(one)].tolist() for row, one in zip(output["completion_ids"], ids, strict=True)] == ids
    assert bool((mask_BT[:, :-1] >= mask_BT[:, 1:]).all()), "responses are no longer padded on the right"
    assert bool((output["prompt_mask"][:, -1] == 1).all()), "prompts are no longer padded on the left"
    assert mask_BT.shape[1] % 16 == 0, "training/rl.py: pad_to_multiple_of is no longer kept"


def test_rows_are_shuffled_and_split_with_their_advantages(tmp_path: Path, sft_folder: Path) -> None:
    trainer = watched(tiny_recipe(rl__micro_batches=2), sft_folder, tmp_path, Rollouts())
    trainer.model.train()
    torch.manual_seed(0)
    rows = [trainer.train_dataset[0]] * 3 + [trainer.train_dataset[1]] * 3
    trainer._prepare_inputs(rows)
    [whole] = trainer.outputs
    parts = trainer._buffered_inputs
    assert [len(part["advantages"]) for part in parts] == [3, 3], (
        "training/bilevel.py _prepare_inputs: `_buffered_inputs` no longer holds an update's micro-batches"
    )

    def rows_of(batch: dict[str, Any]) -> list[tuple[Any, ...]]:
        names = ("prompt_ids", "completion_ids", "completion_mask", "advantages")
        return list(zip(*(batch[name].tolist() for name in names), strict=True))

    split = [row for part in parts for row in rows_of(part)]
    assert sorted(map(repr, split)) == sorted(map(repr, rows_of(whole))), (
        "training/bilevel.py returns advantages of shape (B, T): TRL no longer moves them along dim 0 with the tokens"
    )
    assert split != rows_of(whole), "TRL no longer shuffles"


def test_a_constant_over_tokens_is_trls_own_advantage(tmp_path: Path, sft_folder: Path) -> None:
    trainer = make_trainer(tiny_recipe(rl__prompts_per_update=1), sft_folder, tmp_path, TEXTS)
    inputs = scored(trainer)
    trainer.current_gradient_accumulation_steps = 1
    one_B = torch.tensor([1.5, -0.5, -1.0])
    losses = [
        trainer._compute_loss(trainer.model, inputs | {"advantages": given}).item()
        for given in (one_B, one_B[:, None].expand_as(inputs["completion_mask"]))
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-7), "training/bilevel.py: (B, T) advantages mean something else"


def test_loss_and_gradient_are_those_of_the_equations(tmp_path: Path, sft_folder: Path) -> None:
    """Advantages of shape (B, T) enter the loss token by token; at one update per batch its value is
    -sum(A) / tokens and its gradient that of -sum(A * log p) / tokens."""
    trainer = make_trainer(tiny_recipe(), sft_folder, tmp_path, TEXTS * 2)
    inputs = scored(trainer)
    trainer.current_gradient_accumulation_steps = 1
    mask_BT, advantage_BT = inputs["completion_mask"], inputs["advantages"]
    assert advantage_BT.shape == mask_BT.shape, (
        "training/bilevel.py puts advantages of shape (B, T) into the batch: TRL gave them, or the mask, another shape"
    )
    loss = trainer._compute_loss(trainer.model, inputs)
    by_hand = float(-(advantage_BT * mask_BT).sum() / mask_BT.sum())
    assert loss.item() == pytest.approx(by_hand, abs=1e-6), (
        "GRPOTrainer._compute_loss, `dapo`: no longer the mean over the batch's tokens of ratio * advantage at ratio 1;"
        " training/rl.py grpo_arguments and the step credit of training/bilevel.py rely on it"
    )
    loss.backward()
    got = {name: p.grad.clone() for name, p in trainer.model.named_parameters()}
    trainer.model.zero_grad()

    ids_BL = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
    seen_BL = torch.cat([inputs["prompt_mask"], mask_BT], 1)
    logits = trainer.model(input_ids=ids_BL, attention_mask=seen_BL).logits[:, -mask_BT.shape[1] - 1 : -1]
    logp_BT = logits.log_softmax(-1).gather(2, inputs["completion_ids"][..., None])[..., 0]
    (-(advantage_BT * logp_BT * mask_BT).sum() / mask_BT.sum()).backward()
    for name, p in trainer.model.named_parameters():
        assert torch.allclose(got[name], p.grad, atol=1e-5), (
            f"GRPOTrainer._compute_loss: the gradient of {name} is not that of -sum(A * log p) / tokens (equations 13"
            " and 14): another ratio, clipping or normalisation; the credit of training/bilevel.py means something else"
        )


def test_how_log_probabilities_are_asked_for(tmp_path: Path, sft_folder: Path) -> None:
    trainer = watched(tiny_recipe(rl__updates=1, rl__beta=0.1), sft_folder, tmp_path, Rollouts())
    trainer.train()
    reference, policy = trainer.logps_calls
    assert (reference["positional"], policy["positional"]) == (4, 4), "training/bilevel.py takes four by position"
    assert reference.get("batch_size") is not None, "those of the reference are left to TRL by their batch_size"
    assert policy.get("batch_size") is None, "those of the policy have none, and are forwarded in parts"
    assert policy["compute_entropy"] is True


def test_the_reference_model_is_the_one_of_the_path_and_stays(tmp_path: Path, sft_folder: Path) -> None:
    saved = load_file(sft_folder / "model" / "model.safetensors")
    recipe = tiny_recipe(rl__updates=2, rl__beta=0.1, rl__learning_rate=1e-2)
    trainer = watched(recipe, sft_folder, tmp_path, Rollouts())
    trainer.train()
    reference = trainer.accelerator.unwrap_model(trainer.ref_model).state_dict()
    policy = trainer.accelerator.unwrap_model(trainer.model).state_dict()
    assert all(torch.equal(reference[name], saved[name]) for name in saved), (
        "training/rl.py: the reference of eq. 15 is no longer the model of the path, or it is trained too"
    )
    assert not all(torch.equal(policy[name], saved[name]) for name in saved), (
        "the policy did not move: this test shows nothing of the reference"
    )


def test_the_reference_of_a_model_object_is_not_that_object(tmp_path: Path, sft_folder: Path) -> None:
    """Why `refuse_unsound` refuses an object with beta > 0; where this fails, it need not any more."""
    path = sft_folder / "model"
    model = AutoModelForCausalLM.from_pretrained(path)
    with torch.no_grad():
        model.get_input_embeddings().weight.add_(1.0)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=[lambda **_: []],
        args=grpo_arguments(tiny_recipe(rl__beta=0.1), tmp_path),
        train_dataset=Dataset.from_dict({"prompt": ["a"] * 4}),
        processing_class=load_tokenizer(str(path)),
    )
    difference = trainer.ref_model.get_input_embeddings().weight - trainer.model.get_input_embeddings().weight
    assert difference.detach().mean() == pytest.approx(-1.0, abs=1e-5), (
        "GRPOTrainer takes the object itself, or a copy of it, as reference: training/soundness.py refuse_unsound need"
        " not refuse an object with beta > 0 any more"
    )


def test_in_evaluation_groups_have_their_own_size(tmp_path: Path, sft_folder: Path) -> None:
    trainer = make_trainer(tiny_recipe(rl__prompts_per_update=1), sft_folder, tmp_path, TEXTS[:1])
    trainer.num_generations_eval = 1
    trainer.model.eval()
    output = trainer._generate_and_score_completions([trainer.train_dataset[0]])
    # one response alone: no group advantage; A_intra is 2 and 1, lambda 0.3
    assert float(output["advantages"][0, 0]) == pytest.approx(0.6), "training/bilevel.py reads num_generations_eval"
