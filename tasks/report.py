"""Report: one self-contained page about a run, kept as an artifact, linked from Prefect."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from datastore.registry import ModelVersion
from evaluation.intervals import Interval
from evaluation.responses import parse_response
from evaluation.summary import Summary, summarise
from evaluation.trace_items import HELD_OUT
from execution.anchors import instrument
from execution.sandbox import open_sandbox
from execution.traces import Trace
from tasks.evaluate import read_rows
from tasks.links import report_link, run_link
from tasks.outcome import AFTER, BEFORE, Comparison, Refreshed, Row, RunOutcome, accuracy_rows, compare
from tasks.pages.render import render_report
from tasks.promote import Promotion
from tasks.steps import StepResult, fetch, step
from tasks.trace import ALL_REASONS
from tasks.train import read_metrics
from tasks.workspace import Workspace, code_version, versions
from training.config import Recipe

NUM_EXAMPLES = 3
CODE = ("execution", "evaluation", "corpus", "training", "datastore", "tasks", "flows")


@dataclasses.dataclass(frozen=True)
class Trained:
    """Both models of a run: how they were trained and what they answered; no `sft` where RL started from a registered
    model."""

    sft: StepResult | None
    before: StepResult
    rl: StepResult
    after: StepResult
    version: ModelVersion
    promotion: Promotion

    @property
    def steps(self) -> tuple[StepResult, ...]:
        return tuple(one for one in (self.sft, self.before, self.rl, self.after) if one is not None)


@step("report")
def publish_report(
    workspace: Workspace, recipe: Recipe, refreshed: Refreshed, trained: Trained, started: float
) -> RunOutcome:
    """Write the page, keep it, and show the figures in Prefect. `started` is the run's start (monotonic seconds)."""
    folder = workspace.home / "cache"
    before = read_rows(workspace, trained.before.outputs["rows"], folder)
    after = read_rows(workspace, trained.after.outputs["rows"], folder)
    comparisons = compare(before, after, summarise(before), summarise(after))
    seconds = time.monotonic() - started
    dataset = fetch(workspace, refreshed.published.outputs["dataset"], folder)
    content = {
        "title": f"Stepcode: recipe {recipe.name}, model version {trained.version.number}",
        "run": _run(recipe, refreshed, trained.version, workspace, seconds),
        "decision": _decision(trained.promotion),
        "data": _data(refreshed),
        "scores": [_score(one) for one in comparisons],
        "curves": {
            "sft": read_metrics(workspace, trained.sft.outputs["metrics"]) if trained.sft else [],
            "rl": read_metrics(workspace, trained.rl.outputs["metrics"]),
        },
        "examples": [_example(row, _held_out(dataset, row)) for row in choose_examples(after)],
        "stages": [
            {"name": one.job, "seconds": one.seconds, "reused": one.reused}
            for one in (*refreshed.steps, *trained.steps)
        ],
        "sandbox": _sandbox(workspace),
    }
    page = workspace.reports / f"report-{datetime.now(UTC):%Y%m%d-%H%M%S}-v{trained.version.number}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_report(content), "utf-8")
    kept = workspace.store.put_file(page, "text/html")
    workspace.lineage.record_artifact(page.name, "report", kept, {"model_version": trained.version.number})
    link = report_link(workspace, page)
    _show_in_prefect(comparisons, trained.promotion, link)
    return RunOutcome(refreshed, comparisons, trained.version.number, trained.promotion, page, link, seconds)


def _show_in_prefect(comparisons: tuple[Comparison, ...], promotion: Promotion, link: str) -> None:
    create_link_artifact(link=link, link_text="the report of this run", key="report")
    rows = accuracy_rows(comparisons)
    if rows:
        create_table_artifact(rows, key="accuracies", description="Held-out accuracy, %, with 95 % intervals")
    lines = "\n".join(f"- {reason['text']}" for reason in promotion.reasons)
    create_markdown_artifact(
        f"## {promotion.verdict}\n\n{lines}\n\n[the report]({link})", key="gate", description="What the gate decided"
    )


def _run(
    recipe: Recipe, refreshed: Refreshed, version: ModelVersion, workspace: Workspace, seconds: float
) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "dataset_id": refreshed.published.summary["dataset_id"],
        "model": workspace.settings.model,
        "model_version": version.number,
        "code_version": code_version(*CODE),
        "started": datetime.fromtimestamp(time.time() - seconds, UTC).isoformat(timespec="seconds"),
        "duration_s": seconds,
        "url": run_link(workspace),
        "packages": versions(),
    }


