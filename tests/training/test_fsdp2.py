"""FSDP2 on two gloo processes: ddp's updates, checkpoints that go on to the bit, whole models at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.training.engines.models import FAMILIES, TIED
from tests.training.first_update import assert_same_update, first_update
from tests.training.runs import assert_same_weights, updates
from tests.training.split import first_rl_update, gathered_weights, rl_stage, whole_weights
from tests.training.tiny_data import taught_recipe
from tests.training.together import together
from training.config import Recipe
from training.errors import TrainingError
from training.rl import run_rl
from training.sft import run_sft

QWEN: dict[str, Any] = {"model__architecture": "qwen2", "model__num_layers": 2, "sft__optimizer": "adamw"}
FIGURES = ("update", "loss", "grad_norm", "learning_rate")
SHARED: dict[str, Any] = {"evaluation__curve_programs": 0, "rl__engine": "vllm", "parallel__devices": 2}


def recipe(strategy: str, **changes: Any) -> Recipe:
    return taught_recipe(**(SHARED | {"parallel__strategy": strategy, "sft__optimizer": "adamw"} | changes))


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_first_update_of_sft_is_that_of_ddp(tmp_path: Path, taught_dataset: Path, checkpointing: bool) -> None:
    found = [
        together(
            first_update,
            "sft",
            recipe(strategy, **QWEN, sft__gradient_checkpointing=checkpointing),
            taught_dataset,
            tmp_path,
            tmp_path / strategy,
        )
        for strategy in ("ddp", "fsdp2")
    ]
    for expected, got in zip(*found, strict=True):
        assert (expected.split, got.split) == (False, True)
        assert_same_update(got, expected)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_first_update_of_rl_is_that_of_ddp(
    tmp_path: Path, taught_dataset: Path, taught_model: Path, checkpointing: bool
) -> None:
    changes = {"rl__gradient_checkpointing": checkpointing, "rl__beta": 0.1}
    found = [
        together(first_rl_update, recipe(strategy, **changes), taught_dataset, taught_model, tmp_path / strategy)
        for strategy in ("ddp", "fsdp2")
    ]
    for expected, got in zip(*found, strict=True):
        assert (expected.split, got.split) == (False, True)
        assert_same_update(got, expected)


def test_sft_has_the_losses_of_ddp_and_goes_on_to_the_bit(tmp_path: Path, taught_dataset: Path) -> None:
    changes = QWEN | {"sft__updates": 4, "sft__checkpoint_every": 2}
    ddp, whole, cut = (tmp_path / name for name in ("ddp", "whole", "cut"))
    together(run_sft, recipe("ddp", **changes), taught_dataset, ddp)
    together(run_sft, recipe("fsdp2", **changes), taught_dataset, whole)
    for mine, theirs in zip(updates(whole), updates(ddp), strict=True):
        assert [mine[key] for key in FIGURES] == pytest.approx([theirs[key] for key in FIGURES], rel=1e-5)
    assert together(run_sft, recipe("fsdp2", **changes), taught_dataset, cut, 2) == [{"stopped_after": 2}] * 2
    together(run_sft, recipe("fsdp2", **changes), taught_dataset, cut)
    assert (whole / "checkpoints" / "checkpoint-4" / "pytorch_model_fsdp.bin").is_file(), "weights were not split"
    assert updates(cut) == updates(whole)
    assert_same_weights(cut, whole)
    expected, got = (load_file(folder / "model" / "model.safetensors") for folder in (ddp, whole))
    assert got.keys() == expected.keys(), "a tied weight is written once"
    for name, weight in expected.items():
        torch.testing.assert_close(got[name], weight, rtol=0, atol=1e-5)
    assert AutoModelForCausalLM.from_pretrained(whole / "model").config.model_type == "qwen2"


def test_rl_goes_on_to_the_bit(tmp_path: Path, taught_dataset: Path, taught_model: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    split = recipe("fsdp2", rl__learning_rate=1e-3)
    together(rl_stage, split, taught_dataset, taught_model, whole)
    together(rl_stage, split, taught_dataset, taught_model, cut, 2)
    together(rl_stage, split, taught_dataset, taught_model, cut)
    assert (whole / "checkpoints" / "checkpoint-4" / "pytorch_model_fsdp.bin").is_file(), "weights were not split"
    assert updates(cut) == updates(whole)
    assert updates(whole)[0]["grad_norm"] > 0.01
    assert_same_weights(cut, whole)
    found, start = (load_file(folder / "model.safetensors") for folder in (whole / "model", taught_model))
    assert found.keys() == start.keys()


@pytest.mark.parametrize("tied", TIED)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_engine_gets_whole_weights_and_the_probe_agrees(family: str, tied: bool) -> None:
    expected = whole_weights(family, tied)
    for weights, split, (synced, stale) in together(gathered_weights, family, tied):
        assert split
        assert weights.keys() == expected.keys()
        assert all(torch.equal(weights[name], expected[name]) for name in expected)
        assert synced < 1e-4 < stale


@pytest.mark.parametrize(
    ("changes", "stage", "message"),
    [
        ({"sft__optimizer": "muon"}, "sft", "use 'adamw'"),
        ({"evaluation__curve_programs": 3}, "sft", "set evaluation.curve_programs = 0"),
        ({"evaluation__curve_programs": 3}, "rl", "set evaluation.curve_programs = 0"),
        ({"rl__engine": "sampler"}, "rl", "use rl.engine = 'vllm'"),
    ],
)
def test_what_needs_whole_weights_is_refused_before_it_waits_for_them(
    tmp_path: Path, changes: dict[str, Any], stage: str, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        if stage == "sft":
            run_sft(recipe("fsdp2", **changes), tmp_path, tmp_path / "out")
        else:
            run_rl(recipe("fsdp2", **changes), tmp_path, tmp_path, tmp_path / "out")
