"""First tables: artifact, run, edge, dataset_version, model_version, alias, alias_history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("artifact", "run", "edge", "dataset_version", "model_version", "alias", "alias_history")


def upgrade() -> None:
    op.create_table(
        "artifact",
        sa.Column("artifact_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        _json("details"),
        _time("created_at"),
        sa.PrimaryKeyConstraint("artifact_id", name="pk_artifact"),
        sa.UniqueConstraint("kind", "name", "digest", name="uq_artifact_kind_name_digest"),
    )
    op.create_index("ix_artifact_digest", "artifact", ["digest"])
    op.create_table(
        "run",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("step_id", sa.String(), nullable=False),
        _json("params"),
        _json("metrics"),
        _json("versions"),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        _time("started_at"),
        _time("ended_at"),
        sa.PrimaryKeyConstraint("run_id", name="pk_run"),
        sa.UniqueConstraint("job", "step_id", name="uq_run_job_step_id"),
    )
    op.create_index("ix_run_ended_at", "run", ["ended_at"])
    op.create_table(
        "edge",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("artifact_id", sa.String(), nullable=False),
        sa.CheckConstraint("direction IN ('in', 'out')", name="ck_edge_direction"),
        _artifact_key("edge"),
        _run_key("edge"),
        sa.PrimaryKeyConstraint("run_id", "direction", "role", "artifact_id", name="pk_edge"),
    )
    op.create_index("ix_edge_artifact_id_direction", "edge", ["artifact_id", "direction"])
    _create_versions()
    _create_aliases()


def _create_versions() -> None:
    op.create_table(
        "dataset_version",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("artifact_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        _json("counts"),
        _time("created_at"),
        _artifact_key("dataset_version"),
        _run_key("dataset_version"),
        sa.PrimaryKeyConstraint("name", "number", name="pk_dataset_version"),
        sa.UniqueConstraint("name", "artifact_id", name="uq_dataset_version_name_artifact_id"),
    )
    op.create_table(
        "model_version",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("artifact_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        _json("metrics"),
        _time("created_at"),
        _artifact_key("model_version"),
        _run_key("model_version"),
        sa.PrimaryKeyConstraint("model", "number", name="pk_model_version"),
        sa.UniqueConstraint("model", "artifact_id", "run_id", name="uq_model_version_model_artifact_id_run_id"),
    )


def _create_aliases() -> None:
    op.create_table(
        "alias",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["model_version.model", "model_version.number"],
            name="fk_alias_model_version_model_version",
        ),
        sa.PrimaryKeyConstraint("model", "name", name="pk_alias"),
    )
    op.create_table(
        "alias_history",
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=True),
        sa.Column("to_version", sa.Integer(), nullable=True),
        sa.Column("candidate", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        _json("decision"),
        sa.Column("by", sa.String(), nullable=False),
        _time("at"),
        sa.PrimaryKeyConstraint("entry", name="pk_alias_history"),
    )
    op.create_index("ix_alias_history_model_name", "alias_history", ["model", "name"])


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _json(name: str) -> sa.Column:
    return sa.Column(name, sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False)


def _time(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _artifact_key(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_artifact_id_artifact"
    return sa.ForeignKeyConstraint(["artifact_id"], ["artifact.artifact_id"], name=name)


def _run_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=f"fk_{table}_run_id_run")
