"""Artifacts in a local folder: `<folder>/sha256/ab/<hex>`, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from datastore.artifacts import CHUNK_BYTES, sync_folder
from datastore.errors import ArtifactError, ArtifactMissing

STALE_PARTIAL_S = 24 * 3600  # a write that takes longer than this was killed


class FileBackend:
    """Objects as read-only files; temporary name, fsync, rename, folder fsync: no reader sees a partial one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._partials = folder / "partial"  # same file system, so that the rename is atomic
        with self._explained("opened"):
            self._partials.mkdir(parents=True, exist_ok=True)
            self._sweep_partials()

    def where(self, digest: str) -> str:
        return str(self._path(digest))

    def size(self, digest: str) -> int | None:
        with self._explained("read"):
            try:
                return self._path(digest).stat().st_size
            except FileNotFoundError:
                return None

    def write(self, digest: str, stream: BinaryIO, size_bytes: int, media_type: str) -> None:
        path = self._path(digest)
        with self._explained("written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=self._partials, prefix=path.name[:12])
            try:
                with os.fdopen(handle, "wb") as out:
                    while chunk := stream.read(CHUNK_BYTES):
                        out.write(chunk)
                    out.flush()
                    os.fchmod(out.fileno(), 0o444)
                    os.fsync(out.fileno())
                Path(partial).replace(path)
            finally:
                Path(partial).unlink(missing_ok=True)
            for folder in (path.parent, path.parent.parent, self._folder):
                sync_folder(folder)

    @contextlib.contextmanager
    def open(self, digest: str) -> Iterator[BinaryIO]:
        with self._explained("read"):
            try:
                stream = self._path(digest).open("rb")
            except FileNotFoundError:
                raise ArtifactMissing(
                    f"{self._path(digest)}: no such artifact. Run the step that made it again, or restore the store."
                ) from None
        with stream:
            yield stream

    def remove(self, digest: str) -> None:
        with self._explained("removed"):
            self._path(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[tuple[str, int]]:
        for path in sorted((self._folder / "sha256").glob("??/*")):
            yield f"sha256:{path.name}", path.stat().st_size

    def _path(self, digest: str) -> Path:
        _, _, name = digest.partition(":")
        return self._folder / "sha256" / name[:2] / name

    def _sweep_partials(self) -> None:
        for path in self._partials.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another opener swept it
                if time.time() - path.stat().st_mtime > STALE_PARTIAL_S:
                    path.unlink()

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ArtifactError(
                f"the artifact store file://{self._folder} cannot be {what}: {error}."
                " Check that the folder exists, that you may write there, and that the disk is not full."
            ) from error
