"""LoRA: what is added to a model in training, and merged into it at the end; peft is imported when it is used.

A stage trains its own additions and ends with a whole model: the next stage, evaluation and the registry never see an
adapter. The reference model of RL is the model with its additions switched off, so it costs no memory.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

from training.config import Recipe
from training.errors import TrainingError
from training.memory import base_bytes
from training.training_sections import ModelSection


def lora_config(section: ModelSection) -> Any:
    """peft's LoraConfig of a recipe; None where all weights are trained. TrainingError where peft is missing."""
    if section.adapter == "none":
        return None
    try:
        from peft import LoraConfig, TaskType
    except ImportError as error:
        raise TrainingError(
            'model.adapter = "lora" needs the package peft: pip install peft -c constraints.txt'
        ) from error
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=section.lora_rank,
        lora_alpha=section.lora_alpha,
        lora_dropout=0.0,
        target_modules=list(section.lora_targets),
    )


def base_dtype(recipe: Recipe) -> torch.dtype:
    """Of the weights that are loaded: float32 where they are trained."""
    return torch.bfloat16 if base_bytes(recipe) == 2 else torch.float32


def adapted(model: PreTrainedModel, recipe: Recipe) -> PreTrainedModel:
    """The model with its additions, drawn from the recipe's seed; the model itself where there are none."""
    config = lora_config(recipe.model)
    if config is None:
        return model
    from peft import get_peft_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        wrapped: Any = get_peft_model(model, config)
    if recipe.sft.gradient_checkpointing:
        wrapped.enable_input_require_grads()
    whole: PreTrainedModel = wrapped
    return whole


def merged(model: Any) -> Any:
    """The model with its additions added to its weights; a model without additions as it is."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
