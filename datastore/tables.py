"""The tables: artifacts, the runs that made them, the edges between, versions and aliases.

Rows are facts about work that is complete: a run and its edges are written in one transaction after all of
its artifacts are stored, so whoever finds a row can believe it. Rows are added, never changed, but for
`alias`, whose every move `alias_history` keeps, and `checkpoint`, whose rows are about work that is not done.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
Json = JSON().with_variant(JSONB(), "postgresql")


class UtcTime(TypeDecorator[datetime]):
    """A moment, aware and in UTC; SQLite keeps no time zone of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a time without a time zone: {value!r}")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: Json, datetime: UtcTime}


class ArtifactRow(Table):
    """Content under a name; the identity is made of kind, name and digest, so it is the same everywhere."""

    __tablename__ = "artifact"
    __table_args__ = (UniqueConstraint("kind", "name", "digest"), Index(None, "digest"))

    artifact_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    digest: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str]
    details: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class RunRow(Table):
    """One complete execution of a step. `step_id` stands for everything that its outputs depend on."""

    __tablename__ = "run"
    __table_args__ = (UniqueConstraint("job", "step_id"), Index(None, "ended_at"))

    run_id: Mapped[str] = mapped_column(primary_key=True)
    job: Mapped[str]
    step_id: Mapped[str]
    params: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    flow_run_id: Mapped[str | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]


class EdgeRow(Table):
    """A run read ("in") or made ("out") an artifact in some role."""

    __tablename__ = "edge"
    __table_args__ = (
        CheckConstraint("direction IN ('in', 'out')", name="direction"),
        Index(None, "artifact_id", "direction"),
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("run.run_id"), primary_key=True)
    direction: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    artifact_id: Mapped[str] = mapped_column(ForeignKey("artifact.artifact_id"), primary_key=True)


class DatasetVersionRow(Table):
    """A published dataset, numbered from 1 under its name."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("name", "artifact_id"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    artifact_id: Mapped[str] = mapped_column(ForeignKey("artifact.artifact_id"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.run_id"))
    counts: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class ModelVersionRow(Table):
    """Exported weights, numbered from 1 under the model's name."""

    __tablename__ = "model_version"
    __table_args__ = (UniqueConstraint("model", "artifact_id", "run_id"),)

    model: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    artifact_id: Mapped[str] = mapped_column(ForeignKey("artifact.artifact_id"))
    run_id: Mapped[str] = mapped_column(ForeignKey("run.run_id"))
    metrics: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class CheckpointRow(Table):
    """A stored checkpoint of a running step, its newest or its best; gone when the step's run is there."""

    __tablename__ = "checkpoint"
    __table_args__ = (Index(None, "digest"),)

    job: Mapped[str] = mapped_column(primary_key=True)
    step_id: Mapped[str] = mapped_column(primary_key=True)
    update: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


class AliasRow(Table):
    """Where a name such as `champion` points now. `revision` counts its moves, so that two cannot both win."""

    __tablename__ = "alias"
    __table_args__ = (ForeignKeyConstraint(["model", "version"], ["model_version.model", "model_version.number"]),)

    model: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    revision: Mapped[int]


class AliasHistoryRow(Table):
    """Append-only: every move of an alias, and every decision not to move it."""

    __tablename__ = "alias_history"
    __table_args__ = (Index(None, "model", "name"),)

    entry: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str]
    name: Mapped[str]
    from_version: Mapped[int | None]
    to_version: Mapped[int | None]
    candidate: Mapped[int | None]
    reason: Mapped[str]
    decision: Mapped[dict[str, Any]]
    by: Mapped[str]
    at: Mapped[datetime]
