"""What readers of the database get: frozen values, free of any session."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datastore.errors import LineageError


@dataclass(frozen=True)
class ArtifactRecord:
    """An artifact's row. `artifact_id` follows from kind, name and digest: equal in every database."""

    artifact_id: str
    kind: str
    name: str
    digest: str
    size_bytes: int
    media_type: str
    metadata: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Edge:
    """One artifact that a run read or made, and in which role."""

    role: str
    artifact: ArtifactRecord


@dataclass(frozen=True)
class RunRecord:
    """A complete run of a step, with all that it read and made, each sorted by role and name."""

    run_id: str
    job: str
    step_id: str
    params: dict[str, Any]
    metrics: dict[str, Any]
    versions: dict[str, Any]
    flow_run_id: str | None
    started_at: datetime
    ended_at: datetime
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]

    def input(self, role: str) -> ArtifactRecord:
        """The one artifact read in this role. Raises LineageError when there is none, or several."""
        return _only(self, "input", role, self.inputs)

    def output(self, role: str) -> ArtifactRecord:
        """The one artifact made in this role. Raises LineageError when there is none, or several."""
        return _only(self, "output", role, self.outputs)


@dataclass(frozen=True)
class TreeNode:
    """An artifact, the run that made it first, and what that run read.

    `role` is the role in which the parent's run read it ("" at the root). An artifact that was shown
    before in the tree (or leads back to itself) comes again without children, `repeated`.
    """

    artifact: ArtifactRecord
    run: RunRecord | None
    children: tuple[TreeNode, ...]
    role: str = ""
    repeated: bool = False

    def walk(self, depth: int = 0) -> Iterator[tuple[int, TreeNode]]:
        """Every node with its depth, parents first."""
        waiting = [(depth, self)]
        while waiting:
            depth, node = waiting.pop()
            yield depth, node
            waiting += [(depth + 1, child) for child in reversed(node.children)]


def content_key(*parts: str) -> str:
    """32 hex digits that stand for these texts (SHA-256, cut to 128 bits)."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _only(run: RunRecord, what: str, role: str, edges: tuple[Edge, ...]) -> ArtifactRecord:
    found = [edge.artifact for edge in edges if edge.role == role]
    if len(found) != 1:
        roles = ", ".join(sorted({edge.role for edge in edges})) or "none"
        raise LineageError(
            f"run {run.job} {run.run_id} has {len(found)} {what}s in the role {role!r} (its roles: {roles})."
        )
    return found[0]
