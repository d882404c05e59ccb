"""The nightly deployment: `up`, `prefect deployment run … --watch`, what the UI is given, `down`."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.flows.conftest import Job, look_into
from tests.flows.jobs import DEADLINE_S, SMOKE, Home
from tests.services.prefect import ask_api, wait_for
from tests.services.processes import ROOT, free_port

WATCH_S = 300

pytestmark = [pytest.mark.slow, pytest.mark.services]


@pytest.fixture(scope="module")
def served(copied_job: Job) -> Iterator[Home]:
    """A copy of the embedded job's home with a Prefect server, a worker and the reports up."""
    ports = {"STEPCODE_PREFECT_PORT": str(free_port()), "STEPCODE_REPORTS_PORT": str(free_port())}
    home = Home(copied_job.home.folder, ports)
    ended = home.run("up")
    assert ended.code == 0, ended.text
    try:
        yield home
    finally:
        assert home.run("down").code == 0


def ask(home: Home, path: str, body: dict[str, Any]) -> Any:
    return ask_api(f"http://127.0.0.1:{home.variables['STEPCODE_PREFECT_PORT']}/api/{path}", body)


def test_the_nightly_deployment_runs_the_job_to_success_and_shows_it(served: Home) -> None:
    api = f"http://127.0.0.1:{served.variables['STEPCODE_PREFECT_PORT']}/api"
    changes = json.dumps({"rl.updates": 2})
    command = [sys.executable, "-m", "prefect", "deployment", "run", "train-bilevel/nightly"]
    parameters = ["--flow-run-name", "asked", "-p", f'recipe="{SMOKE}"', "-p", f"changes={changes}"]
    ended = subprocess.run(
        [*command, *parameters, "--watch", "--watch-timeout", str(WATCH_S)],
        cwd=ROOT,
        env={**served.environment(), "PREFECT_API_URL": api},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    log = served.folder / "logs" / "worker.log"
    said = ended.stdout + ended.stderr + log.read_text("utf-8", "replace")[-5000:]
    # Prefect 3.7 on SQLite can stall for its lock's 60 s, and a watcher then misses the end: the API knows.
    assert ended.returncode == 0 or "watch timeout" in said, said
    (run,) = ask(served, "flow_runs/filter", {"flow_runs": {"name": {"any_": ["asked"]}}})
    assert run["state"]["type"] == "COMPLETED", said
    artifacts = {one["key"]: one for one in ask(served, "artifacts/filter", {})}
    assert {"train-rl", "evaluate-bilevel", "accuracies", "gate", "report"} <= set(artifacts)
    assert artifacts["train-rl"]["type"] == "progress" and float(artifacts["train-rl"]["data"]) == 100
    link = artifacts["report"]["data"].split("](")[1].rstrip(")")
    with urllib.request.urlopen(link, timeout=30) as page:
        assert b"Bi-Level" in page.read()
    names = {one["name"] for one in ask(served, "task_runs/filter", {})}
    assert {"collect", "trace", "validate", "publish", "train-sft", "evaluate-sft", "train-rl", "promote"} <= names
    assert len(look_into(served).registry.versions("stepcode")) >= 2


def test_a_registered_model_is_evaluated_on_the_benchmarks_by_hand(served: Home) -> None:
    api = f"http://127.0.0.1:{served.variables['STEPCODE_PREFECT_PORT']}/api"
    parameters = {"model": "champion", "forms": ["steps", "direct"], "style": "compact", "max_new_tokens": 32}
    found = ask_api(f"{api}/deployments/name/evaluate-model/by-hand")
    started = ask_api(f"{api}/deployments/{found['id']}/create_flow_run", {"parameters": parameters})
    run = wait_for(
        lambda: ask_api(f"{api}/flow_runs/{started['id']}"),
        lambda run: run["state"]["type"] in {"COMPLETED", "FAILED", "CRASHED"},
        WATCH_S,
    )
    log = (served.folder / "logs" / "worker.log").read_text("utf-8", "replace")
    assert run["state"]["type"] == "COMPLETED", log[-5000:]
    [link] = [one for one in ask(served, "artifacts/filter", {}) if one["key"] == "evaluation"]
    with urllib.request.urlopen(link["data"].split("](")[1].rstrip(")"), timeout=30) as page:
        text = page.read().decode()
    assert "cruxeval" in text and "form direct" in text
    registry = look_into(served)
    champion = registry.registry.alias("stepcode", "champion")
    assert champion is not None
    weights = registry.registry.version("stepcode", champion.version).artifact_id
    [kept] = registry.lineage.readers(weights, "model", "evaluate-benchmarks")
    assert kept.metrics["num_items"] == 4 * 2 * 2


def test_the_cron_schedule_really_makes_runs(served: Home) -> None:
    scheduled = ask(
        served,
        "flow_runs/filter",
        {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "flows": {"name": {"any_": ["train-bilevel"]}}},
    )
    assert scheduled and all(run["auto_scheduled"] for run in scheduled)


def test_a_second_up_is_refused_and_changes_nothing(served: Home) -> None:
    again = served.run("up")
    assert again.code == 1 and "up" in again.err and "Traceback" not in again.text
    assert ask(served, "deployments/count", {}) >= 3
