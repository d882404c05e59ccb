"""The model registry: numbered versions, aliases that move one at a time, and a history that only grows."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datastore.database import Database
from datastore.errors import AliasConflict, LineageError
from datastore.json_values import plain
from datastore.tables import AliasHistoryRow, AliasRow, ArtifactRow, ModelVersionRow, RunRow

__all__ = ["CHAMPION", "PREVIOUS", "Alias", "AliasConflict", "HistoryEntry", "ModelVersion", "Registry"]

CHAMPION = "champion"
PREVIOUS = "previous"  # where the champion was before its last move


@dataclass(frozen=True)
class ModelVersion:
    """Registered weights: `number` counts from 1 under the model's name."""

    model: str
    number: int
    artifact_id: str
    digest: str
    run_id: str
    metrics: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Alias:
    """Where an alias points. `revision` is what `move_alias` expects to find unchanged."""

    model: str
    name: str
    version: int
    revision: int


@dataclass(frozen=True)
class HistoryEntry:
    """One decision about an alias: it moved, or it stayed (`to_version == from_version`) though `candidate` came."""

    model: str
    name: str
    from_version: int | None
    to_version: int | None
    candidate: int | None
    reason: str
    decision: dict[str, Any]
    by: str
    at: datetime

    @property
    def moved(self) -> bool:
        return self.from_version != self.to_version


class Registry:
    """Model versions and aliases of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, model: str, artifact_id: str, metrics: Mapping[str, Any], run_id: str) -> ModelVersion:
        """Give the artifact the model's next number; the same artifact of the same run keeps the one it has.

        Raises LineageError when the artifact or the run is not recorded.
        """
        values = plain(metrics, "metrics")
        with self._database.write("registry") as session:
            same = select(ModelVersionRow.number).where(
                ModelVersionRow.model == model,
                ModelVersionRow.artifact_id == artifact_id,
                ModelVersionRow.run_id == run_id,
            )
            number = session.scalar(same)
            if number is None:
                self._require(session.get(ArtifactRow, artifact_id), f"artifact {artifact_id!r}")
                self._require(session.get(RunRow, run_id), f"run {run_id!r}")
                highest = session.scalar(select(func.max(ModelVersionRow.number)).where(ModelVersionRow.model == model))
                number = (highest or 0) + 1
                session.add(
                    ModelVersionRow(
                        model=model,
                        number=number,
                        artifact_id=artifact_id,
                        run_id=run_id,
                        metrics=values,
                        created_at=datetime.now(UTC),
                    )
                )
        return self.version(model, number)

    def version(self, model: str, number: int) -> ModelVersion:
        """One version. Raises LineageError when there is none with this number."""
        with self._database.read() as session:
            row = session.get(ModelVersionRow, (model, number))
            self._require(row, f"version {number} of model {model!r}")
            assert row is not None
            return _model_version(session, row)

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions of a model, newest first."""
        query = select(ModelVersionRow).where(ModelVersionRow.model == model).order_by(ModelVersionRow.number.desc())
        with self._database.read() as session:
            return [_model_version(session, row) for row in session.scalars(query)]

    def models(self) -> list[str]:
        """Names of all models that have a version."""
        with self._database.read() as session:
            return list(session.scalars(select(ModelVersionRow.model).distinct().order_by(ModelVersionRow.model)))

    def alias(self, model: str, name: str) -> Alias | None:
        """Where the alias points, None when it was never set."""
        with self._database.read() as session:
            row = session.get(AliasRow, (model, name))
            return None if row is None else Alias(row.model, row.name, row.version, row.revision)

    def aliases(self, model: str) -> list[Alias]:
        """All aliases of a model, by name."""
        query = select(AliasRow).where(AliasRow.model == model).order_by(AliasRow.name)
        with self._database.read() as session:
            return [Alias(row.model, row.name, row.version, row.revision) for row in session.scalars(query)]

    def resolve(self, model: str, name: str) -> ModelVersion:
        """The version that an alias, or a number written as text, stands for. Raises LineageError."""
        if name.isdecimal():
            return self.version(model, int(name))
        alias = self.alias(model, name)
        if alias is None:
            known = ", ".join(alias.name for alias in self.aliases(model)) or "none"
            raise LineageError(f"{self._database.url}: model {model!r} has no alias {name!r} (aliases: {known}).")
        return self.version(model, alias.version)

    def move_alias(
        self,
        model: str,
        name: str,
        version: int,
        *,
        expected: int | None,
        reason: str,
        decision: Mapping[str, Any],
        by: str | None = None,
    ) -> Alias:
        """Point an alias at a version and write the history, in one transaction.

        `expected` is the revision that the caller decided upon (`alias(...).revision`), None for an alias
        that it found unset; when the alias has moved since, nothing is changed and AliasConflict is raised.
        Moving `champion` points `previous` at the version it leaves. An alias that is there already stays
        as it is, without a new entry, so that a move is safe to repeat after a crash.
        """
        with self._database.write("registry") as session:
            self._require(session.get(ModelVersionRow, (model, version)), f"version {version} of model {model!r}")
            current = session.get(AliasRow, (model, name))
            if current is None or current.version != version:
                self._check_revision(model, name, current, expected)
                left = current.version if current else None
                why = (reason, plain(decision, "decision"), by or whoami())
                _point(session, model, name, version, version, *why)
                if name == CHAMPION and left is not None:
                    _point(session, model, PREVIOUS, left, version, *why)
        moved = self.alias(model, name)
        assert moved is not None
        return moved

    def keep_alias(
        self,
        model: str,
        name: str,
        candidate: int,
        *,
        reason: str,
        decision: Mapping[str, Any],
        by: str | None = None,
    ) -> HistoryEntry:
        """Write down that the alias stays where it is although `candidate` was proposed (a gate held or rejected).

        The same decision about the same candidate, repeated at once, is written once.
        """
        values = plain(decision, "decision")
        with self._database.write("registry") as session:
            self._require(session.get(ModelVersionRow, (model, candidate)), f"version {candidate} of model {model!r}")
            current = session.get(AliasRow, (model, name))
            at = current.version if current else None
            last = session.scalar(_history(model, name).limit(1))
            told = (last.to_version, last.candidate, last.reason, last.decision) if last else None
            if told != (at, candidate, reason, values):
                session.add(_entry(model, name, at, at, candidate, reason, values, by or whoami()))
        return self.history(model, name)[0]

    def history(self, model: str, name: str) -> list[HistoryEntry]:
        """Every decision about an alias, newest first."""
        with self._database.read() as session:
            return [
                HistoryEntry(
                    row.model,
                    row.name,
                    row.from_version,
                    row.to_version,
                    row.candidate,
                    row.reason,
                    dict(row.decision),
                    row.by,
                    row.at,
                )
                for row in session.scalars(_history(model, name))
            ]

    def _check_revision(self, model: str, name: str, current: AliasRow | None, expected: int | None) -> None:
        found = current.revision if current else None
        if found != expected:
            where = f"version {current.version}, revision {found}" if current else "unset"
            seen = "unset" if expected is None else f"at revision {expected}"
            raise AliasConflict(
                f"{self._database.url}: alias {name!r} of {model!r} is {where}, but was {seen} for this decision."
                " Somebody moved it meanwhile; compare with the version that it points to now, and decide again."
            )

    def _require(self, row: object, what: str) -> None:
        if row is None:
            raise LineageError(f"{self._database.url}: there is no {what}.")


