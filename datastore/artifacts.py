"""Content-addressed artifacts: put bytes, files and folders; get them back verified.

An artifact's identity is the SHA-256 of its bytes, written `sha256:<64 hex digits>`, so a put is safe to
repeat and a reader can prove that it got what was stored. A folder is a manifest, itself an artifact:
canonical JSON that names every file with digest and size, independent of times, modes and listing order.
Files are stored before their manifest, so a manifest that exists is complete. Where the bytes lie is the
business of a backend (`file_store.py`, `s3_store.py`); verification is done here, once, for all of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from datastore.errors import ArtifactError, ArtifactMissing, CorruptArtifact

__all__ = [
    "FOLDER_MEDIA_TYPE",
    "Artifact",
    "ArtifactError",
    "ArtifactMissing",
    "ArtifactStore",
    "CorruptArtifact",
    "digest_of_bytes",
    "digest_of_file",
    "digest_of_folder",
    "open_store",
]

FOLDER_MEDIA_TYPE = "application/vnd.stepcode.folder+json"
BINARY_MEDIA_TYPE = "application/octet-stream"
CHUNK_BYTES = 1 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Canonical JSON sorts its keys and "_" sorts before every letter: a manifest is known by its first bytes.
_MANIFEST_START = b'{"_type":"' + FOLDER_MEDIA_TYPE.encode() + b'"'


@dataclass(frozen=True)
class Artifact:
    """A stored thing. `size_bytes` of a folder is the sum over its files, without the manifest."""

    digest: str
    size_bytes: int
    media_type: str


class Backend(Protocol):
    """Where bytes lie under their digest. Every method raises ArtifactError when the place cannot be used."""

    def where(self, digest: str) -> str:
        """The place of an object, for messages and for a person to look at."""

    def size(self, digest: str) -> int | None:
        """Size in bytes of the stored object, None when there is none."""

    def write(self, digest: str, stream: BinaryIO, size_bytes: int, media_type: str) -> None:
        """Store `size_bytes` bytes, whole or not at all; nothing is stored when reading the stream raises."""

    def open(self, digest: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """A stream of the object's bytes. Raises ArtifactMissing."""

    def remove(self, digest: str) -> None:
        """Forget the object; no error when there is none."""

    def digests(self) -> Iterator[tuple[str, int]]:
        """Every stored digest with its size in bytes."""


class VerifiedReader(io.RawIOBase):
    """Hashes what passes through it; the read that delivers the last byte raises when the digest is another.

    With `size_bytes` the stream ends there (a file that grows while it is read is cut at the size it was
    hashed with); without, at the end of the inner stream.
    """

    def __init__(self, inner: BinaryIO, digest: str, where: str, size_bytes: int | None = None) -> None:
        self._inner, self._digest, self._where, self._size = inner, digest, where, size_bytes
        self._hash, self._num_read = hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        want = -1 if size is None else size
        if self._size is not None:
            left = self._size - self._num_read
            want = left if want < 0 else min(want, left)
        chunk = self._inner.read(want)
        self._hash.update(chunk)
        self._num_read += len(chunk)
        if want < 0 or (want and not chunk) or self._num_read == self._size:
            self._check()
        return chunk

    def _check(self) -> None:
        found = f"sha256:{self._hash.hexdigest()}"
        if found != self._digest:
            raise CorruptArtifact(
                f"{self._where}: the {self._num_read} bytes there are {found}, not {self._digest}."
                " They were changed after they were named; remove them and run the step that made them again."
            )


