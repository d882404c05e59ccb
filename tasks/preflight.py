"""Preflight: what can be found wrong in seconds is found before a run is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evaluation.policy import load_policy
from execution.sandbox import open_sandbox
from tasks.benchmarks import present
from tasks.collect import Sources, find_sources
from tasks.workspace import Workspace, single_run
from training.config import Recipe, load_recipe

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "programs"


def read_inputs(recipe: str, programs: str | None, changes: dict[str, Any] | None) -> tuple[Recipe, Sources]:
    """The recipe with its changes, and the sources of real programs; raises what `tasks.faults` lists."""
    return load_recipe(recipe, changes), find_sources(EXAMPLES, programs)


def preflight(workspace: Workspace, recipe: str, programs: str | None, changes: dict[str, Any] | None) -> None:
    """Raise for a recipe, a source, a policy, a benchmark folder or a sandbox that can't be used, and where
    another run is at work."""
    loaded, _ = read_inputs(recipe, programs, changes)
    load_policy(loaded.gate.policy)
    present(workspace.settings.benchmarks)
    open_sandbox(workspace.settings.sandbox).close()
    with single_run(workspace):
        pass
