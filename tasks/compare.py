"""Compare: two models, or two recordings of evaluations, on the items that both answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

from datastore.records import RunRecord
from datastore.registry import ModelVersion
from evaluation.comparison import TaskComparison, Unpaired, compare_rows
from tasks.errors import NothingToCompare
from tasks.evaluation_rows import read_rows_file, recorded_rows
from tasks.steps import Output, fetch
from tasks.workspace import Workspace, current_workspace


@dataclass(frozen=True)
class Side:
    """One of the two: its name for people, and where its rows came from."""

    name: str
    source: str
    num_rows: int


@dataclass(frozen=True)
class ModelComparison:
    """What was compared, task by task; `without` are the tasks that have no common items, with the reasons."""

    a: Side
    b: Side
    tasks: tuple[TaskComparison, ...]
    without: dict[str, Unpaired]


def compare_models(name_a: str, name_b: str, workspace: Workspace | None = None) -> ModelComparison:
    """Compare by version number, alias, or path of a file of rows. LineageError for a model that is not there;
    NothingToCompare where no evaluation of one is kept, a file is no evaluation, or no item is common."""
    if Path(name_a).is_file() and Path(name_b).is_file():
        sources = (_Source(name_a), _Source(name_b))
    else:
        workspace = workspace or current_workspace()
        sources = _chosen(_sources(name_a, workspace), _sources(name_b, workspace))
    (a, rows_a), (b, rows_b) = (_read(source, workspace) for source in sources)
    tasks, without = compare_rows(rows_a, rows_b)
    if not tasks:
        raise NothingToCompare(
            f"{a.name} and {b.name} have no common items: {_why_not(without)}. Evaluate both on the same data."
        )
    return ModelComparison(a, b, tasks, without)


@dataclass(frozen=True)
class _Source:
    """Where one side's rows may come from: a file, or one kept evaluation (`run`) of a model version."""

    name: str
    version: ModelVersion | None = None
    run: RunRecord | None = None


def _sources(name: str, workspace: Workspace) -> list[_Source]:
    """The file of that name, or the evaluations of that model whose rows are still in the store, newest first."""
    if Path(name).is_file():
        return [_Source(name)]
    if Path(name).suffix in {".parquet", ".jsonl"}:
        raise NothingToCompare(f"no file {name}")
    version = workspace.registry.resolve(workspace.settings.model, name)
    runs = workspace.lineage.readers(version.artifact_id, "model", "evaluate")
    kept = [run for run in runs if workspace.store.exists(run.output("rows").digest)]
    if not kept:
        gone = f"; the rows of {len(runs)} are no longer in the store" if runs else ""
        raise NothingToCompare(f"no evaluation of {name} (version {version.number}) is kept{gone}")
    return [_Source(name, version, run) for run in kept]


def _chosen(a: list[_Source], b: list[_Source]) -> tuple[_Source, _Source]:
    """Of models with several evaluations the two that have most in common."""
    first, second = a[0].version, b[0].version
    if first is not None and second is not None and first.artifact_id == second.artifact_id:
        raise NothingToCompare(f"{a[0].name} and {b[0].name} are the same model: version {first.number}")
    return max(product(a, b), key=_likeness)


def _likeness(pair: tuple[_Source, _Source]) -> tuple[bool, int, list[datetime]]:
    """Sorts pairs of evaluations: on the same dataset, with most parameters alike, then the newest."""
    runs = [source.run for source in pair if source.run is not None]
    ended = [run.ended_at for run in runs]
    if len(runs) < 2:
        return False, 0, ended
    same_data = len({run.input("dataset").digest for run in runs}) == 1
    return same_data, sum(runs[1].params.get(key) == value for key, value in runs[0].params.items()), ended


def _read(source: _Source, workspace: Workspace | None) -> tuple[Side, list[dict[str, Any]]]:
    if source.run is None or source.version is None or workspace is None:
        rows = recorded_rows(Path(source.name))
        return Side(Path(source.name).name, source.name, len(rows)), rows
    record = source.run.output("rows")
    output = Output("rows", record.kind, record.name, record.artifact_id, record.digest)
    rows = read_rows_file(fetch(workspace, output, workspace.home / "cache"))
    label = f"version {source.version.number}" + ("" if source.name.isdecimal() else f" ({source.name})")
    return Side(label, f"evaluated {source.run.ended_at:%Y-%m-%d %H:%M}, run {source.run.run_id[:12]}", len(rows)), rows


def _why_not(without: dict[str, Unpaired]) -> str:
    return "; ".join(f"{task}: {in_words(one)}" for task, one in without.items())


def in_words(unpaired: Unpaired) -> str:
    """What is not paired, and why; "" where everything is."""
    counts = (
        (unpaired.only_a, "only asked of A"),
        (unpaired.only_b, "only asked of B"),
        (unpaired.not_judged, "without a verdict for one of them"),
        (unpaired.other_question, "with another truth or program under the same name"),
    )
    return ", ".join(f"{count:,} {why}" for count, why in counts if count)
