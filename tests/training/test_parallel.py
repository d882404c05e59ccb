"""[parallel] as arguments of the engines: pure, checked for what they say; test_fsdp2.py runs FSDP2."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest
from transformers import TrainingArguments

from training.config import RecipeError, load_recipe
from training.parallel import engine_options, parallel_arguments


def test_one_device_needs_nothing_but_checkpointing() -> None:
    recipe = load_recipe("tiny")
    assert parallel_arguments(recipe, False) == {"gradient_checkpointing": False}
    assert parallel_arguments(recipe, True) == {
        "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
    }


def test_fsdp2_of_the_7b_recipe() -> None:
    recipe = load_recipe("qwen7b", {"parallel.reshard": False, "parallel.cpu_offload": True})
    assert parallel_arguments(recipe, True) == {
        "fsdp": True,
        "fsdp_config": {
            "version": 2,
            "reshard_after_forward": False,
            "cpu_offload": True,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "transformer_layer_cls_to_wrap": ["Qwen2DecoderLayer"],
            "activation_checkpointing": True,
            "state_dict_type": "FULL_STATE_DICT",
        },
        "gradient_checkpointing": False,
    }


def test_an_engine_of_several_processes_starts_none_of_its_own() -> None:
    spread = load_recipe("qwen7b")
    assert engine_options(spread, 8, True) == {
        "tensor_parallel_size": 4,
        "distributed_executor_backend": "external_launcher",
        "gpu_memory_utilization": 0.2,
    }
    alone = load_recipe("qwen7b", {"parallel.engine_devices": 1})
    assert engine_options(alone, 8, True)["distributed_executor_backend"] == "external_launcher"
    assert engine_options(alone, 1, False) == {"tensor_parallel_size": 1}
    actor = load_recipe("qwen7b", {"rl.engine": "vllm_actor"})
    assert engine_options(actor, 8, False) == {"tensor_parallel_size": 4, "distributed_executor_backend": "mp"}


def test_transformers_understands_the_fsdp2_arguments(tmp_path: Path) -> None:
    given = parallel_arguments(load_recipe("qwen7b"), True)
    with mock.patch.dict(os.environ):  # transformers leaves variables there
        args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, **given)
    assert args.fsdp_plugin_args["fsdp_version"] == 2
    assert args.fsdp_plugin_args["reshard_after_forward"] is True
    assert args.fsdp_plugin_args["activation_checkpointing"] is True
    assert args.fsdp_plugin_args["transformer_cls_names_to_wrap"] == "Qwen2DecoderLayer"


def test_deepspeed_is_zero_3_or_2() -> None:
    changes = {"parallel.strategy": "deepspeed", "parallel.cpu_offload": True}
    config = parallel_arguments(load_recipe("qwen7b", changes), True)["deepspeed"]
    assert config["zero_optimization"]["stage"] == 3
    assert config["zero_optimization"]["offload_param"] == {"device": "cpu", "pin_memory": True}
    assert config["bf16"] == {"enabled": True}
    kept = parallel_arguments(
        load_recipe("qwen7b", {"parallel.strategy": "deepspeed", "parallel.reshard": False}), True
    )
    assert kept["deepspeed"]["zero_optimization"]["stage"] == 2
    assert "offload_param" not in kept["deepspeed"]["zero_optimization"]


def test_ddp_of_several_devices_expects_every_gradient() -> None:
    assert parallel_arguments(load_recipe("tiny", {"parallel.devices": 2}), False) == {
        "gradient_checkpointing": False,
        "ddp_find_unused_parameters": False,
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parallel.cpu_offload": True}, "cpu_offload needs strategy"),
        ({"parallel.devices": 2, "parallel.engine_devices": 4}, "no multiple of engine_devices"),
        ({"model.lora_targets": ["lm_head"]}, "lora_targets can't be lm_head"),
        ({"logging.to": ["printer"]}, "logging.to"),
    ],
)
def test_what_cannot_be_spread_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("tiny", changes)
