"""Tiny random models whose heads have a size that vLLM takes, and updates that change all their weights."""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

STOP = 0
PROMPTS = [[5, 6, 7], [*range(3, 40)], [9, 8, 7, 6, 5, 4, 3, 2, 11, 30]]
COMPLETIONS = [[4, 4, 8, 20], [17], [40, 3, 2, 9, 9, 12]]
FAMILIES = ["llama", "qwen2"]
TIED = [True, False]


def tiny(family: str, tied: bool, seed: int = 3) -> PreTrainedModel:
    torch.manual_seed(seed)
    shape = {
        "vocab_size": 48,
        "hidden_size": 128,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.1,
        "pad_token_id": 1,
        "eos_token_id": STOP,
        "tie_word_embeddings": tied,
    }
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**shape)).eval()
    return Qwen2ForCausalLM(Qwen2Config(**shape)).eval()


def update(model: PreTrainedModel, seed: int, size: float = 0.02) -> None:
    """Changes every weight, as an optimiser does."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += size * torch.randn(weight.shape, generator=generator)
