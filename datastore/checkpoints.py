"""Checkpoints of running steps, so that another machine can go on: the newest, and those that are to be kept.

They are no artifacts: nothing is made from them, and they are gone when their step is recorded. Bytes are stored
before the row; an older checkpoint goes after the newer one is there.
"""

from __future__ import annotations

import hashlib
import logging
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import ColumnElement, and_, delete, not_, select

from datastore.artifacts import BINARY_MEDIA_TYPE, ArtifactStore, VerifiedReader
from datastore.database import Database
from datastore.errors import ArtifactError, CorruptArtifact, StoreError
from datastore.packed import PackedFiles, unpack
from datastore.tables import CheckpointRow

_CHUNK_BYTES = 1 << 20
_LOG = logging.getLogger(__name__)


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
        """Store files, name -> path, then forget the step's older checkpoints but those of the updates `keep`: where
        that fails the log says so, and the next one is saved all the same.

        OSError or ValueError where a file goes or changes while it is read; nothing is recorded then.
        """
        digest, size_bytes = _digest(PackedFiles(files))
        if self._store.backend.size(digest) != size_bytes:
            verified: Any = VerifiedReader(cast(BinaryIO, PackedFiles(files)), digest, step_id, size_bytes)
            self._store.backend.write(digest, verified, size_bytes, BINARY_MEDIA_TYPE)
        before = self.stored(job, step_id)
        with self._database.write("checkpoint") as session:
            row = {"job": job, "step_id": step_id, "update": update, "digest": digest, "size_bytes": size_bytes}
            session.merge(CheckpointRow(**row, created_at=datetime.now(UTC)))
        try:
            for one in before:
                if one.update == update and one.digest != digest:
                    self._remove_unused(one.digest)
                elif one.update < update and one.update not in keep:
                    self.drop(one)
        except StoreError as error:
            _LOG.warning("older checkpoints of %s stay in the store: %s", job, error)
        return Checkpoint(job, step_id, update, digest, size_bytes)

    def stored(self, job: str, step_id: str) -> list[Checkpoint]:
        """All of the step's checkpoints, oldest first."""
        query = select(CheckpointRow).where(CheckpointRow.job == job, CheckpointRow.step_id == step_id)
        with self._database.read() as session:
            rows = session.scalars(query.order_by(CheckpointRow.update))
            return [Checkpoint(row.job, row.step_id, row.update, row.digest, row.size_bytes) for row in rows]

    def restore(self, checkpoint: Checkpoint, to: Path) -> None:
        """Write its files under `to`, verified. ArtifactMissing or CorruptArtifact where they are gone or others than
        those that were stored, ArtifactError where they can't be read or written."""
        to.mkdir(parents=True, exist_ok=True)
        where = self._store.backend.where(checkpoint.digest)
        try:
            with self._store.backend.open(checkpoint.digest) as stream:
                unpack(VerifiedReader(stream, checkpoint.digest, where), to)
        except tarfile.TarError as error:
            raise CorruptArtifact(f"checkpoint {checkpoint.digest} at {where} is no archive: {error}") from error
        except OSError as error:
            raise ArtifactError(f"checkpoint {checkpoint.digest} cannot be written to {to}: {error}") from error

    def forget(self, job: str, step_id: str) -> None:
        """Remove all of a step's checkpoints."""
        for one in self.stored(job, step_id):
            self.drop(one)

    def drop(self, checkpoint: Checkpoint) -> None:
        """Remove one: its bytes first, so that what could not be removed is still known. A row whose bytes are gone is
        ArtifactMissing to `restore`."""
        self._remove_unused(checkpoint.digest, besides=checkpoint)
        with self._database.write("checkpoint") as session:
            session.execute(delete(CheckpointRow).where(*_same(checkpoint)))

    def _remove_unused(self, digest: str, besides: Checkpoint | None = None) -> None:
        query = select(CheckpointRow.digest).where(CheckpointRow.digest == digest).limit(1)
        if besides is not None:
            query = query.where(not_(and_(*_same(besides))))
        with self._database.read() as session:
            used = session.scalar(query)
        if used is None:
            self._store.backend.remove(digest)


def _same(checkpoint: Checkpoint) -> tuple[ColumnElement[bool], ...]:
    keys = ("job", "step_id", "update")
    return tuple(getattr(CheckpointRow, key) == getattr(checkpoint, key) for key in keys)


def _digest(stream: PackedFiles) -> tuple[str, int]:
    found, size_bytes = hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK_BYTES):
        found.update(chunk)
        size_bytes += len(chunk)
    return f"sha256:{found.hexdigest()}", size_bytes
