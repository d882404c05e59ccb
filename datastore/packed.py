"""Files as one stream of bytes, an uncompressed tar that is never written to disk: the same for the same files.

For things that are stored to be removed again, such as checkpoints: as one object they share no bytes with others.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

_CHUNK_BYTES = 1 << 20


class PackedFiles(io.RawIOBase):
    """Reads as a tar of files, name -> path, by name, without times, modes and owners.

    FileNotFoundError where a file is gone when its turn comes; ValueError where one has become shorter.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._parts = _parts(files)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self._rest + b"".join(self._parts)
        while len(self._rest) < size and (part := next(self._parts, b"")):
            self._rest += part
        chunk, self._rest = self._rest[:size], self._rest[size:]
        return chunk


def _parts(files: Mapping[str, Path]) -> Iterator[bytes]:
    for name, path in sorted(files.items()):
        header = tarfile.TarInfo(name)
        header.size = path.stat().st_size
        yield header.tobuf(tarfile.PAX_FORMAT)
        with path.open("rb") as file:
            left = header.size
            while left:
                chunk = file.read(min(left, _CHUNK_BYTES))
                if not chunk:
                    raise ValueError(f"{path} became shorter while it was read")
                left -= len(chunk)
                yield chunk
        yield bytes(-header.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def unpack(stream: io.RawIOBase, to: Path) -> None:
    """Write packed files under `to`, and read the stream to its end."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        archive.extractall(to, filter="data")
    with contextlib.suppress(EOFError):
        while stream.read(_CHUNK_BYTES):
            pass
