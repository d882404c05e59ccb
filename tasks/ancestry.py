"""Ancestry: where a model came from, as a tree for people and as data; the registered versions and aliases."""

from __future__ import annotations

import dataclasses
from typing import Any

from rich.table import Table
from rich.tree import Tree

from datastore.datasets import Datasets
from datastore.errors import LineageError
from datastore.records import TreeNode
from tasks.tell import LINES
from tasks.workspace import Workspace, current_workspace

SHORT = 12


def ancestry(name: str, workspace: Workspace | None = None) -> dict[str, Any]:
    """The tree under an alias, a model version's number or a dataset id (its first digits do)."""
    workspace = workspace or current_workspace()
    label, artifact_id = _find(name, workspace)
    return {"label": label, **_node(workspace.lineage.tree(artifact_id))}


def _find(name: str, workspace: Workspace) -> tuple[str, str]:
    model = workspace.settings.model
    try:
        version = workspace.registry.resolve(model, name)
    except LineageError as error:
        for dataset in Datasets(workspace.database).versions("traces"):
            if len(name) >= 6 and str(dataset.counts.get("dataset_id", "")).startswith(name):
                return f"dataset version {dataset.number}", dataset.artifact_id
        raise LineageError(f"{error} Datasets are named by their id.") from None
    alias = "" if name.isdecimal() else f" ({name})"
    return f"model {model} version {version.number}{alias}", version.artifact_id


def _node(node: TreeNode) -> dict[str, Any]:
    run = node.run
    return {
        "role": node.role,
        "kind": node.artifact.kind,
        "name": node.artifact.name,
        "digest": node.artifact.digest,
        "size_bytes": node.artifact.size_bytes,
        "repeated": node.repeated,
        "run": run
        and {
            "job": run.job,
            "step_id": run.step_id,
            "ended_at": run.ended_at.isoformat(),
            "flow_run_id": run.flow_run_id,
            "metrics": run.metrics,
            "versions": run.versions,
        },
        "children": [_node(child) for child in node.children],
    }


def as_tree(node: dict[str, Any]) -> Tree:
    """The tree as a terminal shows it: an artifact, and under it what the step that made it read."""
    tree = Tree(f"[bold]{node['label']}[/bold]")
    _grow(tree, node)
    return tree


def _grow(tree: Tree, node: dict[str, Any]) -> None:
    digest = node["digest"].removeprefix("sha256:")[:SHORT]
    run = node["run"]
    title = f"[cyan]{node['kind'].replace('_', ' ')}[/cyan] {digest}"
    if node["repeated"]:
        tree.add(f"{title} (shown above)")
        return
    made = f"\n[dim]{run['job']} {run['ended_at'][:16].replace('T', ' ')}: {_figures(run)}[/dim]" if run else ""
    branch = tree.add(f"{title}, {node['size_bytes']:,} bytes{made}")
    for child in node["children"]:
        _grow(branch, child)


def _figures(run: dict[str, Any]) -> str:
    """The figures of a step that people ask for first."""
    line = LINES.get(run["job"])
    return line(run["metrics"]) if line else ""


def registered(workspace: Workspace | None = None) -> dict[str, Any]:
    """Versions, aliases and the champion's history of the model that the settings name."""
    workspace = workspace or current_workspace()
    name = workspace.settings.model
    registry = workspace.registry
    return {
        "model": name,
        "versions": [dataclasses.asdict(version) for version in registry.versions(name)],
        "aliases": {alias.name: alias.version for alias in registry.aliases(name)},
        "history": [dataclasses.asdict(entry) for entry in registry.history(name, "champion")],
    }


def model_tables(found: dict[str, Any]) -> list[Table]:
    """The versions and the history of the champion as tables."""
    versions = Table("version", "aliases", "weights", "registered", title=f"model {found['model']}")
    for version in found["versions"]:
        names = ", ".join(name for name, number in found["aliases"].items() if number == version["number"])
        digest = version["digest"].removeprefix("sha256:")[:SHORT]
        versions.add_row(str(version["number"]), names, digest, f"{version['created_at']:%Y-%m-%d %H:%M}")
    history = Table("when", "from", "to", "candidate", "by", "why", title="history of champion")
    for entry in found["history"]:
        ends = (str(entry[key] or "-") for key in ("from_version", "to_version", "candidate"))
        history.add_row(f"{entry['at']:%Y-%m-%d %H:%M}", *ends, entry["by"], entry["reason"])
    return [versions, history]
