"""Publish: a dataset version with a content identity, split by program, duplicates kept on one side."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.contamination import overlaps
from corpus.dedup import near_duplicates
from datastore.datasets import Datasets
from execution.program import content_id
from tasks.benchmarks import benchmark_programs, benchmarks_digest
from tasks.steps import Made, Output, StepResult, fetch, run_step, step
from tasks.trace import TRACE_SCHEMA
from tasks.workspace import Workspace, code_version
from training.config import Recipe

DATASET_SCHEMA = TRACE_SCHEMA.insert(2, pa.field("cluster_id", pa.string()))
SPLITS = ("train", "held_out")


def is_held_out(cluster_id: str, share: float) -> bool:
    """Whether a cluster of near-duplicates is held out: by hash, so that a refresh moves no program across."""
    return int(hashlib.sha256(f"held-out {cluster_id}".encode()).hexdigest()[:13], 16) / 16**13 < share


@step("publish")
def publish_dataset(workspace: Workspace, recipe: Recipe, traces: Output, quality: Output) -> StepResult:
    """The dataset folder (train.parquet, held_out.parquet, manifest.json) as a dataset version.

    Its identity is a hash of the traces on either side and the parameters of the split, so that the same programs
    give the same dataset on any machine and any store.
    """
    benchmarks = workspace.settings.benchmarks
    params = {
        "dataset": recipe.dataset.model_dump(mode="json"),
        "benchmarks": benchmarks_digest(benchmarks),
        "code": code_version("corpus", "execution"),
    }

    def work(folder: Path) -> Made:
        rows = pq.read_table(fetch(workspace, traces, folder)).to_pylist()
        manifest = write_dataset(rows, recipe, benchmark_programs(benchmarks), folder / "dataset")
        made = Made(summary=manifest)
        made.add("dataset", "dataset", manifest["dataset_id"], folder / "dataset")
        return made

    inputs = {"traces": traces, "quality": quality}
    result = run_step(workspace, "publish", params=params, inputs=inputs, work=work)
    dataset = result.outputs["dataset"]
    Datasets(workspace.database).publish("traces", dataset.artifact_id, result.summary, result.run_id)
    return result


def write_dataset(
    rows: list[dict[str, Any]], recipe: Recipe, benchmarks: dict[str, str], folder: Path
) -> dict[str, Any]:
    """Split and write; returns the manifest. `benchmarks` maps a name to a program text to keep out of training."""
    sources = {row["source_id"]: row["source"] for row in rows}
    clusters = near_duplicates(sources, recipe.dataset.near_duplicate_threshold)
    leaked = overlaps(sources, benchmarks, recipe.dataset.decontaminate_ngram) if benchmarks else {}
    splits: dict[str, list[dict[str, Any]]] = {name: [] for name in SPLITS}
    for row in sorted(rows, key=lambda row: row["program_id"]):
        if row["source_id"] in leaked:
            continue
        cluster = clusters[row["source_id"]]
        side = "held_out" if is_held_out(cluster, recipe.dataset.held_out_share) else "train"
        splits[side].append({**row, "cluster_id": cluster})
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in splits.items():
        table = pa.Table.from_pylist(part, schema=DATASET_SCHEMA)
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    content = {name: [row["trace_id"] for row in part] for name, part in splits.items()}
    manifest = {
        "dataset_id": content_id("dataset", content, recipe.dataset.model_dump(mode="json")),
        "num_train": len(splits["train"]),
        "num_held_out": len(splits["held_out"]),
        "num_train_sources": len({row["source_id"] for row in splits["train"]}),
        "num_held_out_sources": len({row["source_id"] for row in splits["held_out"]}),
        "num_clusters": len(set(clusters.values())),
        "num_contaminated": sum(row["source_id"] in leaked for row in rows),
        "num_states": dict(sorted(Counter(str(row["num_states"]) for row in rows).items())),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True), "utf-8")
    return manifest
