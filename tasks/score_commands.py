"""The verbs of `stepcode score`: answers that someone has already, judged by the published rule or strictly."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from infra.console import fail, out
from infra.settings import SettingsError, load_settings

score = typer.Typer(help="Judge answers that you already have, by a benchmark's published rule or strictly.")
AnswersOption = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The answers, one JSON object a line.")]
ModeOption = Annotated[
    Literal["official", "strict"], typer.Option(help="The published scorer's verdict, or literals only, typed.")
]
DirectionOption = Annotated[Literal["output", "input"], typer.Option(help="What the answers are.")]
RevalOption = Annotated[
    Path, typer.Option("--data", exists=True, file_okay=False, help="Folder with DREval_data and DREval_tasks.jsonl.")
]
FormOption = Annotated[Literal["direct", "cot"], typer.Option(help="How the prompt ended: [ANSWER] or [THOUGHT].")]
RowsOption = Annotated[Path, typer.Option("--data", exists=True, dir_okay=False, help="The benchmark's rows (JSONL).")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON line per answer line, in the same order.")]


@score.command("reval")
def score_reval_answers(
    data: RevalOption,
    answers: AnswersOption,
    task: Annotated[Literal["coverage", "state", "path", "output"], typer.Option()],
    form: FormOption,
    mode: ModeOption = "official",
    as_json: JsonOption = False,
) -> None:
    """Judge answers to REval's questions: task_id, input_idx, point (not for output), generated."""
    from tasks.score import reval_table, score_reval

    _score(
        lambda: score_reval(data, answers, task, form, mode, load_settings().sandbox),
        lambda rows: reval_table(rows, task, form),
        as_json,
    )


@score.command("consistency")
def score_reval_consistency(
    data: RevalOption,
    coverage: AnswersOption,
    state: AnswersOption,
    path: AnswersOption,
    output: AnswersOption,
    form: FormOption,
    mode: ModeOption = "official",
    as_json: JsonOption = False,
) -> None:
    """REval's incremental consistency, in percent, over the answers to its four tasks."""
    from tasks.score import RevalTask, reval_consistency

    files: dict[RevalTask, Path] = {"coverage": coverage, "state": state, "path": path, "output": output}
    sandbox = load_settings().sandbox
    _score(
        lambda: reval_consistency(data, files, form, mode, sandbox),
        lambda rows: f"consistency {rows[0]['consistency']:.2f} over {rows[0]['num_points']:,} points",
        as_json,
    )


@score.command("cruxeval")
def score_cruxeval_answers(
    data: RowsOption,
    answers: AnswersOption,
    direction: DirectionOption,
    mode: ModeOption = "official",
    as_json: JsonOption = False,
) -> None:
    """Judge CRUXEval generations: id, generations (what was cut out of each response)."""
    _score_completions("cruxeval", data, answers, direction, mode, as_json)


@score.command("livecodebench")
def score_livecodebench_answers(
    data: RowsOption,
    answers: AnswersOption,
    direction: DirectionOption = "output",
    mode: ModeOption = "official",
    as_json: JsonOption = False,
) -> None:
    """Judge generations for LiveCodeBench's code execution: id, generations."""
    _score_completions("livecodebench", data, answers, direction, mode, as_json)


def _score_completions(
    benchmark: Literal["cruxeval", "livecodebench"],
    data: Path,
    answers: Path,
    direction: Literal["output", "input"],
    mode: Literal["official", "strict"],
    as_json: bool,
) -> None:
    from tasks.score import completions_table, score_completions

    sandbox = load_settings().sandbox
    _score(
        lambda: score_completions(benchmark, data, answers, direction, mode, sandbox),
        lambda rows: completions_table(rows, mode),
        as_json,
    )


@score.command("humaneval")
def score_humaneval_answers(
    data: RowsOption, answers: AnswersOption, mode: ModeOption = "official", as_json: JsonOption = False
) -> None:
    """Judge code for HumanEval by its tests: id (a task_id), generations (what goes on from the prompt)."""
    _score_code("humaneval", data, answers, mode, as_json)


@score.command("mbpp")
def score_mbpp_answers(
    data: RowsOption, answers: AnswersOption, mode: ModeOption = "official", as_json: JsonOption = False
) -> None:
    """Judge code for MBPP, whole or sanitized, by its assertions: id (a task_id), generations (whole programs)."""
    _score_code("mbpp", data, answers, mode, as_json)


def _score_code(
    benchmark: Literal["humaneval", "mbpp"],
    data: Path,
    answers: Path,
    mode: Literal["official", "strict"],
    as_json: bool,
) -> None:
    from tasks.score import completions_table, score_code

    sandbox = load_settings().sandbox
    _score(
        lambda: score_code(benchmark, data, answers, mode, sandbox), lambda rows: completions_table(rows, mode), as_json
    )


InputsOption = Annotated[Literal["base", "plus"], typer.Option(help="The published inputs, or EvalPlus' as well.")]
PlusOption = Annotated[
    Path, typer.Option("--data", exists=True, dir_okay=False, help="EvalPlus' tasks: its release, or the Hub's file.")
]


@score.command("humaneval_plus")
def score_humaneval_plus_answers(
    data: PlusOption,
    answers: AnswersOption,
    inputs: InputsOption = "plus",
    mode: ModeOption = "official",
    as_json: JsonOption = False,
) -> None:
    """Judge code for HumanEval+ by the reference's outputs: id (a task_id), generations (whole programs)."""
    _score_evalplus("humaneval", data, answers, inputs, mode, as_json)


@score.command("mbpp_plus")
def score_mbpp_plus_answers(
    data: PlusOption,
    answers: AnswersOption,
    inputs: InputsOption = "plus",
    mode: ModeOption = "official",
    as_json: JsonOption = False,
) -> None:
    """Judge code for MBPP+ by the reference's outputs: id (a task_id), generations (whole programs)."""
    _score_evalplus("mbpp", data, answers, inputs, mode, as_json)


def _score_evalplus(
    dataset: Literal["humaneval", "mbpp"],
    data: Path,
    answers: Path,
    inputs: Literal["base", "plus"],
    mode: Literal["official", "strict"],
    as_json: bool,
) -> None:
    from tasks.score import completions_table
    from tasks.score_code import score_evalplus

    _score(
        lambda: score_evalplus(dataset, data, answers, inputs, mode, load_settings().sandbox),
        lambda rows: completions_table(rows, mode),
        as_json,
    )


@score.command("livecodebench_code")
def score_livecodebench_code_answers(
    data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder with test.jsonl, test2.jsonl, …")],
    answers: AnswersOption,
    mode: ModeOption = "official",
    as_json: JsonOption = False,
) -> None:
    """Judge code for LiveCodeBench's problems by their tests: id (a question_id), generations (whole programs)."""
    from tasks.score import completions_table
    from tasks.score_code import score_livecodebench_code

    _score(
        lambda: score_livecodebench_code(data, answers, mode, load_settings().sandbox),
        lambda rows: completions_table(rows, mode),
        as_json,
    )


def _score(judge: Callable[[], Iterator[dict[str, Any]]], table: Callable[[Any], Any], as_json: bool) -> None:
    from evaluation.benchmark_files import BenchmarkError
    from execution.sandbox import SandboxError

    try:
        if as_json:
            for row in judge():
                sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        else:
            out.print(table(list(judge())))
    except (BenchmarkError, SandboxError, SettingsError) as error:
        fail(str(error))
