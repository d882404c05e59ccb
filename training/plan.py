"""The dry run: whether a recipe can work, in seconds, without data, model weights or a GPU.

Files and packages that must be there, batch arithmetic, context length, and memory per device, each figure with its
formula. Problems say what to change; with any of them the plan does not work. Notes are worth knowing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.batch_plan import BatchLine, plan_updates
from training.config import Recipe
from training.device import Device, host_memory_gib, this_device
from training.memory import GIB, MemoryLine, engine_needs, peak_bytes, stage_lines, trained_parameters
from training.needs import Need, file_needs, package_needs
from training.parallel import num_actors, num_gpus, split_problems
from training.sizes import Sizes, UnknownSizes, sizes_of_recipe


@dataclass(frozen=True)
class StageMemory:
    """Memory of a stage on one device."""

    stage: str
    lines: tuple[MemoryLine, ...]
    total_gib: float
    fits: bool | None


@dataclass(frozen=True)
class Plan:
    """Everything that the dry run found; `works` is what the exit status says."""

    recipe: str
    device: Device
    sizes: Sizes | None
    sizes_from: str
    parameters: int | None
    trained: int | None
    needs: tuple[Need, ...]
    batches: tuple[BatchLine, ...]
    memory: tuple[StageMemory, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def works(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {**dataclasses.asdict(self), "works": self.works}


def plan(
    recipe: Recipe,
    *,
    programs: Path | None = None,
    benchmarks: Path | None = None,
    gpu_memory_gib: float | None = None,
    device: Device | None = None,
    more_needs: Sequence[Need] = (),
) -> Plan:
    """The plan of a recipe on `device` (this machine's unless given), or on GPUs of `gpu_memory_gib` elsewhere.

    `more_needs` are those that the caller has looked up, such as a registered model.
    """
    elsewhere = gpu_memory_gib is not None
    if elsewhere:
        device = Device(num_gpus(recipe), gpu_memory_gib, "as asked")
    device = device or this_device()
    needs = [*file_needs(recipe, programs, benchmarks), *more_needs, *package_needs(recipe, elsewhere)]
    problems = [need.problem for need in needs if need.problem and need.fatal]
    notes = [need.problem for need in needs if need.problem and not need.fatal]
    batches = plan_updates(recipe)
    problems += batches.problems
    sizes, where = None, ""
    try:
        sizes, where = sizes_of_recipe(recipe)
    except UnknownSizes as error:
        notes.append(f"no memory estimate: {error}")
    memory: tuple[StageMemory, ...] = ()
    if sizes is not None:
        problems += context_problems(recipe, sizes) + architecture_problems(recipe, sizes)
        compared = _compared(recipe, sizes, device)
        memory = tuple(
            stage_memory(shape.stage, stage_lines(recipe, sizes, shape, (compared.gib or 0) * GIB), compared.gib)
            for shape in batches.shapes
        )
        problems += [memory_problem(recipe, one, compared) for one in memory if one.fits is False]
        problems += engine_problems(recipe, sizes, compared)
        device = compared
    problems += _device_problems(recipe, device)
    if recipe.parallel.devices > 1:
        notes.append(
            f"parallel.devices = {recipe.parallel.devices}: each stage runs on so many Ray Train workers, which write"
            " into one output folder: on several machines it must be on shared storage (docs/training.md)"
        )
        notes += engine_notes(recipe)
    return Plan(
        recipe=recipe.name,
        device=device,
        sizes=sizes,
        sizes_from=where,
        parameters=sizes.parameters if sizes else None,
        trained=trained_parameters(recipe, sizes) if sizes else None,
        needs=tuple(needs),
        batches=batches.lines,
        memory=memory,
        problems=tuple(dict.fromkeys(problems)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _compared(recipe: Recipe, sizes: Sizes, device: Device) -> Device:
    """Without a GPU: the hardware that the recipe states, or this machine's memory where it states none."""
    if device.gib is not None:
        return device
    stated = recipe.parallel.device_memory_gib
    if stated is not None:
        return Device(device.count, stated, f"stated by the recipe; {device.source}")
    return Device(device.count, host_memory_gib(), f"memory of this machine; {device.source}")


def stage_memory(stage: str, lines: list[MemoryLine], device_gib: float | None) -> StageMemory:
    """The lines of a stage with their sum at its peak."""
    reserve = lines[-1].num_bytes
    total = (peak_bytes(lines[:-1]) + reserve) / GIB
    return StageMemory(stage, tuple(lines), round(total, 2), None if device_gib is None else total <= device_gib)


def memory_problem(recipe: Recipe, memory: StageMemory, device: Device) -> str:
    """What to change about the largest use that can be changed."""
    largest = max(memory.lines, key=lambda line: line.num_bytes)
    section = recipe.sft if memory.stage == "sft" else recipe.rl
    if largest.what == "activations" and not section.gradient_checkpointing:
        change = f"set {memory.stage}.gradient_checkpointing = true"
    elif largest.what in ("activations", "logits"):
        change = f"raise {memory.stage}.micro_batches (now {section.micro_batches})"
    elif largest.what == "mask":
        change = "lower sft.packed_tokens"
    elif largest.what == "vLLM":
        change = "lower parallel.engine_memory_share"
    elif largest.what == "KV cache":
        change = "use rl.engine = 'sampler' or 'vllm', which bound the cache"
    elif recipe.model.adapter == "none" and recipe.parallel.devices == 1:
        change = "use model.adapter = 'lora', or more devices with parallel.strategy = 'fsdp2'"
    elif recipe.parallel.strategy == "ddp" and recipe.parallel.devices > 1:
        change = "use parallel.strategy = 'fsdp2', which keeps a share of the model on each device"
    else:
        change = "use more devices, parallel.cpu_offload = true, or model.adapter = 'lora'"
    gib = largest.num_bytes / GIB
    return (
        f"{memory.stage} needs {memory.total_gib:.1f} GiB on a device of {device.gib:.1f} GiB; the most is"
        f" {largest.what} with {gib:.1f}: {change}"
    )


def context_problems(recipe: Recipe, sizes: Sizes) -> list[str]:
    """Rows that are longer than the positions that the model knows."""
    part, limit = recipe.slice, sizes.max_positions
    asked = {
        "slice.max_response_tokens": part.max_response_tokens,
        "rl.max_completion_tokens": recipe.rl.max_completion_tokens,
        "evaluation.max_new_tokens": recipe.evaluation.max_new_tokens,
    }
    return [
        f"slice.max_prompt_tokens {part.max_prompt_tokens} + {key} {tokens} is more than the model's {limit} positions:"
        " lower one of them"
        for key, tokens in asked.items()
        if part.max_prompt_tokens + tokens > limit
    ]


def architecture_problems(recipe: Recipe, sizes: Sizes) -> list[str]:
    """FSDP2 wraps the layers of the class that the recipe names."""
    if sizes.architecture == recipe.model.architecture:
        return []
    return [f"the model is of the architecture {sizes.architecture}: set model.architecture = '{sizes.architecture}'"]


def engine_problems(recipe: Recipe, sizes: Sizes, device: Device) -> list[str]:
    """Engines that can't work on these devices."""
    parallel = recipe.parallel
    # some hold for both stages, and are told once
    found = list(dict.fromkeys(one for stage in recipe.stages for one in split_problems(recipe, stage)))
    if recipe.rl.engine not in ("vllm", "vllm_actor") or device.gib is None:
        return found
    if sizes.heads % parallel.engine_devices or sizes.kv_heads % parallel.engine_devices:
        found.append(
            f"parallel.engine_devices {parallel.engine_devices} must divide the model's {sizes.heads} heads and"
            f" {sizes.kv_heads} key-value heads"
        )
    share, needed = parallel.engine_memory_share * device.gib, engine_needs(recipe, sizes) / GIB
    if needed > share:
        found.append(
            f"vLLM gets {share:.1f} GiB of a device and needs {needed:.1f} for its weights and one row: raise"
            " parallel.engine_memory_share or parallel.engine_devices"
        )
    return found


def engine_notes(recipe: Recipe) -> list[str]:
    """Where vLLM computes when a stage has several workers."""
    section = recipe.parallel
    if recipe.rl.engine == "vllm":
        return [
            f"rl.engine = 'vllm', parallel.engine_devices = {section.engine_devices}: the {section.devices} workers"
            f" hold {section.devices // section.engine_devices} engines on their own devices, each spread over"
            f" {section.engine_devices} neighbouring workers, which should be on one machine"
        ]
    if recipe.rl.engine == "vllm_actor":
        return [
            f"rl.engine = 'vllm_actor', parallel.engine_devices = {section.engine_devices}: each of the"
            f" {section.devices} workers starts an actor with so many GPUs of its own, {num_gpus(recipe)} in all"
        ]
    return []


def _device_problems(recipe: Recipe, device: Device) -> list[str]:
    needed = num_gpus(recipe)
    if device.count is None or needed == 1 or device.count >= needed:
        return []
    if num_actors(recipe):
        return [
            f"{recipe.parallel.devices} workers and an actor of {recipe.parallel.engine_devices} GPUs for each"
            f" (rl.engine = 'vllm_actor') need {needed} GPUs, and this machine has {device.count}: use"
            " rl.engine = 'vllm', or run it where they are (to plan for elsewhere give --gpu-memory)"
        ]
    return [
        f"parallel.devices = {needed}, and this machine has {device.count} GPUs: run it where they are (to plan for"
        " elsewhere give --gpu-memory), or lower parallel.devices"
    ]
