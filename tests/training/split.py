"""What is asked of processes whose weights FSDP2 splits, and an engine that takes weights as vLLM's do."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from tests.training.engines.models import COMPLETIONS, PROMPTS, tiny
from tests.training.first_update import Update, first_update
from training.config import Recipe
from training.engines import Probe, weights_of
from training.engines.sampler import SamplerEngine
from training.rl import run_rl


class WholeCopy(SamplerEngine):
    """Samples from a whole model of its own, which `weights_of` fills: what vLLM's engines do."""

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__()
        self.copy: Any = AutoModelForCausalLM.from_config(config).eval()

    def sync(self, model: PreTrainedModel) -> None:
        weights = dict(weights_of(model))
        self.copy.to(next(iter(weights.values())).dtype).load_state_dict(weights)
        super().sync(self.copy)


def copied() -> Any:
    """While this is entered, every engine is a WholeCopy."""
    return mock.patch("training.rl.open_engine", lambda recipe, tokenizer, config: WholeCopy(config))


def first_rl_update(recipe: Recipe, dataset: Path, model: Path, out: Path) -> Update:
    with copied():
        return first_update("rl", recipe, dataset, model, out)


def rl_stage(recipe: Recipe, dataset: Path, model: Path, out: Path, stop_after: int | None = None) -> dict[str, Any]:
    with copied():
        return run_rl(recipe, dataset, model, out, "local", stop_after)


def gathered_weights(family: str, tied: bool) -> tuple[dict[str, torch.Tensor], bool, list[float]]:
    """`weights_of` a model that is split, whether it is, and the probe's difference: synced, then stale."""
    model = tiny(family, tied)
    for layer in model.model.layers:
        fully_shard(layer)
    fully_shard(model)
    engine, probe = WholeCopy(model.config), Probe(PROMPTS, COMPLETIONS, 1e-4)
    engine.sync(model)
    differences = [probe.difference(engine, model)]
    weights = {name: weight.clone() for name, weight in weights_of(model)}
    split = all(isinstance(weight, DTensor) for weight in model.parameters())
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.02
    differences.append(probe.difference(engine, model))
    return weights, split, differences


def whole_weights(family: str, tied: bool) -> dict[str, torch.Tensor]:
    return dict(tiny(family, tied).state_dict())
