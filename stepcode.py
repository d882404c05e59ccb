"""The command line: one verb for each thing a person does."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from infra.console import fail, out
from infra.environment import prepare_environment
from infra.settings import Settings, SettingsError, load_settings
from tasks.score_commands import score

app = typer.Typer(
    help="Keeps a code-reasoning model in training.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
RecipeOption = Annotated[str, typer.Option(help="A shipped recipe's name or the path of a TOML file.")]
ProgramsOption = Annotated[
    str | None, typer.Option(help="Your programs: a folder of Python files with asserts, or JSONL/Parquet.")
]
SeedOption = Annotated[int | None, typer.Option(min=0, help="Another seed than the recipe's.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another value for a key of the recipe.")
]


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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check files, batches and memory in seconds; exit status 1: can't work.")
    ] = False,
    gpu_memory: Annotated[
        float | None, typer.Option(min=1, help="Dry run for GPUs of so many GiB elsewhere, not for this machine.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The dry run as JSON.")] = False,
) -> None:
    """Run the flow train-bilevel here and now, and show how it ended."""
    if dry_run:
        _dry_run(recipe, programs, _changes(seed, changes), gpu_memory, as_json)
        return
    if gpu_memory is not None or as_json:
        raise typer.BadParameter("--gpu-memory and --json belong to --dry-run")
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


def _dry_run(
    recipe: str, programs: str | None, changes: dict[str, Any], gpu_memory: float | None, as_json: bool
) -> None:
    with faults_as_messages():
        from tasks.show_plan import show_plan

        works = show_plan(
            out,
            recipe=recipe,
            programs=programs,
            changes=changes,
            settings=settings(),
            gpu_memory_gib=gpu_memory,
            as_json=as_json,
        )
    if not works:
        raise typer.Exit(1)


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
    concurrency: Annotated[int, typer.Option(min=1, help="Requests in flight to a server.")] = 16,
    requests_per_minute: Annotated[float | None, typer.Option(min=1)] = None,
    tokens_per_minute: Annotated[float | None, typer.Option(min=1)] = None,
    prompt_price: Annotated[float | None, typer.Option(min=0, help="Money per million prompt tokens.")] = None,
    completion_price: Annotated[float | None, typer.Option(min=0, help="Money per million tokens of answers.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="Stop before the run costs more.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Evaluate a model on the public benchmarks, by the published rules and strictly; go on after a kill."""
    found = settings()
    with faults_as_messages():
        from evaluation.harness import Decoding
        from tasks.evaluation_run import Request, Server, as_plain, evaluation_table, run_evaluation
        from tasks.progress import use_console
        from tasks.workspace import open_workspace

        if not as_json:
            use_console(out)
        decoding = Decoding(max_new_tokens, temperature, top_p, samples, seed)
        names = tuple(name.strip() for name in benchmarks.split(",") if name.strip())
        asked = tuple(name.strip() for name in forms.split(",") if name.strip())
        server = Server(concurrency, requests_per_minute, tokens_per_minute, prompt_price, completion_price, max_cost)
        request = Request(model, out_folder, decoding, names, asked, style, limit, record, server)
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
def explain(
    run: Annotated[str, typer.Argument(help="A model's version or alias, a stage's folder, or a rollouts.jsonl.")],
    update: Annotated[int | None, typer.Option(help="Of those logged; default: the last.")] = None,
    group: Annotated[int | None, typer.Option(help="Default: the first whose rewards differ.")] = None,
    rollout: Annotated[int | None, typer.Option(help="Default: the one with the largest advantage.")] = None,
    prompt: Annotated[bool, typer.Option("--prompt", help="Show the prompt too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The rollout as it was logged.")] = False,
) -> None:
    """Show how the tokens of a rollout got their advantages: token, step, reward, A_group, A_intra, advantage."""
    if not Path(run).exists():
        settings()
    with faults_as_messages():
        from tasks.explain import chosen_group, chosen_rollout, explanation, logged_rollouts

        found = chosen_group(logged_rollouts(run), update, group)
        row = chosen_rollout(found, rollout)
        out.print_json(json.dumps(row)) if as_json else out.print(explanation(found, row, prompt))


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


app.add_typer(score, name="score")

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
