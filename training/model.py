"""The model that is trained: made from scratch with a recipe's sizes, or loaded by name."""

from __future__ import annotations

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from training.training_sections import ModelSection

CLASSES = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}


def new_model(section: ModelSection, tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> PreTrainedModel:
    """A model of the named architecture with random weights drawn from `seed`; sizes from the recipe."""
    config_class, model_class = CLASSES[section.architecture]
    config = config_class(
        vocab_size=len(tokenizer),
        hidden_size=section.hidden_size,
        num_hidden_layers=section.num_layers,
        num_attention_heads=section.num_heads,
        num_key_value_heads=section.num_kv_heads,
        intermediate_size=section.intermediate_size,
        max_position_embeddings=section.max_positions,
        tie_word_embeddings=section.tie_embeddings,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = model_class(config)
    return model


def load_model(path: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The model of a folder or hub name, in float32: small updates are lost in bfloat16 weights."""
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
    return model


def load_tokenizer(path: str) -> PreTrainedTokenizerFast:
    """The tokenizer of a folder or hub name; a pad token is set where it has none."""
    tokenizer = AutoTokenizer.from_pretrained(path)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer
