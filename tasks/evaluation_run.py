"""Evaluate any model on the benchmarks, by every form and both rules: rows, figures and a page in one folder.

The folder belongs to one model: what is in it is found again and not asked twice, also after a kill.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact
from rich.box import SIMPLE
from rich.table import Table

from datastore.errors import LineageError
from evaluation.benchmark_items import BenchmarkItems, benchmark_items
from evaluation.catalogue import Benchmark
from evaluation.endpoint import OpenAIEndpoint, Prices, RecordingEndpoint, Usage, open_endpoint
from evaluation.harness import Decoding, Row, evaluate
from evaluation.jails import Jails
from evaluation.summary import Summary, summarise
from tasks.benchmarks import benchmarks_digest, present
from tasks.errors import EvaluationError
from tasks.evaluation_page import evaluation_content
from tasks.evaluation_rows import write_rows_file
from tasks.links import report_link
from tasks.outcome import percent
from tasks.pages.render import render_evaluation
from tasks.progress import progress
from tasks.steps import Made, Output, fetch, run_step, step
from tasks.tell import tell_step
from tasks.workspace import Workspace, code_version, versions


@dataclass(frozen=True)
class Server:
    """How an OpenAI-compatible server is asked: requests in flight, limits per minute, money per million tokens, and
    the most that the run may cost."""

    concurrency: int = 16
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    prompt_price: float | None = None
    completion_price: float | None = None
    max_cost: float | None = None

    def options(self) -> dict[str, Any]:
        """Keywords of `evaluation.endpoint.OpenAIEndpoint`."""
        prices = None
        if self.prompt_price is not None or self.completion_price is not None:
            prices = Prices(self.prompt_price or 0.0, self.completion_price or 0.0)
        names = ("concurrency", "requests_per_minute", "tokens_per_minute", "max_cost")
        return {**{name: getattr(self, name) for name in names}, "prices": prices}


@dataclass(frozen=True)
class Request:
    """What to evaluate and how. `model` is a version number or an alias of the registry, or what
    `evaluation.endpoint.open_endpoint` takes. `benchmarks` empty: every one that is there. `limit` rows of each."""

    model: str
    out: Path
    decoding: Decoding
    benchmarks: tuple[str, ...] = ()
    forms: tuple[str, ...] = ("steps",)
    style: str = "instruct"
    limit: int | None = None
    record: Path | None = None
    server: Server | None = None


@dataclass(frozen=True)
class Evaluated:
    """The rows in order, their figures, and where they are kept."""

    rows: list[Row]
    summaries: list[Summary]
    rows_file: Path
    page: Path


def run_evaluation(request: Request, workspace: Workspace) -> Evaluated:
    """Ask, judge, and write `rows.jsonl` (as it goes), `rows.parquet`, `evaluation.json` and `evaluation.html`.

    Raises BenchmarkError, EndpointError, SandboxError, EvaluationError: each says what, where and what to do.
    """
    started = time.time()
    folder = workspace.settings.benchmarks
    if folder is None:
        raise EvaluationError("no benchmarks folder: set STEPCODE_BENCHMARKS (`stepcode benchmarks fetch` fills it)")
    names = request.benchmarks or tuple(present(folder))
    spec, known_as = _model(request.model, workspace)
    out = request.out
    _claim(out, spec, request)
    with Jails(workspace.settings.sandbox) as jails:
        with progress("evaluation-items", "benchmarks prepared", len(names)) as bar:
            asked = benchmark_items(folder, names, request.forms, request.style, jails, request.limit, bar.update)
        if not asked.items:
            raise EvaluationError(f"nothing to ask: {', '.join(request.benchmarks) or 'no benchmark'} in {folder}")
        rows, usage = _answers(request, spec, asked, jails, workspace)
        sandbox = jails.get()
        isolation = {"backend": sandbox.name, "isolated": sandbox.isolated}
    write_rows_file(rows, out / "rows.parquet")
    run = {
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "facts": _facts(request, known_as, time.time() - started, usage),
        "benchmarks": [_told(one) for one in asked.benchmarks],
        "sandbox": isolation,
    }
    content = evaluation_content(f"Evaluation of {known_as}", rows, run)
    page = out / "evaluation.html"
    page.write_text(render_evaluation(content), "utf-8")
    (out / "evaluation.json").write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")
    return Evaluated(rows, summarise(rows), out / "rows.parquet", page)


@step("evaluate-benchmarks")
def evaluate_registered(
    workspace: Workspace,
    name: str,
    *,
    benchmarks: tuple[str, ...],
    forms: tuple[str, ...],
    style: str,
    limit: int | None,
    max_new_tokens: int,
) -> str:
    """A registered model's evaluation as a step: found again where nothing changed, its rows with their lineage, its
    page among the reports. Returns the page's link. LineageError for a model that is not registered."""
    found = _registered(name, workspace)
    if found is None:
        raise LineageError(f"{name!r} is no version or alias of {workspace.settings.model}")
    model, known_as = found
    asked = {"benchmarks": benchmarks, "forms": forms, "style": style, "limit": limit, "tokens": max_new_tokens}
    params = {
        **asked,
        "files": benchmarks_digest(workspace.settings.benchmarks),
        "sandbox": workspace.settings.sandbox,
        "code": code_version("evaluation", "execution"),
    }

    def work(folder: Path) -> Made:
        request = Request(name, folder, Decoding(max_new_tokens), benchmarks, forms, style, limit)
        done = run_evaluation(request, workspace)
        made = Made(summary={"num_items": len(done.rows), "num_judged": sum(row["judged"] for row in done.rows)})
        made.add("rows", "evaluation", known_as, done.rows_file)
        made.add("page", "report", known_as, done.page)
        return made

    result = run_step(workspace, "evaluate-benchmarks", params=params, inputs={"model": model}, work=work)
    page = workspace.reports / f"evaluation-{known_as.replace(' ', '-')}-{result.step_id[:12]}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(fetch(workspace, result.outputs["page"], workspace.home / "cache"), page)
    link = report_link(workspace, page)
    tell_step(result)
    create_link_artifact(link=link, link_text=f"the evaluation of {known_as}", key="evaluation")
    return link


