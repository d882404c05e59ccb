"""FSDP2 as accelerate sets it up, corrected in two points: it works without GPUs, and a model's outputs are float32."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from accelerate import Accelerator, DistributedType, PartialState
from transformers import TrainingArguments


def split_without_gpus(args: TrainingArguments) -> None:
    """Let FSDP2 split weights over processes without GPUs; to be called between `args` and their Trainer.

    accelerate asks for GPUs before it asks for FSDP, and would train as ddp where it finds none, without a word.
    """
    state: Any = PartialState()
    if args.fsdp_plugin_args is not None and state.distributed_type == DistributedType.MULTI_CPU:
        state.distributed_type = DistributedType.MULTI_GPU


def full_outputs(accelerator: Accelerator) -> None:
    """Keep what layers and the model give in float32, as autocast does under ddp; accelerate rounds it to bfloat16,
    and with it the log-probabilities that ratios and KL are made of. To be called before the model is split."""
    plugin: Any = getattr(accelerator.state, "fsdp_plugin", None)
    if plugin is not None and plugin.mixed_precision_policy is not None:
        plugin.mixed_precision_policy = dataclasses.replace(plugin.mixed_precision_policy, output_dtype=torch.float32)
