"""The command line: one verb for each thing a person does."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console

from infra.environment import prepare_environment
from infra.settings import Settings, SettingsError, load_settings

app = typer.Typer(
    help="Keeps a code-reasoning model in training.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(soft_wrap=True)
if not out.is_terminal:
    out.width = 120

RecipeOption = Annotated[str, typer.Option(help="A shipped recipe's name or the path of a TOML file.")]
ProgramsOption = Annotated[
    str | None, typer.Option(help="Your programs: a folder of Python files with asserts, or JSONL/Parquet.")
]
SeedOption = Annotated[int | None, typer.Option(min=0, help="Another seed than the recipe's.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another value for a key of the recipe.")
]


def fail(message: str) -> NoReturn:
    """End the command with this message and exit status 1."""
    Console(stderr=True, soft_wrap=True).print(f"error: {message}", style="bold red", highlight=False, markup=False)
    raise typer.Exit(1) from None


@contextmanager
def faults_as_messages() -> Iterator[None]:
    """Mendable faults end the command with their message and exit status 1; everything else is a bug and shows."""
    from tasks.faults import MENDABLE, show_messages_only

    show_messages_only()
    try:
        yield
    except MENDABLE as error:
        fail(str(error))


def settings() -> Settings:
    """The settings in force, with the process environment made ready for them."""
    try:
        found = load_settings()
    except SettingsError as error:
        fail(str(error))
    prepare_environment(found)
    return found


@app.command()
def demo(
    programs: ProgramsOption = None,
    recipe: RecipeOption = "tiny",
    seed: SeedOption = None,
    changes: SetOption = None,
) -> None:
    """Run the main job, small, on embedded defaults: refresh-data, then train-bilevel."""
    train(programs, recipe, seed, changes)


@app.command()
def train(
    programs: ProgramsOption = None,
    recipe: RecipeOption = "tiny",
    seed: SeedOption = None,
    changes: SetOption = None,
) -> None:
    """Run the flow train-bilevel here and now, and show how it ended."""
    given: dict[str, Any] = {"recipe": recipe, "programs": programs, "changes": _changes(seed, changes)}
    with running_flow(given):
        from flows.train_bilevel import train_bilevel
        from tasks.outcome import print_outcome

        print_outcome(train_bilevel(**given), out)


@app.command()
def refresh(
    programs: ProgramsOption = None,
    recipe: RecipeOption = "tiny",
    seed: SeedOption = None,
    changes: SetOption = None,
) -> None:
    """Run the flow refresh-data here and now: collect, trace, validate, publish."""
    given: dict[str, Any] = {"recipe": recipe, "programs": programs, "changes": _changes(seed, changes)}
    with running_flow(given):
        from flows.refresh_data import refresh_data

        refresh_data(**given)


def _changes(seed: int | None, pairs: list[str] | None) -> dict[str, Any]:
    """`--seed 1 --set rl.updates=20` as a dict; a value is read as TOML, else taken as text."""
    changes: dict[str, Any] = {} if seed is None else {"seed": seed}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--set")
        try:
            changes[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            changes[key] = value
    return changes


@contextmanager
def running_flow(given: dict[str, Any]) -> Iterator[None]:
    """A flow run in this process: its lines and bars on this terminal, Prefect's own log only from warnings on."""
    from infra.embedded import embedded_server

    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")
    # the server starts while this process imports and looks at what it was given
    server = embedded_server(settings())
    with faults_as_messages():
        from tasks.preflight import preflight
        from tasks.progress import use_console
        from tasks.workspace import current_workspace

        use_console(out)
        preflight(current_workspace(), **given)
        server.wait()
        yield


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Argument(help="A version, an alias, a model folder, vllm:FOLDER, openai:MODEL@URL or recording:FILE."),
    ],
    out_folder: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder of the rows and the page.")],
    benchmarks: Annotated[str, typer.Option(help="Names, separated by commas; empty: every one that is there.")] = "",
    forms: Annotated[str, typer.Option(help="Of steps, plain, direct, cot; separated by commas.")] = "steps",
    style: Annotated[Literal["instruct", "compact"], typer.Option(help="Wording of our own forms.")] = "instruct",
    limit: Annotated[int | None, typer.Option(min=1, help="Rows of each benchmark; default: all.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1)] = 4096,
    temperature: Annotated[float, typer.Option(min=0.0, help="0: greedy.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0)] = 1.0,
    samples: Annotated[int, typer.Option(min=1, help="Answers to each item; five or more give pass@5.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    record: Annotated[Path | None, typer.Option(dir_okay=False, help="Keep every answer here, to replay.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Evaluate a model on the public benchmarks, by the published rules and strictly; go on after a kill."""
    found = settings()
    with faults_as_messages():
        from evaluation.harness import Decoding
        from tasks.evaluation_run import Request, as_plain, evaluation_table, run_evaluation
        from tasks.progress import use_console
        from tasks.workspace import open_workspace

        if not as_json:
            use_console(out)
        decoding = Decoding(max_new_tokens, temperature, top_p, samples, seed)
        names = tuple(name.strip() for name in benchmarks.split(",") if name.strip())
        asked = tuple(name.strip() for name in forms.split(",") if name.strip())
        request = Request(model, out_folder, decoding, names, asked, style, limit, record)
        done = run_evaluation(request, open_workspace(found))
        if as_json:
            out.print_json(json.dumps(as_plain(done)))
        else:
            out.print(evaluation_table(done.summaries))
            out.print(f"page      {done.page}\nrows      {done.rows_file}", highlight=False, markup=False)


@app.command()
def lineage(
    name: Annotated[str, typer.Argument(help="An alias (champion), a version number, or a dataset id.")],
    as_json: Annotated[bool, typer.Option("--json", help="The tree as JSON.")] = False,
) -> None:
    """Show where a model came from: the tree down to the dataset version, the traces and the programs."""
    settings()
    with faults_as_messages():
        from tasks.ancestry import ancestry, as_tree

        node = ancestry(name)
        out.print_json(json.dumps(node, default=str)) if as_json else out.print(as_tree(node))


@app.command()
def models(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List the registered model versions, the aliases and how they moved."""
    settings()
    with faults_as_messages():
        from tasks.ancestry import model_tables, registered

        found = registered()
        out.print_json(json.dumps(found, default=str)) if as_json else out.print(*model_tables(found), sep="\n")


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A version number, an alias, or a file of evaluation rows.")],
    b: Annotated[str, typer.Argument(help="The other; differences are B − A.")],
    as_json: Annotated[bool, typer.Option("--json", help="All figures as JSON.")] = False,
    page: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write a page too.")] = None,
) -> None:
    """Compare two models on the items that both answered, with intervals: answers, steps, official verdicts."""
    files = Path(a).is_file() and Path(b).is_file()
    if not files:
        settings()
    with faults_as_messages():
        from tasks.compare import compare_models
        from tasks.show_comparison import as_json as as_data
        from tasks.show_comparison import comparison_table, write_page

        found = compare_models(a, b)
        if page is not None:
            write_page(found, page)
        out.print_json(json.dumps(as_data(found))) if as_json else out.print(comparison_table(found))


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="Why, for the history.")],
    to: Annotated[int | None, typer.Option(help="Version to make champion; default: the previous one.")] = None,
) -> None:
    """Make an earlier version champion again."""
    settings()
    with faults_as_messages():
        from tasks.rollback import roll_back

        out.print(roll_back(to, reason), highlight=False)


@app.command()
def instrument(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Write a Python file with its print anchors to stdout, in its own encoding, and nothing else."""
    from execution.source_file import SourceFileError
    from tasks.show_trace import anchored_bytes

    try:
        sys.stdout.buffer.write(anchored_bytes(file))
    except (SourceFileError, OSError) as error:
        fail(str(error))


@app.command()
def trace(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    call: Annotated[str, typer.Option(help='The call to evaluate, such as "f(3)".')],
    events: Annotated[bool, typer.Option("--events", help="Show the line events too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
) -> None:
    """Show what a call really does: the anchored program, the state at each anchor, the result, the verdict."""
    from execution.sandbox import SandboxError
    from execution.source_file import SourceFileError
    from tasks.show_trace import show_trace

    try:
        ended_well = show_trace(file, call, load_settings().sandbox, out, events=events, as_json=as_json)
    except (SandboxError, SettingsError, SourceFileError, OSError) as error:
        fail(str(error))
    if not ended_well:
        raise typer.Exit(1)


score = typer.Typer(help="Judge answers that you already have, by a benchmark's published rule or strictly.")
app.add_typer(score, name="score")
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


benchmarks = typer.Typer(help="The public benchmarks in the folder of the settings (STEPCODE_BENCHMARKS).")
app.add_typer(benchmarks, name="benchmarks")


@benchmarks.command("list")
def list_benchmarks(as_json: Annotated[bool, typer.Option("--json", help="One JSON list.")] = False) -> None:
    """Show what is there of each benchmark, with its licence and checksums, and how to get what is missing."""
    with faults_as_messages():
        from tasks.benchmarks import benchmarks_table, listed_benchmarks

        records = listed_benchmarks(load_settings().benchmarks)
        out.print_json(json.dumps(records)) if as_json else out.print(benchmarks_table(records))


@benchmarks.command("fetch")
def fetch_benchmarks_into_folder(
    names: Annotated[list[str], typer.Argument(help="Benchmarks, by the names that `list` shows.")],
) -> None:
    """Download benchmarks from their publishers, and show what came."""
    with faults_as_messages():
        from tasks.benchmarks import benchmarks_table, fetch_benchmarks

        folder = load_settings().benchmarks
        out.print(benchmarks_table(fetch_benchmarks(names, folder, lambda line: out.print(line, markup=False))))


@app.command()
def up() -> None:
    """Start a Prefect server and a worker in the background, and deploy prefect.yaml."""
    _services("up")


@app.command()
def down() -> None:
    """Stop what `up` started, and nothing else."""
    _services("down")


@app.command()
def deploy() -> None:
    """Deploy prefect.yaml to the Prefect server in use."""
    _services("deploy")


def _services(verb: Literal["up", "down", "deploy"]) -> None:
    from infra import services

    try:
        getattr(services, verb)(settings())
    except services.ServiceError as error:
        fail(str(error))


def main() -> Any:
    """Entry point of the `stepcode` command."""
    return app()


if __name__ == "__main__":
    main()
