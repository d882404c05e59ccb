"""Launched stages that a test disturbs, and what must be equal in two of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors.torch import load_file

from infra.processes import command_line, descendants
from training.config import Recipe
from training.launch import launch
from training.metrics import Row, read_metrics

TIMES = ("_s", "_per_s", "_gpu_busy", "peak_memory_gib")
Disturb = Callable[[dict[str, Any]], None]


def run(stage: str, recipe: Recipe, dataset: Path, model: Path, out: Path, disturb: Disturb = lambda row: None) -> Path:
    """Launch a stage to its end; `disturb` sees every row of its metrics as it comes."""
    launch(stage, recipe, {"dataset": dataset, "model": model}, out, disturb)
    return out


def figures(out: Path) -> list[Row]:
    """Every row of the metrics without what depends on the clock."""
    rows = read_metrics(out / "metrics.jsonl")
    return [{key: value for key, value in row.items() if not key.endswith(TIMES)} for row in rows]


def updates(out: Path) -> list[Row]:
    return [row for row in figures(out) if "loss" in row]


def assert_same_weights(one: Path, other: Path) -> None:
    """To the bit."""
    first, second = (load_file(out / "model" / "model.safetensors") for out in (one, other))
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def below(name: str) -> list[psutil.Process]:
    """The processes that this one has started, and theirs, whose command line or title has `name` in it."""
    return [process for process in descendants(psutil.Process()) if name in command_line(process)]


def random_update(seed: int, num_updates: int) -> int:
    """One that leaves time to be killed in."""
    return random.Random(seed).randint(1, num_updates // 2)
