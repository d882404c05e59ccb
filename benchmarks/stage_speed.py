"""Speed of a recipe's two stages on this machine: updates per minute, and where an update's time goes.

    python -m benchmarks.stage_speed [--recipe tiny] [--changes '{"rl.updates": 20}'] [--home .stepcode/benchmark-speed]
    python -m benchmarks.stage_speed --recipe qwen05b --tflops 990 --gigabytes-per-s 4800      (with the floor)

Trains both stages, or finds them again where they are done, and reads their metrics. Figures are medians over updates,
the first left out. With the device's limits the floor is told too: training cannot take less than 6 operations per
weight and generated token, generation no less than reading the weights once per token of the update's mean response.
Both leave out prompts, attention and the cache, so that no run can reach it.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.embedded import QUICK, use_home

PHASES = ("generate", "grade", "sync", "reference", "other", "train")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Limits:
    """What a device does at most: 10^12 operations and 10^9 bytes of its memory per second."""

    tflops: float
    gigabytes_per_s: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="tiny")
    parser.add_argument("--changes", type=json.loads, default={}, metavar="JSON", help="of the recipe's values")
    parser.add_argument("--home", type=Path, default=Path(".stepcode/benchmark-speed"))
    parser.add_argument("--tflops", type=float, help="of the device, in the dtype trained in")
    parser.add_argument("--gigabytes-per-s", type=float, help="of the device's memory")
    parser.add_argument("--quick", action="store_true", help="shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    limits = Limits(given.tflops, given.gigabytes_per_s) if given.tflops and given.gigabytes_per_s else None
    use_home(given.home)
    run(given.recipe, (QUICK if given.quick else {}) | given.changes, limits, Console(width=120))


def run(recipe_name: str, changes: dict[str, Any], limits: Limits | None, out: Console) -> None:
    """Train what is not done yet, then print a table for each stage."""
    from flows.refresh_data import refresh_data
    from tasks.train import read_metrics, train_stage
    from tasks.workspace import current_workspace
    from training.config import load_recipe

    recipe = load_recipe(recipe_name, changes)
    workspace = current_workspace()
    inputs = {"dataset": refresh_data(recipe=recipe_name, changes=changes).published.outputs["dataset"]}
    num_weights = 0
    for stage in ("sft", "rl"):
        done = train_stage(workspace, recipe, stage, inputs)
        inputs = {**inputs, "model": done.outputs["model"]}
        rows = read_metrics(workspace, done.outputs["metrics"])
        num_weights = int(done.summary.get("num_parameters", num_weights))
        out.print(stage_table(stage, rows, num_weights, limits))


def stage_table(stage: str, rows: Sequence[Row], num_weights: int, limits: Limits | None) -> Table:
    """Medians over the stage's updates but the first, which warms up."""
    updates = [row for row in rows if "loss" in row][1:]
    if not updates:
        raise ValueError(f"{stage} has fewer than two updates: nothing to tell its speed by")
    whole = _median(updates, "update_s")
    title = f"{stage.upper()}: {60 / whole:.1f} updates per minute, {_median(updates, 'tokens_per_s'):,.0f} tokens/s"
    table = Table("phase", "s", "share", "tokens/s", "GPU busy", "floor, s", title=title, box=SIMPLE)
    phases = [phase for phase in PHASES if f"{phase}_s" in updates[0]]
    for phase in phases:
        seconds = _median(updates, f"{phase}_s")
        table.add_row(
            phase,
            f"{seconds:.3f}",
            f"{seconds / whole:.0%}",
            _shown(updates, f"{phase}_tokens_per_s", ",.0f"),
            _shown(updates, f"{phase}_gpu_busy", ".0%"),
            _floor(phase, updates, num_weights, limits),
        )
    table.add_row("update", f"{whole:.3f}", "", "", _shown(updates, "train_gpu_busy", ".0%") if not phases else "", "")
    return table


def _floor(phase: str, updates: Sequence[Row], num_weights: int, limits: Limits | None) -> str:
    if limits is None or phase not in ("generate", "train"):
        return ""
    if phase == "train":
        return f"{6 * num_weights * _median(updates, 'generated_tokens') / (limits.tflops * 1e12):.3g}"
    return f"{2 * num_weights * _median(updates, 'length') / (limits.gigabytes_per_s * 1e9):.3g}"


def _median(rows: Sequence[Row], column: str) -> float:
    return statistics.median(float(row[column]) for row in rows)


def _shown(rows: Sequence[Row], column: str, form: str) -> str:
    values = [float(row[column]) for row in rows if isinstance(row.get(column), int | float)]
    return format(statistics.median(values), form) if values else ""


if __name__ == "__main__":
    main()
