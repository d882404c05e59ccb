"""Sizes: parameter counts equal those of real models, and those that are published."""

from __future__ import annotations

import json
from pathlib import Path

import peft
import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from training.sizes import KNOWN, Sizes, UnknownSizes, sizes_of_config

CLASSES = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def tiny_model(architecture: str, tied: bool, **more: object) -> nn.Module:
    config_class, model_class = CLASSES[architecture]
    config = config_class(
        vocab_size=97,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=40,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
        **more,
    )
    model: nn.Module = model_class(config)
    return model


def sizes_of(model: nn.Module, folder: Path) -> Sizes:
    model.config.save_pretrained(folder)
    return sizes_of_config(json.loads((folder / "config.json").read_text()), "here")


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_parameters_are_those_of_a_real_model(tmp_path: Path, architecture: str, tied: bool) -> None:
    model = tiny_model(architecture, tied)
    sizes = sizes_of(model, tmp_path)
    assert sizes.parameters == sum(p.numel() for p in model.parameters())
    layer = model.model.layers[0]
    assert sizes.layer_parameters == sum(p.numel() for p in layer.parameters())
    assert sizes.matrices_per_layer == sum(p.numel() for p in layer.parameters() if p.ndim == 2)


def test_llama_biases_count(tmp_path: Path) -> None:
    model = tiny_model("llama", True, attention_bias=True, mlp_bias=True)
    assert sizes_of(model, tmp_path).parameters == sum(p.numel() for p in model.parameters())


def test_heads_may_be_wider_than_the_hidden_size_says(tmp_path: Path) -> None:
    model = tiny_model("llama", True, head_dim=10)
    assert sizes_of(model, tmp_path).parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_lora_parameters_are_those_of_peft(tmp_path: Path, architecture: str) -> None:
    model = tiny_model(architecture, True)
    sizes = sizes_of(model, tmp_path)
    wrapped = peft.get_peft_model(model, peft.LoraConfig(r=3, target_modules=list(TARGETS)))
    assert sizes.lora_parameters(3, TARGETS) == sum(p.numel() for p in wrapped.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("0.5B", 494_032_768), ("7B", 7_615_616_512), ("14B", 14_770_033_664)],
)
def test_known_models_have_their_published_number_of_parameters(name: str, parameters: int) -> None:
    assert KNOWN[f"Qwen/Qwen2.5-Coder-{name}-Instruct"].parameters == parameters


def test_qwen7b_worked_by_hand() -> None:
    sizes = KNOWN["Qwen/Qwen2.5-Coder-7B-Instruct"]
    # queries and output 3584 x 3584, keys and values 3584 x 512, three matrices 3584 x 18944
    matrices = 2 * 3584 * 3584 + 2 * 3584 * 512 + 3 * 3584 * 18944
    assert matrices == 233_046_016 == sizes.matrices_per_layer
    # biases of queries, keys and values, two norms
    assert sizes.layer_parameters == matrices + 3584 + 2 * 512 + 2 * 3584
    assert sizes.embedding_parameters == 2 * 152_064 * 3584 == 1_089_994_752
    assert sizes.parameters == 28 * sizes.layer_parameters + 1_089_994_752 + 3584
    # a cache of 28 layers x keys and values x 4 heads of 128
    assert sizes.kv_values_per_token() == 28 * 2 * 4 * 128


def test_other_architectures_and_missing_keys_are_named() -> None:
    with pytest.raises(UnknownSizes, match="model_type 'mamba'"):
        sizes_of_config({"model_type": "mamba"}, "config.json")
    with pytest.raises(UnknownSizes, match="no key num_attention_heads"):
        sizes_of_config({"model_type": "llama"}, "config.json")


def saved_bytes(module: nn.Module, call: object) -> int:
    """Bytes of the distinct storages that autograd saves, without parameters."""
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    seen: dict[int, int] = {}
    kept: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
            kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        call()  # type: ignore[operator]
    return sum(seen.values())


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize("compute_bytes", [4, 2])
def test_activations_are_near_what_autograd_saves(tmp_path: Path, architecture: str, compute_bytes: int) -> None:
    """A layer of the model's own code, float32 weights; the estimate is at most 10 % off."""
    from training.memory import activation_bytes_per_token

    config_class, model_class = CLASSES[architecture]
    tokens, saved = 64, []
    for layers in (1, 3):
        config = config_class(
            vocab_size=16,
            hidden_size=256,
            num_hidden_layers=layers,
            num_attention_heads=8,
            num_key_value_heads=2,
            intermediate_size=768,
            max_position_embeddings=64,
            attn_implementation="sdpa",
        )
        model = model_class(config).train()
        ids = torch.zeros(1, tokens, dtype=torch.long)
        with torch.autocast("cpu", torch.bfloat16, enabled=compute_bytes == 2):
            saved.append(saved_bytes(model, lambda m=model, i=ids: m.model(input_ids=i, use_cache=False)))
    weights_cast = 2 * 2 * sum(p.numel() for p in model.model.layers[0].parameters() if p.ndim == 2)
    measured = (saved[1] - saved[0] - (weights_cast if compute_bytes == 2 else 0)) / 2 / tokens
    sizes = sizes_of(model, tmp_path)
    assert activation_bytes_per_token(sizes, compute_bytes) == pytest.approx(measured, rel=0.1)
