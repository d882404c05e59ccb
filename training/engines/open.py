"""The engine that a recipe names."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedTokenizerFast

from training.config import Recipe
from training.engines.generate import GenerateEngine
from training.engines.protocol import RolloutEngine
from training.engines.sampler import SamplerEngine
from training.engines.shared import SharedEngine
from training.errors import EngineError
from training.parallel import engine_options
from training.processes import neighbours, world_size

ENGINES = ("sampler", "transformers", "vllm", "vllm_actor")


def open_engine(recipe: Recipe, tokenizer: PreTrainedTokenizerFast, config: PretrainedConfig) -> RolloutEngine:
    """A new engine of `rl.engine` for the model of `config`, opened by all training processes together; EngineError
    where its packages are missing, where it can't take the model's weights, and where processes can't share it."""
    name, size, processes = recipe.rl.engine, recipe.parallel.engine_devices, world_size()
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
    options |= engine_options(recipe, processes, torch.cuda.is_available())
    if name == "vllm":
        from training.engines.vllm import VllmEngine

        if processes % size:
            raise EngineError(
                f"{size} training processes share an engine (parallel.engine_devices), and there are {processes}:"
                " engine_devices must divide parallel.devices"
            )
        group = neighbours(size) if size > 1 else None
        engine = VllmEngine(**options)
        return engine if group is None else SharedEngine(engine, group)
    from training.engines.actor import VllmActorEngine

    return VllmActorEngine(**options)
