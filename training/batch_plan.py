"""Batch arithmetic of a recipe: what an update is made of, and what does not divide."""

from __future__ import annotations

from dataclasses import dataclass

from training.config import Recipe
from training.memory import StageShape
from training.packing import most_tokens


@dataclass(frozen=True)
class BatchLine:
    """One figure with its formula in words."""

    stage: str
    what: str
    value: int
    formula: str


@dataclass(frozen=True)
class Batches:
    """Figures, the shapes that memory depends on, and what has to change."""

    lines: tuple[BatchLine, ...]
    shapes: tuple[StageShape, ...]
    problems: tuple[str, ...]


def grpo_parts(recipe: Recipe, processes: int) -> int:
    """Micro-batches of an update on each process: TRL's gradient_accumulation_steps and steps_per_generation."""
    return max(1, recipe.rl.micro_batches // processes)


def plan_updates(recipe: Recipe) -> Batches:
    """Both stages' updates on `parallel.devices` processes; see `training.rl.grpo_arguments` for the same sums."""
    sft, rl = _sft(recipe), _rl(recipe)
    return Batches(sft.lines + rl.lines, sft.shapes + rl.shapes, sft.problems + rl.problems)


def _sft(recipe: Recipe) -> Batches:
    section, processes = recipe.sft, recipe.parallel.devices
    problems = []
    if section.micro_batches > section.batch_size:
        problems.append(
            f"sft.micro_batches {section.micro_batches} leaves parts of the batch without rows: at most"
            f" sft.batch_size {section.batch_size}"
        )
    if section.micro_batches % processes:
        above = -(-section.micro_batches // processes) * processes
        problems.append(
            f"sft.micro_batches {section.micro_batches} can't be shared by {processes} processes:"
            f" use {above}, or another number that {processes} divides"
        )
    sequences = -(-section.batch_size // section.micro_batches)
    row_tokens = recipe.slice.max_prompt_tokens + recipe.slice.max_response_tokens
    accumulated = max(1, section.micro_batches // processes)
    shared = f"micro_batches / {processes} processes"
    longest = row_tokens
    parts = [
        BatchLine("sft", "rows per micro-batch", sequences, "batch_size / micro_batches, rounded up"),
        BatchLine("sft", "micro-batches per process", accumulated, shared),
    ]
    if section.packing:
        longest = most_tokens(recipe)
        within = "sft.packed_tokens" if longest > row_tokens else "slice.max_prompt_tokens + max_response_tokens"
        parts = [
            BatchLine("sft", "packed sequences per micro-batch", sequences, "at most, batch_size / micro_batches"),
            BatchLine("sft", "tokens per sequence", longest, f"at most, {within}"),
            BatchLine("sft", "micro-batches per process", accumulated, f"at most, {shared}; as few as the rows allow"),
        ]
    lines = (
        BatchLine("sft", "rows per update", section.batch_size, "sft.batch_size"),
        *parts,
        BatchLine("sft", "tokens per update", section.batch_size * row_tokens, f"at most, rows x {row_tokens:,}"),
        BatchLine("sft", "rows in all", section.batch_size * section.updates, f"rows x {section.updates:,} updates"),
    )
    return Batches(lines, (StageShape("sft", sequences, longest),), tuple(problems))


def _rl(recipe: Recipe) -> Batches:
    section, processes = recipe.rl, recipe.parallel.devices
    parts = grpo_parts(recipe, processes)
    rollouts = section.prompts_per_update * section.group_size
    per_device = rollouts // (parts * processes)
    problems = []
    if section.micro_batches % processes and section.micro_batches > processes:
        problems.append(
            f"rl.micro_batches {section.micro_batches} can't be shared by {processes} processes:"
            f" use {-(-section.micro_batches // processes) * processes}, or another number that {processes} divides"
        )
    elif rollouts % (parts * processes) or not per_device:
        good = [number for number in range(1, rollouts // processes + 1) if rollouts % (number * processes) == 0]
        near = min(good, key=lambda number: abs(number - parts)) * processes if good else None
        change = f"use rl.micro_batches {near}" if near else f"use a multiple of {processes} rollouts"
        problems.append(
            f"{rollouts} rollouts (rl.prompts_per_update {section.prompts_per_update} x rl.group_size"
            f" {section.group_size}) can't be cut into {parts} micro-batches on {processes} processes: {change}"
        )
    if section.dynamic_sampling and section.prompts_per_update % processes:
        above = -(-section.prompts_per_update // processes) * processes
        problems.append(
            f"rl.dynamic_sampling replaces whole groups, and {processes} processes can't share"
            f" rl.prompts_per_update {section.prompts_per_update}: use {above}, or another multiple of {processes}"
        )
    per_device = max(1, per_device)
    row_tokens = recipe.slice.max_prompt_tokens + section.max_completion_tokens
    lines = (
        BatchLine("rl", "rollouts per update", rollouts, "rl.prompts_per_update x rl.group_size (num_generations)"),
        BatchLine(
            "rl",
            "per_device_train_batch_size",
            per_device,
            f"rollouts / ({parts} micro-batches x {processes} processes)",
        ),
        BatchLine("rl", "gradient_accumulation_steps", parts, f"rl.micro_batches / {processes} processes"),
        BatchLine("rl", "steps_per_generation", parts, "the same: one update per generation, so that ratios are 1"),
        BatchLine("rl", "tokens per update", rollouts * row_tokens, f"at most, rollouts x {row_tokens:,}"),
        BatchLine(
            "rl",
            "prompts in all",
            section.prompts_per_update * section.updates,
            f"prompts_per_update x {section.updates:,} updates",
        ),
    )
    shape = StageShape("rl", per_device, row_tokens, -(-rollouts // processes))
    return Batches(lines, (shape,), tuple(problems))
