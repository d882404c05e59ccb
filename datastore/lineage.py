"""Lineage: which run made which artifact from which others, and the questions asked of it afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from datastore.artifacts import Artifact
from datastore.database import Database
from datastore.errors import LineageError
from datastore.json_values import plain
from datastore.records import ArtifactRecord, Edge, RunRecord, TreeNode, content_key
from datastore.tables import ArtifactRow, EdgeRow, RunRow, Table

__all__ = ["ArtifactRecord", "Edge", "Lineage", "LineageError", "RunRecord", "TreeNode"]

Output = tuple[str, str, str, Artifact, Mapping[str, Any]]
Row = TypeVar("Row", bound=Table)


class Lineage:
    """Records complete runs and answers where artifacts came from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_run(self, job: str, step_id: str) -> RunRecord | None:
        """The run of this job and step, None when it was never completed."""
        found = self._runs(select(RunRow).where(RunRow.job == job, RunRow.step_id == step_id))
        return found[0] if found else None

    def run(self, run_id: str) -> RunRecord:
        """The run with this identity. Raises LineageError when there is none."""
        found = self._runs(select(RunRow).where(RunRow.run_id == run_id))
        if not found:
            raise LineageError(f"{self._database.url}: no run {run_id!r}.")
        return found[0]

    def runs(self, limit: int = 20, job: str | None = None) -> list[RunRecord]:
        """The latest runs, newest first."""
        query = select(RunRow).order_by(RunRow.ended_at.desc(), RunRow.run_id).limit(limit)
        return self._runs(query if job is None else query.where(RunRow.job == job))

    def readers(self, artifact_id: str, role: str, job: str) -> list[RunRecord]:
        """The runs of a job that read this artifact in this role, newest first."""
        reading = select(EdgeRow.run_id).where(
            EdgeRow.artifact_id == artifact_id, EdgeRow.role == role, EdgeRow.direction == "in"
        )
        query = select(RunRow).where(RunRow.job == job, RunRow.run_id.in_(reading))
        return self._runs(query.order_by(RunRow.ended_at.desc(), RunRow.run_id))

    def record_run(
        self,
        job: str,
        step_id: str,
        *,
        params: Mapping[str, Any],
        inputs: Sequence[tuple[str, str]],
        outputs: Sequence[Output],
        flow_run_id: str | None,
        started_at: datetime,
        versions: Mapping[str, Any],
        metrics: Mapping[str, Any] | None = None,
    ) -> RunRecord:
        """Record a complete run, its outputs and its edges in one transaction.

        `inputs` are (role, artifact_id) of known artifacts; `outputs` are (role, name, kind, Artifact,
        metadata) of artifacts that are stored already. When the job and step are recorded already, by an
        earlier or a racing run, nothing is written and that record comes back. Raises LineageError:
        unknown input, value that is no JSON.
        """
        run_id = content_key("run", job, step_id)
        run = {
            "run_id": run_id,
            "job": job,
            "step_id": step_id,
            "params": plain(params, "params"),
            "metrics": plain(metrics or {}, "metrics"),
            "versions": plain(versions, "versions"),
            "flow_run_id": flow_run_id,
            "started_at": started_at,
            "ended_at": datetime.now(UTC),
        }
        artifacts = [(role, _artifact_values(name, kind, made, extra)) for role, name, kind, made, extra in outputs]
        edges = {("in", role, artifact_id) for role, artifact_id in inputs}
        edges |= {("out", role, values["artifact_id"]) for role, values in artifacts}
        with self._database.write("lineage") as session:
            if session.get(RunRow, run_id) is None:
                _known(session, [artifact_id for _, artifact_id in inputs])
                for _, values in artifacts:
                    _insert_absent(session, ArtifactRow, values)
                session.add(RunRow(**run))
                session.flush()
                session.add_all(
                    EdgeRow(run_id=run_id, direction=direction, role=role, artifact_id=artifact_id)
                    for direction, role, artifact_id in sorted(edges)
                )
        return self.run(run_id)

    def record_artifact(
        self, name: str, kind: str, artifact: Artifact, metadata: Mapping[str, Any] | None = None
    ) -> ArtifactRecord:
        """Record an artifact that no run of ours made, such as a user's own file; a known one stays as it is."""
        values = _artifact_values(name, kind, artifact, metadata or {})
        with self._database.write("lineage") as session:
            _insert_absent(session, ArtifactRow, values)
        return self.artifact(values["artifact_id"])

    def artifact(self, artifact_id: str) -> ArtifactRecord:
        """The artifact with this identity. Raises LineageError when there is none."""
        with self._database.read() as session:
            row = session.get(ArtifactRow, artifact_id)
            if row is None:
                raise LineageError(f"{self._database.url}: no artifact {artifact_id!r}.")
            return artifact_record(row)

    def artifacts(self, *, kind: str | None = None, digest: str | None = None) -> list[ArtifactRecord]:
        """Artifacts of a kind or with a digest, newest first."""
        query = select(ArtifactRow).order_by(ArtifactRow.created_at.desc(), ArtifactRow.artifact_id)
        if kind is not None:
            query = query.where(ArtifactRow.kind == kind)
        if digest is not None:
            query = query.where(ArtifactRow.digest == digest)
        with self._database.read() as session:
            return [artifact_record(row) for row in session.scalars(query)]

    def ancestors(self, artifact_id: str) -> list[ArtifactRecord]:
        """All artifacts that this one was made from, directly or not, by identity; without itself."""
        return self._reached(artifact_id, come_from="out", go_to="in")

    def descendants(self, artifact_id: str) -> list[ArtifactRecord]:
        """All artifacts that were made from this one, directly or not, by identity; without itself."""
        return self._reached(artifact_id, come_from="in", go_to="out")

    def tree(self, artifact_id: str) -> TreeNode:
        """What the artifact was made from, back to artifacts that no run made.

        Where several runs made the same content, the one that ended first is shown: the content came
        into being there. Raises LineageError when there is no such artifact.
        """
        root = self.artifact(artifact_id)
        upstream = _reach(artifact_id, come_from="out", go_to="in")
        makers = select(EdgeRow.run_id).join(upstream, EdgeRow.artifact_id == upstream.c.artifact_id)
        runs = self._runs(select(RunRow).where(RunRow.run_id.in_(makers.where(EdgeRow.direction == "out"))))
        made_by: dict[str, RunRecord] = {}
        for run in sorted(runs, key=lambda run: (run.ended_at, run.run_id)):
            for edge in run.outputs:
                made_by.setdefault(edge.artifact.artifact_id, run)
        return _grow(root, made_by)

    def _reached(self, artifact_id: str, come_from: str, go_to: str) -> list[ArtifactRecord]:
        reach = _reach(artifact_id, come_from, go_to)
        query = select(ArtifactRow).join(reach, ArtifactRow.artifact_id == reach.c.artifact_id)
        query = query.where(ArtifactRow.artifact_id != artifact_id).order_by(ArtifactRow.artifact_id)
        with self._database.read() as session:
            return [artifact_record(row) for row in session.scalars(query)]

    def _runs(self, query: Select[tuple[RunRow]]) -> list[RunRecord]:
        """Run records in the order of the query, with one further query for all of their edges."""
        with self._database.read() as session:
            rows = list(session.scalars(query))
            chosen = query.with_only_columns(RunRow.run_id).subquery()
            edges = session.execute(
                select(EdgeRow, ArtifactRow)
                .join(ArtifactRow, ArtifactRow.artifact_id == EdgeRow.artifact_id)
                .where(EdgeRow.run_id.in_(select(chosen.c.run_id)))
                .order_by(EdgeRow.role, ArtifactRow.name, ArtifactRow.artifact_id)
            ).all()
            by_run: dict[tuple[str, str], list[Edge]] = defaultdict(list)
            for edge, artifact in edges:
                by_run[edge.run_id, edge.direction].append(Edge(edge.role, artifact_record(artifact)))
            return [_run_record(row, by_run[row.run_id, "in"], by_run[row.run_id, "out"]) for row in rows]