def _decision(promotion: Promotion) -> dict[str, Any]:
    passed = {"promote": True, "reject": False, "hold": None}
    return {
        "verdict": promotion.verdict,
        "summary": promotion.happened.partition(": ")[2],
        "reasons": [
            {"text": one["text"], "passed": passed.get(one.get("verdict", "hold"))} for one in promotion.reasons
        ],
    }


def _data(refreshed: Refreshed) -> dict[str, Any]:
    collected, traced = refreshed.collected.summary, refreshed.traced.summary
    published = refreshed.published.summary
    sources = f"of {collected['num_synthesised_sources']:,} programs"
    return {
        "stages": [
            {"label": "real", "count": collected["num_real"], "note": "calls of real programs"},
            {"label": "synthesised", "count": collected["num_synthesised"], "note": f"calls {sources}, six levels"},
            {"label": "traced", "count": traced["num_traces"], "note": "same in two runs under two hash seeds"},
            {"label": "published", "count": published["num_train"] + published["num_held_out"]},
        ],
        "set_aside": [
            {"label": reason, "count": count, "note": ALL_REASONS.get(reason, "")}
            for reason, count in traced["set_aside"].items()
        ],
        "splits": [
            {
                "label": name.replace("_", " "),
                "count": published[f"num_{name}"],
                "note": f"{published[f'num_{name}_sources']:,} programs",
            }
            for name in ("train", "held_out")
        ],
        "bad_rows": collected["bad"],
    }


def _interval(one: Interval | None) -> dict[str, float] | None:
    return None if one is None else {"mean": one.mean, "low": one.low, "high": one.high}


def _figures(summary: Summary) -> dict[str, Any]:
    return {name: _interval(getattr(summary, name)) for name in ("step", "final", "gap")}


def _score(one: Comparison) -> dict[str, Any]:
    return {
        "benchmark": one.after.benchmark.replace("_", " "),
        "task": one.after.task,
        "num_items": one.after.num_judged,
        "num_clusters": one.after.num_programs,
        "num_not_judged": one.after.num_rows - one.after.num_judged,
        "models": {BEFORE: _figures(one.before), AFTER: _figures(one.after)},
        "baselines": [
            {"name": f"always {answer}", "step": None, "final": value} for answer, value in one.after.baselines.items()
        ],
        "change": _interval(one.change),
    }


def choose_examples(rows: Sequence[Row]) -> list[Row]:
    """Three held-out answers that show how the model reasons: one wholly right, one wrong, and one right by wrong
    steps where there is one; of each kind the first with the most states."""
    held_out = [row for row in rows if row["benchmark"] == HELD_OUT and row["task"] == "output"]
    asked = [row for row in held_out if row["judged"] and row["num_states"]]
    asked.sort(key=lambda row: (-row["num_states"], row["item_id"]))
    right = [row for row in asked if row["final_correct"] and all(row["step_correct"])]
    lucky = [row for row in asked if row["final_correct"] and not all(row["step_correct"])]
    wrong = [row for row in asked if not row["final_correct"]]
    first = [kind[0] for kind in (right, wrong, lucky) if kind]
    more = [row for row in (*right, *wrong, *lucky) if row not in first]
    return (first + more)[:NUM_EXAMPLES]


def _held_out(dataset: Path, row: Row) -> Trace:
    program_id = row["item_id"].split("/")[1]
    table = pq.read_table(dataset / "held_out.parquet", filters=[("program_id", "=", program_id)])
    return Trace.from_json(table["trace"][0].as_py())


def _example(row: Row, trace: Trace) -> dict[str, Any]:
    response = parse_response(row["response"], "output")
    anchors = instrument(trace.program.source).anchors
    steps = []
    for position in range(max(len(trace.states), len(response.steps))):
        state = trace.states[position] if position < len(trace.states) else None
        said = response.steps[position] if position < len(response.steps) else None
        steps.append(
            {
                "line": anchors[state.anchor].instrumented_line if state else None,
                "reasoning": said.reasoning if said else "",
                "predicted": said.text if said else None,
                "truth": state.text if state else None,
                "correct": row["step_correct"][position] if position < len(row["step_correct"]) else False,
            }
        )
    return {
        "title": trace.program.origin or trace.program.program_id,
        "task": "output",
        "source": trace.instrumented,
        "call": trace.program.call,
        "steps": steps,
        "predicted": response.answer,
        "truth": trace.result,
        "correct": row["final_correct"],
        "faults": row["faults"],
    }


def _sandbox(workspace: Workspace) -> dict[str, Any]:
    with open_sandbox(workspace.settings.sandbox) as sandbox:
        return {"backend": sandbox.name, "isolated": sandbox.isolated}
