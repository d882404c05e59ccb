"""kill -9 of the job at its three long stages: the same command goes on and ends the same."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select

from datastore.datasets import Datasets
from datastore.tables import Table
from tests.flows.conftest import Job, look_into
from tests.flows.jobs import DEADLINE_S, SMOKE, Home

pytestmark = pytest.mark.slow


def kill_when(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """SIGKILL the flow's process, and only it, as soon as `reached()`; what it started must look after itself."""
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        assert process.poll() is None, f"ended before it could be killed: {process.communicate()}"
        assert time.monotonic() < deadline, "the stage was never reached"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    process.stdout.close()  # type: ignore[union-attr]
    process.stderr.close()  # type: ignore[union-attr]


def in_work(home: Home, pattern: str) -> Callable[[], bool]:
    return lambda: any((home.folder / "work").glob(pattern))


def num_rows(home: Home) -> dict[str, int]:
    engine = create_engine(home.database_url)
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in Table.metadata.sorted_tables
        }


def written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def test_a_job_killed_in_tracing_training_and_evaluation_ends_as_if_it_had_not_been(
    embedded_job: Job, home: Home
) -> None:
    stages = {
        "tracing": in_work(home, "trace-*/shards/*.parquet"),
        "training": in_work(home, "train-sft-*/out/checkpoints/*"),
        "evaluation": lambda: any(written(path) for path in (home.folder / "work").glob("evaluate-*/rows.jsonl")),
    }
    for reached in stages.values():
        kill_when(home.start("train", "--recipe", str(SMOKE)), reached)
    ended = home.train()
    assert ended.code == 0, ended.text
    undisturbed, disturbed = look_into(embedded_job.home), look_into(home)
    ids = [Datasets(one.database).versions("traces")[-1].counts["dataset_id"] for one in (undisturbed, disturbed)]
    assert ids[0] == ids[1]
    steps = [sorted((run.job, run.step_id) for run in one.lineage.runs(limit=100)) for one in (undisturbed, disturbed)]
    assert steps[0] == steps[1]
    rows = num_rows(home)
    assert (rows["run"], rows["model_version"], rows["dataset_version"]) == (8, 1, 1), rows
    weights = [one.registry.version("stepcode", 1).digest for one in (undisturbed, disturbed)]
    assert weights[0] == weights[1], "training killed and resumed gives the same weights"
    assert not list((home.folder / "work").iterdir()), "finished steps leave no work behind"
