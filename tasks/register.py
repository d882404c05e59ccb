"""Register: a trained model becomes a numbered model version, with its figures, under the alias `candidate`."""

from __future__ import annotations

from typing import Any

from datastore.registry import ModelVersion
from tasks.steps import StepResult, step
from tasks.workspace import Workspace


@step("register")
def register_model(workspace: Workspace, trained: StepResult, metrics: dict[str, Any]) -> ModelVersion:
    """The model version of a training step's model; the same model is registered once."""
    name = workspace.settings.model
    version = workspace.registry.register(name, trained.outputs["model"].artifact_id, metrics, trained.run_id)
    current = workspace.registry.alias(name, "candidate")
    workspace.registry.move_alias(
        name,
        "candidate",
        version.number,
        expected=current.revision if current else None,
        reason="registered after training",
        decision={},
    )
    return version
