"""Dataset versions: published datasets, numbered under a name, known by the digest of their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, select

from datastore.database import Database
from datastore.errors import LineageError
from datastore.json_values import plain
from datastore.tables import ArtifactRow, DatasetVersionRow

__all__ = ["DatasetVersion", "Datasets"]


@dataclass(frozen=True)
class DatasetVersion:
    """A published dataset. `dataset_id` is the digest of its folder: the same rows, the same identity anywhere."""

    name: str
    number: int
    dataset_id: str
    artifact_id: str
    run_id: str | None
    counts: dict[str, Any]
    created_at: datetime


class Datasets:
    """Dataset versions of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(
        self, name: str, artifact_id: str, counts: Mapping[str, Any], run_id: str | None = None
    ) -> DatasetVersion:
        """Give the artifact the next number; content that is published under this name keeps the one it has."""
        values = plain(counts, "counts")
        with self._database.write("datasets") as session:
            here = DatasetVersionRow.name == name
            known = select(DatasetVersionRow.number).where(here, DatasetVersionRow.artifact_id == artifact_id)
            if session.scalar(known) is None:
                if session.get(ArtifactRow, artifact_id) is None:
                    raise LineageError(f"{self._database.url}: there is no artifact {artifact_id!r} to publish.")
                highest = session.scalar(select(func.max(DatasetVersionRow.number)).where(here))
                session.add(
                    DatasetVersionRow(
                        name=name,
                        number=(highest or 0) + 1,
                        artifact_id=artifact_id,
                        run_id=run_id,
                        counts=values,
                        created_at=datetime.now(UTC),
                    )
                )
        return self._select(_versions(name).where(DatasetVersionRow.artifact_id == artifact_id))[0]

    def find(self, name: str, version: int | str | None = None) -> DatasetVersion:
        """A version by number or dataset_id; the latest when neither is given. Raises LineageError."""
        query = _versions(name)
        if isinstance(version, int):
            query = query.where(DatasetVersionRow.number == version)
        elif version is not None:
            query = query.where(ArtifactRow.digest == version)
        found = self._select(query.limit(1))
        if not found:
            what = "" if version is None else f" {version!r}"
            raise LineageError(
                f"{self._database.url}: dataset {name!r} has no version{what}. Run refresh-data to publish one."
            )
        return found[0]

    def versions(self, name: str) -> list[DatasetVersion]:
        """All versions of a dataset, newest first."""
        return self._select(_versions(name))

    def _select(self, query: Select[tuple[DatasetVersionRow, str]]) -> list[DatasetVersion]:
        with self._database.read() as session:
            return [
                DatasetVersion(
                    row.name, row.number, digest, row.artifact_id, row.run_id, dict(row.counts), row.created_at
                )
                for row, digest in session.execute(query)
            ]


def _versions(name: str) -> Select[tuple[DatasetVersionRow, str]]:
    return (
        select(DatasetVersionRow, ArtifactRow.digest)
        .join(ArtifactRow, ArtifactRow.artifact_id == DatasetVersionRow.artifact_id)
        .where(DatasetVersionRow.name == name)
        .order_by(DatasetVersionRow.number.desc())
    )
