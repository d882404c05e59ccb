"""The section [parallel] as arguments of transformers' Trainer and of TRL: pure functions of a recipe.

Chosen by configuration, run by accelerate, torch (FSDP2) and DeepSpeed. This project has not run deepspeed or NCCL; it
runs ddp and fsdp2 on two processes with gloo (tests/training/test_two_processes.py, test_fsdp2.py).
"""

from __future__ import annotations

from typing import Any

from training.config import Recipe
from training.errors import TrainingError

LAYER_CLASSES = {"llama": "LlamaDecoderLayer", "qwen2": "Qwen2DecoderLayer"}


def parallel_arguments(recipe: Recipe, checkpointing: bool) -> dict[str, Any]:
    """Arguments of TrainingArguments and GRPOConfig for the strategy and for gradient checkpointing.

    fsdp2: checkpointing is FSDP's own, which gathers a layer's weights once for the recomputed forward pass; the
    state dict is full, so that a saved model is whole.
    """
    section = recipe.parallel
    if section.strategy == "fsdp2":
        config = {
            "version": 2,
            "reshard_after_forward": section.reshard,
            "cpu_offload": section.cpu_offload,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "transformer_layer_cls_to_wrap": [LAYER_CLASSES[recipe.model.architecture]],
            "activation_checkpointing": checkpointing,
            "state_dict_type": "FULL_STATE_DICT",
        }
        return {"fsdp": True, "fsdp_config": config, "gradient_checkpointing": False}
    given: dict[str, Any] = {"gradient_checkpointing": checkpointing}
    if checkpointing:
        given["gradient_checkpointing_kwargs"] = {"use_reentrant": False}
    if section.strategy == "deepspeed":
        return given | {"deepspeed": deepspeed_config(recipe)}
    if section.devices > 1:
        given["ddp_find_unused_parameters"] = False
    return given


def deepspeed_config(recipe: Recipe) -> dict[str, Any]:
    """ZeRO stage 3, or stage 2 where weights are not given back; "auto" values are the Trainer's."""
    section = recipe.parallel
    target = {"device": "cpu", "pin_memory": True} if section.cpu_offload else {"device": "none"}
    zero: dict[str, Any] = {
        "stage": 3 if section.reshard else 2,
        "overlap_comm": True,
        "contiguous_gradients": True,
        "offload_optimizer": target,
    }
    if section.reshard:
        zero |= {"offload_param": target, "stage3_gather_16bit_weights_on_model_save": True}
    return {
        "zero_optimization": zero,
        "bf16": {"enabled": recipe.model.precision == "bfloat16"},
        "gradient_clipping": "auto",
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
    }


def split_problems(recipe: Recipe, stage: str) -> list[str]:
    """What can't work in a stage whose weights are split over devices, with what to change."""
    strategy = recipe.parallel.strategy
    if strategy == "ddp":
        return []
    found = []
    if stage == "sft" and recipe.sft.optimizer == "muon":
        found.append(
            f"sft.optimizer = 'muon' takes whole matrices, which parallel.strategy = '{strategy}' splits: use 'adamw'"
        )
    if stage == "rl" and recipe.rl.engine in ("sampler", "transformers"):
        found.append(
            f"rl.engine = '{recipe.rl.engine}' reads whole weights, which parallel.strategy = '{strategy}' splits:"
            " use rl.engine = 'vllm'"
        )
    if recipe.model.adapter == "lora":
        found.append(
            "LoRA's additions are merged at the end of a stage into whole weights, which"
            f" parallel.strategy = '{strategy}' splits: use parallel.strategy = 'ddp'"
        )
    if recipe.evaluation.curve_programs:
        found.append(
            f"the held-out curve reads whole weights, which parallel.strategy = '{strategy}' splits:"
            " set evaluation.curve_programs = 0"
        )
    return found


def refuse_split(recipe: Recipe, stage: str) -> None:
    """TrainingError where a stage would wait without end for weights that are on other devices."""
    if found := split_problems(recipe, stage):
        raise TrainingError("; ".join(found))


def num_actors(recipe: Recipe) -> int:
    """Actors with an engine that a stage on several devices starts: one for each of its workers."""
    several = recipe.parallel.devices > 1
    return recipe.parallel.devices if several and recipe.rl.engine == "vllm_actor" else 0


def num_gpus(recipe: Recipe) -> int:
    """GPUs of workers and actors together; the actor of a stage on one device shares that device with it."""
    return recipe.parallel.devices + num_actors(recipe) * recipe.parallel.engine_devices


def engine_options(recipe: Recipe, num_processes: int, on_gpu: bool) -> dict[str, Any]:
    """Arguments of vllm.LLM: over how many devices an engine is spread, and its share of a GPU's memory.

    In one of several training processes vLLM computes in that process, on its device, and starts no others
    (external_launcher): the engines of `parallel.engine_devices` neighbours are one model. An actor is a process of its
    own, where vLLM starts those that it needs.
    """
    given: dict[str, Any] = {"tensor_parallel_size": recipe.parallel.engine_devices}
    if recipe.rl.engine == "vllm" and num_processes > 1:
        given["distributed_executor_backend"] = "external_launcher"
    if recipe.rl.engine == "vllm_actor" and recipe.parallel.engine_devices > 1:
        given["distributed_executor_backend"] = "mp"
    return given | ({"gpu_memory_utilization": recipe.parallel.engine_memory_share} if on_gpu else {})
