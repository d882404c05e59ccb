"""Evaluate: a model on held-out programs and on the benchmarks that are there, one row per item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corpus.holes import HOLES_VERSION
from corpus.teacher import TEACHER_VERSION
from evaluation.benchmark_items import benchmark_items
from evaluation.code_problems import problem_items
from evaluation.endpoint import TransformersEndpoint
from evaluation.harness import Decoding, Row, evaluate
from evaluation.items import Item
from evaluation.jails import Jails
from evaluation.prompts import CODE
from evaluation.trace_items import HELD_OUT, items_from_traces
from evaluation.unit_tests import PROGRAM_LIMITS
from execution.traces import Trace
from tasks.benchmarks import benchmarks_digest, present
from tasks.evaluation_rows import read_rows_file, write_rows_file
from tasks.progress import progress
from tasks.steps import Made, Output, StepResult, fetch, run_step, step
from tasks.workspace import Workspace, code_version
from training.code_examples import held_out_problems
from training.config import Recipe
from training.held_out_rows import MEASURED_SEED, select_held_out


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
        "benchmarks": benchmarks_digest(settings.benchmarks),
        "sandbox": settings.sandbox,
        "code": code_version("evaluation", "execution"),
        "teacher": TEACHER_VERSION,
        "holes": HOLES_VERSION,
    }

    def work(folder: Path) -> Made:
        model_path = fetch(workspace, model, folder)
        dataset_path = fetch(workspace, dataset, folder)
        with Jails(settings.sandbox) as jails:
            items = collect_items(workspace, recipe, dataset_path, model_path, jails)
            rows = _answer(workspace, recipe, items, model_path, folder / "rows.jsonl", label, jails)
        path = folder / "rows.parquet"
        write_rows_file(rows, path)
        made = Made(summary={"num_items": len(rows), "num_judged": sum(bool(row["judged"]) for row in rows)})
        made.add("rows", "evaluation", label, path)
        return made

    inputs = {"model": model, "dataset": dataset}
    return run_step(workspace, "evaluate", params=params, inputs=inputs, work=work)


def collect_items(workspace: Workspace, recipe: Recipe, dataset: Path, model: Path, jails: Jails) -> list[Item]:
    """Everything the model is asked: held-out programs, and the recipe's benchmarks where the folder has them."""
    asked = recipe.evaluation
    held_out = [Trace.from_json(row["trace"]) for row in select_held_out(recipe, dataset, model)]
    items = items_from_traces(
        held_out,
        style=recipe.slice.prompt_style,
        tasks=asked.tasks,
        seed=MEASURED_SEED,
        questions_per_task=asked.questions_per_task,
    )
    if CODE in asked.tasks:
        problems = held_out_problems(recipe, dataset, model, jails.get(PROGRAM_LIMITS))
        items += problem_items(problems, recipe.slice.prompt_style, HELD_OUT)
    folder = workspace.settings.benchmarks
    if folder is not None and asked.benchmark_rows:
        there = [name for name in asked.benchmarks if name in present(folder)]
        with progress("trace-benchmarks", "benchmarks prepared", len(there)) as bar:
            found = benchmark_items(
                folder, there, asked.forms, recipe.slice.prompt_style, jails, asked.benchmark_rows, bar.update
            )
        items += found.items
    return items


def _answer(
    workspace: Workspace, recipe: Recipe, items: list[Item], model: Path, out: Path, label: str, jails: Jails
) -> list[Row]:
    # as in training, the prompt goes in as it stands, without a chat template
    endpoint = TransformersEndpoint(model, threads=workspace.settings.workers, chat=False)
    num_before = out.read_bytes().count(b"\n") if out.is_file() else 0
    with progress(f"evaluate-{label}", f"{label} answers", len(items)) as bar:
        return evaluate(
            items,
            endpoint,
            out,
            jails,
            Decoding(recipe.evaluation.max_new_tokens),
            progress=lambda done, _: bar.update(done, bar.pace(done, before=num_before)),
        )


def read_rows(workspace: Workspace, rows: Output, folder: Path) -> list[dict[str, Any]]:
    """The rows of an evaluation as `evaluation.harness` wrote them."""
    return read_rows_file(fetch(workspace, rows, folder))
