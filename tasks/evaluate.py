"""Evaluate: a model on held-out programs and on the benchmarks that are there, one row per item."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.teacher import TEACHER_VERSION
from evaluation import cruxeval
from evaluation.endpoint import TransformersEndpoint
from evaluation.harness import LIST_COLUMNS, Item, evaluate, items_from_cruxeval, items_from_traces
from execution.observe import observe
from execution.sandbox import open_sandbox
from execution.traces import Trace
from tasks.benchmarks import benchmarks_digest, present
from tasks.progress import progress
from tasks.steps import Made, Output, StepResult, fetch, run_step, step
from tasks.workspace import Workspace, code_version
from training.config import Recipe
from training.examples import select_held_out


@step("evaluate", task_run_name="evaluate-{label}")
def evaluate_model(
    workspace: Workspace,
    recipe: Recipe,
    model: Output,
    dataset: Output,
    label: str,
) -> StepResult:
    """Rows (Parquet) of the model's answers on the dataset's held-out side and on CRUXEval where it is given."""
    settings = workspace.settings
    params = {
        "evaluation": recipe.evaluation.model_dump(mode="json"),
        "slice": recipe.slice.model_dump(mode="json"),
        "seed": recipe.seed,
        "benchmarks": benchmarks_digest(settings.benchmarks),
        "sandbox": settings.sandbox,
        "code": code_version("evaluation", "execution"),
        "teacher": TEACHER_VERSION,
    }

    def work(folder: Path) -> Made:
        model_path = fetch(workspace, model, folder)
        dataset_path = fetch(workspace, dataset, folder)
        items = collect_items(workspace, recipe, dataset_path, model_path)
        rows = _answer(workspace, recipe, items, model_path, folder / "rows.jsonl", label)
        path = folder / "rows.parquet"
        pq.write_table(pa.Table.from_pylist([_flat(row) for row in rows]), path, compression="zstd")
        made = Made(summary={"num_items": len(rows), "num_judged": sum(bool(row["judged"]) for row in rows)})
        made.add("rows", "evaluation", label, path)
        return made

    inputs = {"model": model, "dataset": dataset}
    return run_step(workspace, "evaluate", params=params, inputs=inputs, work=work)


def collect_items(workspace: Workspace, recipe: Recipe, dataset: Path, model: Path) -> list[Item]:
    """Everything the model is asked: held-out programs, and CRUXEval's rows where the folder has them."""
    style = recipe.slice.prompt_style
    held_out = [Trace.from_json(row["trace"]) for row in select_held_out(recipe, dataset, model)]
    items = items_from_traces(
        held_out,
        style=style,
        tasks=recipe.evaluation.tasks,
        seed=recipe.seed,
        questions_per_task=recipe.evaluation.questions_per_task,
    )
    if "cruxeval" in present(workspace.settings.benchmarks) and recipe.evaluation.cruxeval_rows:
        folder = workspace.settings.benchmarks
        assert folder is not None
        rows = cruxeval.load(folder)[: recipe.evaluation.cruxeval_rows]
        items += items_from_cruxeval(rows, _benchmark_traces(workspace, recipe, rows), style=style)
    return items


def _benchmark_traces(workspace: Workspace, recipe: Recipe, rows: list[Any]) -> list[Any]:
    """Each row's trace, or the reason why there is none, in order."""
    backend = workspace.settings.sandbox
    first, second = (open_sandbox(backend, hash_seed=seed) for seed in recipe.trace.hash_seeds)
    with first, second, progress("trace-cruxeval", "CRUXEval traced", len(rows)) as bar:
        outcomes = []
        for done, row in enumerate(rows):
            outcomes += observe([row.program], (first, second), max_states=recipe.trace.max_states)
            bar.update(done + 1)
        return outcomes


def _answer(
    workspace: Workspace, recipe: Recipe, items: list[Item], model: Path, out: Path, label: str
) -> list[dict[str, Any]]:
    # as in training, the prompt goes in as it stands, without a chat template
    endpoint = TransformersEndpoint(model, threads=workspace.settings.workers, chat=False)
    with (
        open_sandbox(workspace.settings.sandbox) as sandbox,
        progress(f"evaluate-{label}", f"{label} answers", len(items)) as bar,
    ):
        return evaluate(
            items,
            endpoint,
            out,
            sandbox,
            max_new_tokens=recipe.evaluation.max_new_tokens,
            progress=lambda done, _: bar.update(done, f"{bar.rate(done):,.0f} items/s"),
        )


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, **{name: json.dumps(row[name]) for name in LIST_COLUMNS}}


def _unflat(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, **{name: json.loads(row[name]) for name in LIST_COLUMNS}}


def read_rows(workspace: Workspace, rows: Output, folder: Path) -> list[dict[str, Any]]:
    """The rows of an evaluation as `evaluation.harness` wrote them."""
    table = pq.read_table(fetch(workspace, rows, folder)).to_pylist()
    return [
        {
            key: json.loads(value) if key in LIST_COLUMNS and isinstance(value, str) else value
            for key, value in row.items()
        }
        for row in table
    ]
