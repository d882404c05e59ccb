"""The engine that a recipe names."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedTokenizerFast

from training.config import Recipe
from training.engines.generate import GenerateEngine
from training.engines.protocol import RolloutEngine
from training.engines.sampler import SamplerEngine
from training.errors import EngineError
from training.parallel import engine_options

ENGINES = ("sampler", "transformers", "vllm", "vllm_actor")


def open_engine(recipe: Recipe, tokenizer: PreTrainedTokenizerFast, config: PretrainedConfig) -> RolloutEngine:
    """A new engine of `rl.engine` for the model of `config`; EngineError where its packages are missing, and where it
    can't take the model's weights."""
    name = recipe.rl.engine
    if name == "sampler":
        return SamplerEngine(tokenizer)
    if name == "transformers":
        pad = tokenizer.pad_token_id
        return GenerateEngine(pad if isinstance(pad, int) else 0)
    longest = recipe.slice.max_prompt_tokens + max(recipe.rl.max_completion_tokens, recipe.slice.max_response_tokens)
    # One position is vLLM's own: a text of max_tokens is only scored when there is room for a token after it.
    options: dict[str, Any] = {
        "config": config,
        "dtype": recipe.model.precision,
        "max_tokens": min(longest, config.max_position_embeddings - 1),
    }
    if recipe.model.adapter != "none":
        raise EngineError(f"rl.engine = '{name}' takes whole weights, not LoRA's: set rl.engine = 'sampler'")
    if torch.cuda.is_available():
        options |= engine_options(recipe)
    if name == "vllm":
        from training.engines.vllm import VllmEngine

        return VllmEngine(**options)
    from training.engines.actor import VllmActorEngine

    return VllmActorEngine(**options)