def artifact_record(row: ArtifactRow) -> ArtifactRecord:
    """A row as a value."""
    return ArtifactRecord(
        row.artifact_id,
        row.kind,
        row.name,
        row.digest,
        row.size_bytes,
        row.media_type,
        dict(row.details),
        row.created_at,
    )


def _run_record(row: RunRow, inputs: Iterable[Edge], outputs: Iterable[Edge]) -> RunRecord:
    return RunRecord(
        row.run_id,
        row.job,
        row.step_id,
        dict(row.params),
        dict(row.metrics),
        dict(row.versions),
        row.flow_run_id,
        row.started_at,
        row.ended_at,
        tuple(inputs),
        tuple(outputs),
    )


def _reach(artifact_id: str, come_from: str, go_to: str) -> Any:
    """Recursive: the artifact itself, then what is on the other side of every run on this side of which one is.

    UNION (not UNION ALL) drops what was seen before, so a cycle ends.
    """
    reach = select(ArtifactRow.artifact_id).where(ArtifactRow.artifact_id == artifact_id).cte(recursive=True)
    here, there = aliased(EdgeRow), aliased(EdgeRow)
    further = (
        select(there.artifact_id)
        .join(here, (here.run_id == there.run_id) & (here.direction == come_from) & (there.direction == go_to))
        .join(reach, here.artifact_id == reach.c.artifact_id)
    )
    return reach.union(further)


