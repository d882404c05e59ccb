"""Start: the registered model that a run's first stage begins with, where its recipe names one."""

from __future__ import annotations

from datastore.errors import LineageError
from tasks.steps import Output
from tasks.workspace import Workspace
from training.config import Recipe


def starting_model(workspace: Workspace, recipe: Recipe) -> Output | None:
    """Weights of the version or alias `model.start_from`; None where the run begins with the recipe's own model.

    LineageError where it is not registered.
    """
    name = recipe.model.start_from
    if not name:
        return None
    try:
        version = workspace.registry.resolve(workspace.settings.model, name)
    except LineageError as error:
        raise LineageError(f"recipe {recipe.name} starts from {name!r} (model.start_from): {error}") from error
    return Output("model", "model", f"version {version.number}", version.artifact_id, version.digest)
