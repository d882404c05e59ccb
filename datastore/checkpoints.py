"""Checkpoints of running steps, so that another machine can go on: the newest, and those that are to be kept.

They are no artifacts: nothing is made from them, and they are gone when their step is recorded. Bytes are stored
before the row; an older checkpoint goes after the newer one is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import delete, select

from datastore.artifacts import BINARY_MEDIA_TYPE, ArtifactStore, VerifiedReader
from datastore.database import Database
from datastore.errors import ArtifactError
from datastore.packed import PackedFiles, unpack
from datastore.tables import CheckpointRow

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A stored checkpoint of the step `step_id` of `job` after `update` updates."""

    job: str
    step_id: str
    update: int
    digest: str
    size_bytes: int


class Checkpoints:
    """Stores and finds them; every method raises StoreError where database or store can't be used."""

    def __init__(self, database: Database, store: ArtifactStore) -> None:
        self._database = database
        self._store = store

    def save(
        self, job: str, step_id: str, update: int, files: Mapping[str, Path], keep: Collection[int] = ()
    ) -> Checkpoint:
        """Store files, name -> path, then forget the step's older checkpoints but those of the updates `keep`.

        OSError or ValueError where a file goes or changes while it is read; nothing is recorded then.
        """
        digest, size_bytes = _digest(PackedFiles(files))
        if self._store.backend.size(digest) != size_bytes:
            verified: Any = VerifiedReader(cast(BinaryIO, PackedFiles(files)), digest, step_id, size_bytes)
            self._store.backend.write(digest, verified, size_bytes, BINARY_MEDIA_TYPE)
        replaced = [one for one in self.stored(job, step_id) if one.update == update and one.digest != digest]
        with self._database.write("checkpoint") as session:
            row = {"job": job, "step_id": step_id, "update": update, "digest": digest, "size_bytes": size_bytes}
            session.merge(CheckpointRow(**row, created_at=datetime.now(UTC)))
        for one in replaced:
            self._remove_unused(one.digest)
        self._forget(job, step_id, lambda one: one.update < update and one.update not in keep)
        return Checkpoint(job, step_id, update, digest, size_bytes)

    def last(self, job: str, step_id: str) -> Checkpoint | None:
        """The step's newest checkpoint; None where there is none."""
        return max(self.stored(job, step_id), key=lambda one: one.update, default=None)

    def stored(self, job: str, step_id: str) -> list[Checkpoint]:
        """All of the step's checkpoints, oldest first."""
        query = select(CheckpointRow).where(CheckpointRow.job == job, CheckpointRow.step_id == step_id)
        with self._database.read() as session:
            rows = session.scalars(query.order_by(CheckpointRow.update))
            return [Checkpoint(row.job, row.step_id, row.update, row.digest, row.size_bytes) for row in rows]

    def restore(self, checkpoint: Checkpoint, to: Path) -> None:
        """Write its files under `to`, verified. ArtifactError where they can't be read or written."""
        to.mkdir(parents=True, exist_ok=True)
        try:
            with self._store.backend.open(checkpoint.digest) as stream:
                where = self._store.backend.where(checkpoint.digest)
                unpack(VerifiedReader(stream, checkpoint.digest, where), to)
        except OSError as error:
            raise ArtifactError(f"checkpoint {checkpoint.digest} cannot be written to {to}: {error}") from error

    def forget(self, job: str, step_id: str) -> None:
        """Remove all of a step's checkpoints: rows first, so that none is believed whose bytes are gone."""
        self._forget(job, step_id, lambda one: True)

    def _forget(self, job: str, step_id: str, which: Callable[[Checkpoint], bool]) -> None:
        for one in filter(which, self.stored(job, step_id)):
            with self._database.write("checkpoint") as session:
                same = CheckpointRow.job == job, CheckpointRow.step_id == step_id, CheckpointRow.update == one.update
                session.execute(delete(CheckpointRow).where(*same))
            self._remove_unused(one.digest)

    def _remove_unused(self, digest: str) -> None:
        with self._database.read() as session:
            used = session.scalar(select(CheckpointRow.digest).where(CheckpointRow.digest == digest).limit(1))
        if used is None:
            self._store.backend.remove(digest)


def _digest(stream: PackedFiles) -> tuple[str, int]:
    found, size_bytes = hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK_BYTES):
        found.update(chunk)
        size_bytes += len(chunk)
    return f"sha256:{found.hexdigest()}", size_bytes