def _grow(root: ArtifactRecord, made_by: Mapping[str, RunRecord]) -> TreeNode:
    """The tree in the order in which it is shown; without recursion, because nights build on nights for years."""
    seen: set[str] = set()
    shown: list[tuple[int, ArtifactRecord, str, bool]] = []  # the parent's position comes before the child's
    waiting = [(-1, root, "")]
    while waiting:
        parent, artifact, role = waiting.pop()
        repeated = artifact.artifact_id in seen
        seen.add(artifact.artifact_id)
        run = None if repeated else made_by.get(artifact.artifact_id)
        waiting += [(len(shown), edge.artifact, edge.role) for edge in reversed(run.inputs if run else ())]
        shown.append((parent, artifact, role, repeated))
    children: list[list[TreeNode]] = [[] for _ in shown]
    for position in range(len(shown) - 1, -1, -1):
        parent, artifact, role, repeated = shown[position]
        run = made_by.get(artifact.artifact_id)
        node = TreeNode(artifact, run, tuple(reversed(children[position])), role, repeated)
        if parent < 0:
            break
        children[parent].append(node)
    return node


def _artifact_values(name: str, kind: str, artifact: Artifact, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "artifact_id": content_key("artifact", kind, name, artifact.digest),
        "kind": kind,
        "name": name,
        "digest": artifact.digest,
        "size_bytes": artifact.size_bytes,
        "media_type": artifact.media_type,
        "details": plain(metadata, f"metadata of {name}"),
        "created_at": datetime.now(UTC),
    }


def _insert_absent(session: Session, table: type[Row], values: Mapping[str, Any]) -> None:
    """Insert unless a row with the same key is there; the first writer's values stay."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(table).values(**values).on_conflict_do_nothing())


def _known(session: Session, artifact_ids: Sequence[str]) -> None:
    found = set(session.scalars(select(ArtifactRow.artifact_id).where(ArtifactRow.artifact_id.in_(artifact_ids))))
    unknown = sorted(set(artifact_ids) - found)
    if unknown:
        raise LineageError(f"inputs that are no recorded artifacts: {', '.join(unknown)}. Record what made them first.")
