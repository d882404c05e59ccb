"""The whole job, small, by the same code as the nightly one."""

from __future__ import annotations

import json
import re

import pyarrow.parquet as pq
import pytest

from datastore.datasets import Datasets
from tests.flows.conftest import Job, look_into

STEPS = ("collect", "trace", "validate", "publish", "train-sft", "evaluate", "train-rl")
pytestmark = pytest.mark.slow


def test_the_first_run_promotes_onto_an_empty_registry(embedded_job: Job) -> None:
    workspace = look_into(embedded_job.home)
    alias = workspace.registry.alias("stepcode", "champion")
    assert alias is not None and alias.version == 1
    (entry,) = workspace.registry.history("stepcode", "champion")
    assert entry.decision["verdict"] == "promote" and entry.decision["reasons"]
    assert "promoted: version 1 is champion" in embedded_job.first.out


def test_every_step_is_recorded_once_and_told(embedded_job: Job) -> None:
    runs = look_into(embedded_job.home).lineage.runs(limit=100)
    jobs = sorted(run.job for run in runs)
    assert jobs == sorted([*STEPS, "evaluate"]), "evaluate ran for the SFT model and after Bi-Level GRPO"
    for job in STEPS:
        told = re.findall(rf"^{job} ", embedded_job.first.out, re.MULTILINE)
        assert len(told) == (2 if job == "evaluate" else 1), f"{job} is told {len(told)} times"


def test_no_cluster_of_near_duplicates_is_on_both_sides(embedded_job: Job) -> None:
    workspace = look_into(embedded_job.home)
    dataset = Datasets(workspace.database).find("traces")
    output = next(a for a in workspace.lineage.artifacts(kind="dataset") if a.artifact_id == dataset.artifact_id)
    folder = embedded_job.home.folder / "looked-at"
    workspace.store.fetch(output.digest, folder)
    sides = [set(pq.read_table(folder / f"{side}.parquet")["cluster_id"].to_pylist()) for side in ("train", "held_out")]
    assert all(sides) and not sides[0] & sides[1]


def test_lineage_leads_from_the_champion_down_to_the_programs(embedded_job: Job) -> None:
    shown = embedded_job.home.run("lineage", "champion", "--json")
    assert shown.code == 0, shown.text
    kinds = []

    def walk(node: dict) -> None:  # type: ignore[type-arg]
        kinds.append(node["kind"])
        for child in node["children"]:
            walk(child)

    walk(json.loads(shown.out))
    assert kinds[0] == "model" and {"dataset", "traces", "programs"} <= set(kinds)


def test_the_report_is_one_file_that_needs_no_network(embedded_job: Job) -> None:
    report = min((embedded_job.home.folder / "reports").glob("report-*.html"))
    page = report.read_text("utf-8")
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?https?://""", page)
    assert "<svg" in page and "Bi-Level" in page
    assert report.name in embedded_job.first.out.replace("\n", "")


def test_the_evaluation_rows_hold_every_task_of_both_models(embedded_job: Job) -> None:
    workspace = look_into(embedded_job.home)
    for run in workspace.lineage.runs(limit=100, job="evaluate"):
        output = run.output("rows")
        path = embedded_job.home.folder / f"rows-{run.run_id[:8]}"
        workspace.store.fetch(output.digest, path)
        rows = pq.read_table(path, columns=["benchmark", "task"]).to_pylist()
        tasks = {name: {row["task"] for row in rows if row["benchmark"] == name} for name in ("held_out", "cruxeval")}
        assert tasks["held_out"] == {"output", "input", "coverage", "state", "path"}
        assert tasks["cruxeval"] == {"output", "input"}
        assert sum(row["benchmark"] == "cruxeval" for row in rows) == 2 * 4


def test_a_second_run_reuses_every_step_and_holds_for_a_stated_reason(copied_job: Job) -> None:
    again = copied_job.home.train()
    assert again.code == 0, again.text
    for job in STEPS:
        lines = re.findall(rf"^{job} .*$", again.out, re.MULTILINE)
        assert lines and all("[reused, unchanged]" in line for line in lines), (job, lines)
    assert "is the champion already" in again.out
    assert len(look_into(copied_job.home).lineage.runs(limit=100)) == len(STEPS) + 1


def test_a_change_of_the_rl_recipe_repeats_only_what_depends_on_it(copied_job: Job) -> None:
    again = copied_job.home.train("--set", "rl.lambda_intra=0.1")
    assert again.code == 0, again.text
    reused = set(re.findall(r"^(\S+) .*\[reused, unchanged\]$", again.out, re.MULTILINE))
    assert {"collect", "trace", "validate", "publish", "train-sft"} <= reused
    assert "train-rl" not in reused
    history = look_into(copied_job.home).registry.history("stepcode", "champion")
    assert history[0].candidate == 2 and history[0].reason
