"""Run a step once: the same job on the same inputs with the same code is found, not done again.

A step's identity is its job, its parameters, the content of its inputs and the version of the code that it runs.
Its outputs go to the artifact store first and the row that names them is written last, in one transaction; a
reader believes the row only. A killed step leaves work in its folder and no row, so the same command goes on.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from datastore.artifacts import Artifact
from datastore.records import RunRecord
from execution.program import content_id
from tasks.workspace import Workspace, versions

P = ParamSpec("P")
R = TypeVar("R")

# By a step's identity: where several threads want the same step at once, one does it and the others find it.
_TURNS: dict[str, threading.Lock] = {}


def step(name: str, task_run_name: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A Prefect task of that name. What was done before is found by `run_step`, so Prefect caches nothing."""

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        as_task = task(name=name, task_run_name=task_run_name or name, cache_policy=NO_CACHE, persist_result=False)
        return as_task(function)

    return wrap


@dataclass(frozen=True)
class Output:
    """One artifact that a step left: its row in the lineage tables and its bytes in the store."""

    role: str
    kind: str
    name: str
    artifact_id: str
    digest: str


@dataclass(frozen=True)
class StepResult:
    """How a step ended: what it left, what it counted, and whether it had been done before."""

    job: str
    step_id: str
    reused: bool
    run_id: str
    outputs: dict[str, Output]
    summary: dict[str, Any]
    seconds: float


@dataclass
class Made:
    """What the work of a step hands back: files, folders or bytes by role, and figures for people."""

    files: dict[str, tuple[str, str, Path | bytes]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)

    def add(self, role: str, kind: str, name: str, content: Path | bytes) -> None:
        self.files[role] = (kind, name, content)


def step_identity(job: str, params: dict[str, Any], inputs: Mapping[str, Output]) -> str:
    """What stands for the step: a hash of its job, its parameters and the content of its inputs."""
    return content_id(job, params, sorted((role, output.digest) for role, output in inputs.items()))


def run_step(
    workspace: Workspace,
    job: str,
    *,
    params: dict[str, Any],
    inputs: Mapping[str, Output],
    work: Callable[[Path], Made],
) -> StepResult:
    """Find the complete run of this very step, or do `work` in its folder, keep what it made and record it.

    `params` must name everything besides `inputs` that the result depends on, the code version included. A run whose
    outputs are gone from the store stays in the tables as it was; the step is done again under a number of its own.
    """
    identity = step_identity(job, params, inputs)
    with _TURNS.setdefault(identity, threading.Lock()):
        started = time.monotonic()
        step_id, found = _find(workspace, job, identity)
        folder = workspace.work_folder(job, step_id)
        if found is not None:
            shutil.rmtree(folder, ignore_errors=True)  # there where a kill came right after the record
            return _result(found, reused=True, seconds=time.monotonic() - started)
        started_at = datetime.now(UTC)
        folder.mkdir(parents=True, exist_ok=True)
        made = work(folder)
        outputs: list[tuple[str, str, str, Artifact, dict[str, Any]]] = [
            (role, name, kind, _put(workspace, content), {}) for role, (kind, name, content) in made.files.items()
        ]
        record = workspace.lineage.record_run(
            job,
            step_id,
            params=params,
            metrics=made.summary,
            inputs=[(role, output.artifact_id) for role, output in inputs.items()],
            outputs=outputs,
            flow_run_id=flow_run.id,
            started_at=started_at,
            versions=versions(),
        )
        shutil.rmtree(folder, ignore_errors=True)
        return _result(record, reused=False, seconds=time.monotonic() - started)


def _find(workspace: Workspace, job: str, identity: str) -> tuple[str, RunRecord | None]:
    """The step's complete run and its number; where there is none, the number that a new one gets."""
    for repeat in count():
        step_id = f"{identity}.{repeat}" if repeat else identity
        found = workspace.lineage.find_run(job, step_id)
        if found is None or all(workspace.store.exists(edge.artifact.digest) for edge in found.outputs):
            return step_id, found
    raise AssertionError("unreachable")


def _put(workspace: Workspace, content: Path | bytes) -> Artifact:
    if isinstance(content, bytes):
        return workspace.store.put_bytes(content)
    return workspace.store.put_folder(content) if content.is_dir() else workspace.store.put_file(content)


def _result(record: RunRecord, *, reused: bool, seconds: float) -> StepResult:
    outputs = {
        edge.role: Output(
            edge.role, edge.artifact.kind, edge.artifact.name, edge.artifact.artifact_id, edge.artifact.digest
        )
        for edge in record.outputs
    }
    return StepResult(record.job, record.step_id, reused, record.run_id, outputs, record.metrics, seconds)


def fetch(workspace: Workspace, output: Output, folder: Path) -> Path:
    """The output's file or folder, verified, under `folder`; fetched once."""
    target = folder / f"{output.role}-{output.digest.removeprefix('sha256:')[:16]}"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        workspace.store.fetch(output.digest, target)
    return target
