"""Validate: a Great Expectations suite over the traces; a failure blocks the run, and a page shows why."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks.errors import DataRejected
from tasks.links import report_link
from tasks.pages.render import render_quality
from tasks.steps import Made, Output, StepResult, fetch, run_step, step
from tasks.workspace import Workspace, code_version
from training.config import Recipe


@step("validate")
def validate_traces(workspace: Workspace, recipe: Recipe, traces: Output) -> StepResult:
    """The suite's result as JSON and as a page; DataRejected, and no row, where a check fails."""
    limits = {"min_rows": recipe.trace.min_traces}
    params = {"limits": limits, "code": code_version("datastore")}

    def work(folder: Path) -> Made:
        from datastore.quality import load_suite, validate

        frame = pd.read_parquet(fetch(workspace, traces, folder))
        report = validate(frame, load_suite("traces"), limits)
        page = _write_page(workspace, dataclasses.asdict(report), traces.digest)
        if not report.success:
            names = "; ".join(check.description for check in report.failed)
            num_failed = len(report.failed)
            raise DataRejected(f"the traces fail {num_failed} of {len(report.checks)} checks: {names}; see {page}")
        made = Made(summary={"num_checks": len(report.checks), "num_rows": len(frame), "page": page.name})
        made.add("quality", "quality_report", "traces", report.to_json().encode())
        return made

    inputs = {"traces": traces}
    return run_step(workspace, "validate", params=params, inputs=inputs, work=work)


def _write_page(workspace: Workspace, report: dict[str, Any], digest: str) -> Path:
    workspace.reports.mkdir(parents=True, exist_ok=True)
    page = workspace.reports / f"quality-{digest.removeprefix('sha256:')[:12]}.html"
    page.write_text(render_quality(report), "utf-8")
    table = [
        {"check": check["description"], "passed": check["success"], "unexpected": check["unexpected_count"]}
        for check in report["checks"]
    ]
    create_table_artifact(table, key="data-quality", description="Great Expectations: traces")
    create_markdown_artifact(
        f"[{'passed' if report['success'] else 'FAILED'}: the whole page]({report_link(workspace, page)})",
        key="data-quality-page",
    )
    return page