def whoami() -> str:
    """user@host of this process, as far as it has a name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user need not have an entry
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _point(
    session: Session,
    model: str,
    name: str,
    version: int,
    candidate: int,
    reason: str,
    decision: dict[str, Any],
    by: str,
) -> None:
    row = session.get(AliasRow, (model, name))
    left = row.version if row else None
    if row is None:
        session.add(AliasRow(model=model, name=name, version=version, revision=1))
    else:
        row.version, row.revision = version, row.revision + 1
    session.add(_entry(model, name, left, version, candidate, reason, decision, by))


def _entry(
    model: str,
    name: str,
    from_version: int | None,
    to_version: int | None,
    candidate: int,
    reason: str,
    decision: dict[str, Any],
    by: str,
) -> AliasHistoryRow:
    return AliasHistoryRow(
        model=model,
        name=name,
        from_version=from_version,
        to_version=to_version,
        candidate=candidate,
        reason=reason,
        decision=decision,
        by=by,
        at=datetime.now(UTC),
    )


def _history(model: str, name: str) -> Any:
    here = (AliasHistoryRow.model == model) & (AliasHistoryRow.name == name)
    return select(AliasHistoryRow).where(here).order_by(AliasHistoryRow.entry.desc())


def _model_version(session: Session, row: ModelVersionRow) -> ModelVersion:
    artifact = session.get_one(ArtifactRow, row.artifact_id)
    return ModelVersion(
        row.model, row.number, row.artifact_id, artifact.digest, row.run_id, dict(row.metrics), row.created_at
    )
