"""Rollback: an earlier model version becomes champion again, with the reason in the history."""

from __future__ import annotations

from datastore.errors import LineageError
from datastore.registry import CHAMPION, PREVIOUS
from tasks.workspace import Workspace, current_workspace


def roll_back(to: int | None, reason: str, workspace: Workspace | None = None) -> str:
    """Move `champion` to version `to`, or to the alias `previous`; returns a sentence that says what happened."""
    workspace = workspace or current_workspace()
    name = workspace.settings.model
    champion = workspace.registry.alias(name, CHAMPION)
    previous = workspace.registry.alias(name, PREVIOUS)
    if champion is None:
        raise LineageError(f"model {name!r} has no champion yet: run `stepcode train` first")
    if to is None:
        if previous is None:
            raise LineageError(f"model {name!r} has no previous champion; name a version with --to")
        to = previous.version
    if to == champion.version:
        return f"version {to} is champion already; nothing moved"
    decision = {"verdict": "rollback"}
    workspace.registry.move_alias(name, CHAMPION, to, expected=champion.revision, reason=reason, decision=decision)
    return f"champion moved from version {champion.version} to version {to}: {reason}"
