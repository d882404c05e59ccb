"""Which held-out programs a model is measured on, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from execution.traces import Trace
from training.config import Recipe
from training.examples import encoded_within_limits, full_rows, io_example, rows_in_slice, traces_of
from training.trace_pool import Traces, draw_hash

# Models are asked the same programs and questions, whatever seed they were trained with.
MEASURED_SEED = 0


def held_out_traces(recipe: Recipe, dataset: Path) -> Traces:
    """Traces of the held-out side that are in the slice."""
    return traces_of(dataset, "held_out", rows_in_slice(recipe, dataset, "held_out"))


def held_out_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows at random, but the first calls of all sources before the second ones: more sources, tighter intervals."""
    rows = sorted(rows, key=lambda row: draw_hash(MEASURED_SEED, "held-out", row["program_id"]))
    seen: dict[str, int] = {}
    turns = []
    for row in rows:
        seen[row["source_id"]] = seen.get(row["source_id"], 0) + 1
        turns.append(seen[row["source_id"]])
    return [row for _, row in sorted(zip(turns, rows, strict=True), key=lambda pair: pair[0])]


def select_held_out(recipe: Recipe, dataset: Path, model: Path, count: int | None = None) -> list[dict[str, Any]]:
    """Held-out rows (all columns) that the model is measured on: in the slice, and output prompt and response
    within the recipe's limits by the tokenizer in the folder `model`; at most `count`
    (default: evaluation.held_out_programs), the first of a fixed random order."""
    from training.model import load_tokenizer

    tokenizer = load_tokenizer(str(model))
    count = recipe.evaluation.held_out_programs if count is None else count
    ordered = held_out_order(rows_in_slice(recipe, dataset, "held_out"))
    chosen: list[dict[str, Any]] = []
    for start in range(0, len(ordered), 256):
        if len(chosen) >= count:
            break
        for row in full_rows(dataset, "held_out", [row["position"] for row in ordered[start : start + 256]]):
            example = io_example(recipe, Trace.from_json(row["trace"]), "output")
            if example and encoded_within_limits(recipe, tokenizer, [example]):
                chosen.append(row)
    return chosen[:count]
