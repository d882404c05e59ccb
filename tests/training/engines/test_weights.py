"""What an engine is sent: every weight, whole and merged, from models with additions and from split ones."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from tests.training.engines.models import COMPLETIONS, FAMILIES, PROMPTS, TIED, tiny, update
from tests.training.engines.test_probe import CopyEngine
from tests.training.processes import in_processes
from tests.training.tiny_data import taught_recipe, tiny_recipe
from training import rl
from training.adapters import adapted
from training.engines import Probe, weights_of
from training.metrics import read_metrics

PROBE = Probe(PROMPTS, COMPLETIONS, 1e-4)


def with_additions(family: str, tied: bool) -> PreTrainedModel:
    """A model with additions to its linear layers that change what it says."""
    model = adapted(tiny(family, tied), tiny_recipe(model__adapter="lora", model__lora_rank=4))
    change(model, 1)
    return model


def change(model: PreTrainedModel, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight += 0.03 * torch.randn(weight.shape, generator=generator)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tied", TIED)
@pytest.mark.parametrize("family", FAMILIES)
def test_additions_are_merged_as_peft_merges_them_and_the_model_stays(
    family: str, tied: bool, dtype: torch.dtype
) -> None:
    model: Any = with_additions(family, tied)
    for name, weight in model.named_parameters():
        if "lora_" not in name:
            weight.data = weight.data.to(dtype)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    sent = dict(weights_of(model))
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    merged = copy.deepcopy(model).merge_and_unload().state_dict()
    assert sent.keys() == merged.keys() == tiny(family, tied).state_dict().keys()
    assert [name for name in merged if not torch.equal(merged[name], sent[name])] == []
    plain = {name: weight.to(dtype) for name, weight in tiny(family, tied).state_dict().items()}
    moved = {name.split(".")[-2] for name in plain if not torch.equal(plain[name], sent[name])}
    assert moved == set(tiny_recipe().model.lora_targets)


@pytest.mark.parametrize("tied", TIED)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_engine_with_a_copy_follows_the_additions(family: str, tied: bool) -> None:
    model, engine = with_additions(family, tied), CopyEngine()
    engine.sync(model)
    for number in range(2):
        assert PROBE.difference(engine, model) < 2e-5
        change(model, number)
        assert PROBE.difference(engine, model) > PROBE.limit
        engine.sync(model)
    assert PROBE.difference(engine, model) < 2e-5


def test_rl_with_additions_trains_on_an_engine_with_a_copy(
    tmp_path: Path, taught_dataset: Path, taught_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = CopyEngine()
    monkeypatch.setattr(rl, "open_engine", lambda *_: engine)
    recipe = taught_recipe(model__adapter="lora", rl__updates=3, rl__learning_rate=0.01, rl__evaluate_every=3)
    rl.run_rl(recipe, taught_dataset, taught_model, tmp_path, "local")
    rows = [row for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row]
    assert engine.num_syncs == 3
    assert all(row["grad_norm"] > 0 for row in rows)
    assert all(row["engine_difference"] < 1e-4 for row in rows)


def two_ranks_of_fsdp2(rank: int) -> None:
    plain, model = with_additions("qwen2", True), with_additions("qwen2", True)
    base: Any = model.base_model.model.model
    for number, layer in enumerate(base.layers):
        base.layers[number] = fully_shard(checkpoint_wrapper(layer))
    fully_shard(model)
    assert isinstance(model.get_input_embeddings().weight, DTensor)
    sent, wanted = dict(weights_of(model)), dict(weights_of(plain))
    assert sent.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], sent[name])] == []
    engine = CopyEngine()
    engine.sync(model)
    assert PROBE.difference(engine, model) < 2e-5


@pytest.mark.slow
def test_weights_that_fsdp2_splits_are_gathered(tmp_path: Path) -> None:
    in_processes(2, tmp_path, two_ranks_of_fsdp2)


class StandIn:
    """Stands in for DeepSpeed: a split weight is empty, and whole only while it is gathered."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.held: dict[int, Tensor] = {}
        for number, weight in enumerate(model.parameters()):
            weight.ds_id = number  # type: ignore[attr-defined]
            self.held[number] = weight.data
            weight.data = torch.empty(0)
        self.zero = SimpleNamespace(GatheredParameters=self.gathered)

    @contextlib.contextmanager
    def gathered(self, weights: list[Any]) -> Iterator[None]:
        for weight in weights:
            weight.data = self.held[weight.ds_id].clone()
        yield
        for weight in weights:
            weight.data.fill_(float("nan"))
            weight.data = torch.empty(0)


@pytest.mark.parametrize("tied", TIED)
def test_weights_that_deepspeed_splits_are_gathered_one_by_one(tied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model, wanted = with_additions("llama", tied), dict(weights_of(with_additions("llama", tied)))
    monkeypatch.setitem(sys.modules, "deepspeed", StandIn(model))  # type: ignore[arg-type]
    sent = dict(weights_of(model))
    assert sent.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], sent[name])] == []


def two_ranks_of_zero3(rank: int) -> None:
    import deepspeed

    model = tiny("qwen2", True)
    update(model, 1)
    zero = {"stage": 3, "stage3_param_persistence_threshold": 0}
    config = {"zero_optimization": zero, "train_micro_batch_size_per_gpu": 1, "zero_allow_untested_optimizer": True}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    wrapped, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
    engine = CopyEngine()
    for _ in range(2):
        assert next(model.parameters()).numel() == 0
        engine.sync(model)
        assert PROBE.difference(engine, model) < 2e-5
        rows = torch.tensor([[3, 4 + rank, 5, 6]])
        wrapped.backward(wrapped(input_ids=rows, labels=rows).loss)
        wrapped.step()
        assert PROBE.difference(engine, model) > PROBE.limit


@pytest.mark.slow
@pytest.mark.optional("deepspeed")
def test_weights_that_zero_3_splits_are_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    in_processes(2, tmp_path, two_ranks_of_zero3)
