"""Every recipe's path on tiny checkpoints of its architecture: SFT and one update of RL, by changed values alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from tests.training.split import rl_stage
from tests.training.tiny_data import TINY
from tests.training.together import together
from training.config import Recipe, load_recipe
from training.metrics import read_metrics
from training.model import load_tokenizer
from training.rl import run_rl
from training.sft import run_sft

CLASSES = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}
SHARES = ("slice.output", "slice.input", "slice.questions")
# what a machine without GPUs can't do, and sizes; all else is the recipe's
SMALL: dict[str, Any] = {
    key: value for key, value in TINY.items() if not key.startswith("model.") and key not in SHARES
} | {
    "slice.min_states": 2,
    "slice.verbosity": "compact",
    "slice.prompt_style": "compact",
    "sft.updates": 2,
    "sft.micro_batches": 2,
    "rl.updates": 1,
    "rl.micro_batches": 2,
    "rl.engine": "sampler",
    "rl.checkpoint_every": 1,
    "parallel.strategy": "ddp",
    "parallel.devices": 1,
    "parallel.engine_devices": 1,
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory, sft_folder: Path) -> dict[str, Path]:
    """A checkpoint of random weights per architecture, tied as the smallest Qwen is, Llama untied."""
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    found = {}
    for architecture, (config_class, model_class) in CLASSES.items():
        config = config_class(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            intermediate_size=48,
            max_position_embeddings=1024,
            tie_word_embeddings=architecture == "qwen2",
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        torch.manual_seed(1)
        found[architecture] = tmp_path_factory.mktemp("checkpoints") / architecture
        model_class(config).save_pretrained(found[architecture])
        tokenizer.save_pretrained(str(found[architecture]))
    return found


def small(name: str, model: Path, architecture: str, **changes: Any) -> Recipe:
    pretrained = {"model.kind": "pretrained", "model.name_or_path": str(model), "model.architecture": architecture}
    return load_recipe(name, SMALL | pretrained | {key.replace("__", "."): value for key, value in changes.items()})


def both_stages(recipe: Recipe, dataset: Path, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    torch.set_num_threads(1)
    run_sft(recipe, dataset, folder / "sft")
    run_rl(recipe, dataset, folder / "sft" / "model", folder / "rl", "local")
    return last_update(folder / "sft"), last_update(folder / "rl")


def last_update(out: Path) -> dict[str, Any]:
    return [row for row in read_metrics(out / "metrics.jsonl") if "loss" in row][-1]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return found


@pytest.mark.parametrize("name", ["qwen05b", "qwen7b", "qwen14b", "tiny"])
@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_both_stages_of_a_recipe_run(
    tmp_path: Path, dataset: Path, checkpoints: dict[str, Path], name: str, architecture: str
) -> None:
    recipe = small(name, checkpoints[architecture], architecture)
    sft, rl = both_stages(recipe, dataset, tmp_path)
    assert sft["update"] == 2
    assert sft["grad_norm"] > 0
    assert rl["rollouts"] == 6
    assert ("kl" in rl) == (recipe.rl.beta > 0)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "rl" / "model")
    assert model.config.model_type == architecture


def test_the_recipe_for_writing_programs_after_tiny_runs(
    tmp_path: Path, dataset: Path, checkpoints: dict[str, Path]
) -> None:
    recipe = small("tiny_code", checkpoints["llama"], "llama")
    sft, rl = both_stages(recipe, dataset, tmp_path)
    assert sft["grad_norm"] > 0
    assert rl["rollouts"] == 6
    assert "final_reward_code" in rl


def test_the_recipe_of_rl_on_programs_alone_runs(tmp_path: Path, dataset: Path, checkpoints: dict[str, Path]) -> None:
    recipe = small("qwen7b_code", checkpoints["qwen2"], "qwen2")
    assert recipe.stages == ("rl",)
    torch.set_num_threads(1)
    run_rl(recipe, dataset, checkpoints["qwen2"], tmp_path, "local")
    assert last_update(tmp_path)["rollouts"] == 6
    assert "final_reward_code" in last_update(tmp_path)


@pytest.mark.parametrize(("name", "strategy"), [("qwen05b", "ddp"), ("qwen7b", "fsdp2")])
def test_both_stages_of_a_recipe_run_on_two_processes(
    tmp_path: Path, dataset: Path, checkpoints: dict[str, Path], name: str, strategy: str
) -> None:
    """With the strategy that the recipe names; an engine that takes weights as vLLM's do stands for vLLM's."""
    assert load_recipe(name).parallel.strategy == strategy
    model = checkpoints["qwen2"]
    changes = {"parallel__devices": 2, "parallel__strategy": strategy, "rl__engine": "vllm"}
    recipe = small(name, model, "qwen2", evaluation__curve_programs=0, **changes)
    together(run_sft, recipe, dataset, tmp_path / "sft")
    together(rl_stage, recipe, dataset, tmp_path / "sft" / "model", tmp_path / "rl")
    assert last_update(tmp_path / "sft")["grad_norm"] > 0
    assert last_update(tmp_path / "rl")["rollouts"] == 6
    assert weights(tmp_path / "rl" / "model").keys() == weights(model).keys()
    assert {weight.dtype for weight in weights(tmp_path / "rl" / "model").values()} == {torch.float32}


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_lora_trains_its_additions_and_ends_with_a_whole_model(
    tmp_path: Path, dataset: Path, checkpoints: dict[str, Path], architecture: str
) -> None:
    lora = {"model__adapter": "lora", "model__lora_rank": 4, "sft__learning_rate": 1e-2, "model__precision": "float32"}
    recipe = small("qwen7b", checkpoints[architecture], architecture, **lora)
    both_stages(recipe, dataset, tmp_path)
    before, after = weights(checkpoints[architecture]), weights(tmp_path / "sft" / "model")
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {
        name for name in before if any(target in name for target in recipe.model.lora_targets) and "bias" not in name
    }
    assert weights(tmp_path / "rl" / "model").keys() == before.keys()
    AutoModelForCausalLM.from_pretrained(tmp_path / "rl" / "model")


def test_frozen_weights_are_bfloat16_and_additions_float32(
    tmp_path: Path, dataset: Path, checkpoints: dict[str, Path]
) -> None:
    from training.adapters import adapted, base_dtype
    from training.model import load_model

    recipe = small("qwen7b", checkpoints["qwen2"], "qwen2", model__adapter="lora")
    model = adapted(load_model(recipe.model.name_or_path, base_dtype(recipe)), recipe)
    kinds = {(p.requires_grad, p.dtype) for p in model.parameters()}
    assert kinds == {(False, torch.bfloat16), (True, torch.float32)}
    sft, rl = both_stages(recipe, dataset, tmp_path)
    assert sft["grad_norm"] > 0
    assert rl["kl"] is not None


def test_a_killed_lora_run_equals_one_that_was_not(tmp_path: Path, dataset: Path, checkpoints: dict[str, Path]) -> None:
    changes = {"model__adapter": "lora", "sft__updates": 4, "sft__checkpoint_every": 2, "model__precision": "float32"}
    recipe = small("qwen05b", checkpoints["qwen2"], "qwen2", **changes)
    torch.set_num_threads(1)
    run_sft(recipe, dataset, tmp_path / "straight")
    assert run_sft(recipe, dataset, tmp_path / "killed", stop_after=2) == {"stopped_after": 2}
    run_sft(recipe, dataset, tmp_path / "killed")
    straight, resumed = weights(tmp_path / "straight" / "model"), weights(tmp_path / "killed" / "model")
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