class ArtifactStore:
    """Put and get by content. Safe for concurrent use by any number of processes."""

    def __init__(self, url: str, backend: Backend) -> None:
        self.url = url
        self.backend = backend

    def __repr__(self) -> str:
        return f"ArtifactStore({self.url!r})"

    def put_bytes(self, data: bytes, media_type: str = BINARY_MEDIA_TYPE) -> Artifact:
        """Store bytes; nothing is sent when they are there already."""
        digest = digest_of_bytes(data)
        if self.backend.size(digest) != len(data):
            self.backend.write(digest, io.BytesIO(data), len(data), media_type)
        return Artifact(digest, len(data), media_type)

    def put_file(self, path: Path, media_type: str = BINARY_MEDIA_TYPE) -> Artifact:
        """Store one file's bytes. One that changes meanwhile raises CorruptArtifact and is not stored."""
        digest, size_bytes = digest_of_file(path)
        if self.backend.size(digest) != size_bytes:
            with path.open("rb") as stream:
                # VerifiedReader has the one method that a backend uses of a stream: read.
                verified = VerifiedReader(stream, digest, str(path), size_bytes)
                self.backend.write(digest, verified, size_bytes, media_type)  # type: ignore[arg-type]
        return Artifact(digest, size_bytes, media_type)

    def put_folder(self, path: Path) -> Artifact:
        """Store every file under a folder, then the manifest. Links and special files are refused."""
        files = {name: self.put_file(path / name) for name in _files_under(path)}
        manifest = _manifest({name: (file.digest, file.size_bytes) for name, file in files.items()})
        stored = self.put_bytes(manifest, FOLDER_MEDIA_TYPE)
        return Artifact(stored.digest, sum(file.size_bytes for file in files.values()), FOLDER_MEDIA_TYPE)

    def exists(self, digest: str) -> bool:
        """Whether the object (of a folder: its manifest, which is stored last) is there. Reads no content."""
        return self.backend.size(_checked_digest(digest)) is not None

    def get_bytes(self, digest: str) -> bytes:
        """The bytes, verified. Raises ArtifactMissing, CorruptArtifact."""
        with self._open(digest) as stream:
            return stream.read()

    def files(self, digest: str) -> dict[str, tuple[str, int]] | None:
        """A folder's files as name -> (digest, size in bytes), by name; None when it is no folder."""
        with self.backend.open(_checked_digest(digest)) as stream:
            if stream.read(len(_MANIFEST_START)) != _MANIFEST_START:
                return None
        return _read_manifest(self.get_bytes(digest), self.backend.where(digest))

    def fetch(self, digest: str, to: Path) -> Path:
        """Write a file or folder at `to`, verified, whole or not at all, in place of what was there.

        Returns `to`. Raises ArtifactMissing, CorruptArtifact, ArtifactError.
        """
        files = self.files(digest)
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix=f".{to.name}.partial-", dir=to.parent))
            try:
                self._write(digest, files, partial / "fresh")
                if to.exists() and (to.is_dir() or files is not None):
                    to.rename(partial / "old")  # a folder cannot be replaced in one rename
                (partial / "fresh").rename(to)
                sync_folder(to.parent)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        except OSError as error:
            raise ArtifactError(f"{digest} cannot be written to {to}: {error}. Check rights and space.") from error
        return to

    def verify(self, digest: str) -> int:
        """Read everything that the artifact names and check it. Returns the number of bytes read."""
        num_bytes = 0
        for part in [digest, *(part for part, _ in (self.files(digest) or {}).values())]:
            with self._open(part) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    num_bytes += len(chunk)
        return num_bytes

    @contextlib.contextmanager
    def _open(self, digest: str) -> Iterator[VerifiedReader]:
        with self.backend.open(_checked_digest(digest)) as stream:
            yield VerifiedReader(stream, digest, self.backend.where(digest))

    def _write(self, digest: str, files: dict[str, tuple[str, int]] | None, path: Path) -> None:
        if files is None:
            self._write_file(digest, path)
            return
        path.mkdir()
        for name, (file_digest, _) in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            self._write_file(file_digest, path / name)

    def _write_file(self, digest: str, path: Path) -> None:
        with self._open(digest) as stream, path.open("xb") as out:
            while chunk := stream.read(CHUNK_BYTES):
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())


def open_store(
    url: str,
    *,
    access_key: str | None = None,
    secret_key: str | None = None,
    region: str = "us-east-1",
    secure: bool = True,
) -> ArtifactStore:
    """Open `file:///folder` or `s3://host:port/bucket/prefix`, made when absent (a bucket: versioned).

    Raises ArtifactError when the URL is not one of these or the place cannot be reached.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.strip("/"):
        from datastore.file_store import FileBackend

        return ArtifactStore(url, FileBackend(Path(urllib.parse.unquote(parts.path))))
    bucket, _, prefix = parts.path.strip("/").partition("/")
    if parts.scheme == "s3" and parts.netloc and bucket and "@" not in parts.netloc:
        from datastore.s3_store import S3Backend

        backend = S3Backend(
            parts.netloc,
            bucket,
            prefix,
            access_key=access_key,
            secret_key=secret_key,
            region=region,
            secure=secure,
        )
        return ArtifactStore(url, backend)
    raise ArtifactError(
        f"{url!r} is not an artifact store: use file:///absolute/folder or s3://host:port/bucket/prefix"
        " (credentials are settings of their own, not part of the URL)."
    )


def digest_of_bytes(data: bytes) -> str:
    """The identity of these bytes: `sha256:<hex>`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_of_file(path: Path) -> tuple[str, int]:
    """A file's digest and size in bytes. Raises ArtifactError when it cannot be read."""
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be stored: {error}.") from error
    return f"sha256:{digest.hexdigest()}", size_bytes


def digest_of_folder(path: Path) -> str:
    """The digest that `put_folder` would give, without storing anything."""
    return digest_of_bytes(_manifest({name: digest_of_file(path / name) for name in _files_under(path)}))


def sync_folder(path: Path) -> None:
    """Make renames inside a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checked_digest(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise ArtifactError(f"{digest!r} is not a digest: expected sha256: and 64 hex digits.")
    return digest


def _files_under(folder: Path) -> list[str]:
    """Names of all files, with /, sorted by code point. Empty folders have no identity and are left out."""
    if not folder.is_dir():
        raise ArtifactError(f"{folder} cannot be stored as a folder: there is no such folder.")
    names = []
    for root, folder_names, file_names in os.walk(folder):
        for name in [*folder_names, *file_names]:
            path = Path(root) / name
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise ArtifactError(f"{path} is a link or special file; store a plain copy of it instead.")
        names += [(Path(root) / name).relative_to(folder).as_posix() for name in file_names]
    return sorted(names)


def _manifest(files: dict[str, tuple[str, int]]) -> bytes:
    rows = {name: {"digest": digest, "size": size_bytes} for name, (digest, size_bytes) in files.items()}
    document = {"_type": FOLDER_MEDIA_TYPE, "files": rows}
    try:
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ArtifactError(f"a file name is not valid UTF-8: {error}. Rename the file.") from error


def _read_manifest(data: bytes, where: str) -> dict[str, tuple[str, int]]:
    try:
        rows = json.loads(data)["files"]
        files = {name: (_checked_digest(row["digest"]), int(row["size"])) for name, row in rows.items()}
    except (ValueError, KeyError, TypeError, ArtifactError) as error:
        raise CorruptArtifact(f"{where}: not a folder manifest ({error!r}).") from error
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or str(path) != name:
            raise CorruptArtifact(f"{where}: the manifest names a file outside its folder: {name!r}.")
    return dict(sorted(files.items()))