def _registered(name: str, workspace: Workspace) -> tuple[Output, str] | None:
    """The weights of a version or an alias, and what people call it; None for a name that is neither."""
    registry, model = workspace.registry, workspace.settings.model
    if not (name.isdecimal() or name in {alias.name for alias in registry.aliases(model)}):
        return None
    version = registry.resolve(model, name)
    kept = Output("model", "model", f"version {version.number}", version.artifact_id, version.digest)
    return kept, f"{model} version {version.number}"


def _model(name: str, workspace: Workspace) -> tuple[str, str]:
    """What to open, and what people call it: a registered version is fetched first."""
    found = _registered(name, workspace)
    if found is not None:
        return str(fetch(workspace, found[0], workspace.home / "cache")), found[1]
    if not Path(name).exists() and ":" not in name:
        raise LineageError(
            f"{name!r} is no version or alias of {workspace.settings.model}, no folder, and no endpoint (vllm:FOLDER,"
            " openai:MODEL@URL, recording:FILE); `stepcode models` lists the versions"
        )
    return name, name


def _claim(out: Path, spec: str, request: Request) -> None:
    """The folder is this model's from now on. Raises EvaluationError where it is another's."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "model.json"
    mine = {"model": Path(spec).resolve().as_posix() if Path(spec).exists() else spec}
    if file.exists() and json.loads(file.read_text("utf-8")) != mine:
        raise EvaluationError(f"{out} holds an evaluation of another model ({file}); give another --out")
    file.write_text(json.dumps(mine), "utf-8")


def _answers(
    request: Request, spec: str, asked: BenchmarkItems, jails: Jails, workspace: Workspace
) -> tuple[list[Row], Usage | None]:
    """The rows, and what a server was asked for them; None for a model that costs nothing."""
    key = workspace.settings.api_key.get_secret_value() or None
    # a server's answers are paid for: each is kept as it comes, asked to or not
    record = request.record or (request.out / "answers.jsonl" if spec.startswith("openai") else None)
    endpoint = open_endpoint(spec, record=record, api_key=key, **_options(spec, request))
    known = request.out / "rows.jsonl"
    num_before = known.read_bytes().count(b"\n") if known.is_file() else 0
    with progress("evaluation-answers", "answers", len(asked.items)) as bar:
        rows = evaluate(
            asked.items,
            endpoint,
            known,
            jails,
            request.decoding,
            progress=lambda done, _: bar.update(done, bar.pace(done, before=num_before)),
        )
    asked_of = endpoint.inner if isinstance(endpoint, RecordingEndpoint) else endpoint
    return rows, asked_of.usage if isinstance(asked_of, OpenAIEndpoint) else None


def _options(spec: str, request: Request) -> dict[str, Any]:
    """Compact prompts are for models made from scratch: they go in as they stand, whatever template there is."""
    if spec.startswith("openai"):
        return (request.server or Server()).options()
    takes_chat = spec.startswith("vllm:") or Path(spec).exists()
    return {"chat": False} if request.style == "compact" and takes_chat else {}


def _told(one: Benchmark) -> dict[str, Any]:
    digests = ", ".join(f"{path.name} {digest[:12]}" for path, digest in one.sha256.items())
    parts = (one.note, f"SHA-256 {digests}", f"licence {one.licence}")
    return {"name": one.name, "rows": one.num_rows, "note": "; ".join(part for part in parts if part)}


def _used(usage: Usage | None) -> list[tuple[str, str]]:
    if usage is None:
        return []
    tokens = f"{usage.prompt_tokens:,} prompt and {usage.completion_tokens:,} completion tokens"
    cost = f", {usage.cost:.4f} in money" if usage.cost else ""
    return [("asked now", f"{usage.num_requests:,} requests, {tokens}{cost}")]


def _facts(request: Request, known_as: str, seconds: float, usage: Usage | None) -> list[tuple[str, str]]:
    packages = ", ".join(f"{name} {number}" for name, number in versions().items())
    return [
        ("model", known_as),
        ("decoding", str(request.decoding)),
        ("forms", ", ".join(request.forms)),
        ("prompts", request.style),
        ("took", f"{seconds:,.0f} s"),
        *_used(usage),
        ("versions", packages),
    ]


def as_plain(evaluated: Evaluated) -> list[dict[str, Any]]:
    """The figures as plain data, one dictionary per benchmark and task."""
    return [asdict(one) for one in evaluated.summaries]


def evaluation_table(summaries: Sequence[Summary]) -> Table:
    """The figures in a terminal, in percent with 95 % intervals clustered by program."""
    columns = ("benchmark", "task", "n", "strict", "official", "step", "constant", "above chance", "no answer")
    table = Table(*columns, box=SIMPLE, title=summaries[0].decoding, title_justify="left")
    for one in summaries:
        best = max(one.baselines.values(), default=None)
        table.add_row(
            one.benchmark,
            one.task,
            f"{one.num_judged:,}",
            percent(one.final),
            percent(one.official),
            percent(one.step),
            "–" if best is None else f"{100 * best:.1f}",
            "–" if one.above_chance is None else f"{100 * one.above_chance:.1f}",
            f"{one.num_extraction_failures:,}",
        )
    return table
