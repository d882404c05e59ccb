"""A disk that a test can fill: a small tmpfs where mounting is allowed, else a limit on the size of files."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.training.runs import below

SIZE_BYTES = 24 << 20
ROOM_BYTES = 64 << 10


class SmallDisk(Protocol):
    """`folder` lies on the disk; both calls are of the kernel, nothing is simulated."""

    folder: Path

    def fill(self) -> None: ...

    def free(self) -> None: ...


class SmallTmpfs:
    """Full but for ROOM_BYTES while a file of ballast lies there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
        descriptor = os.open(self.folder / "ballast", os.O_CREAT | os.O_WRONLY)
        os.posix_fallocate(descriptor, 0, max(1, free - ROOM_BYTES))
        os.close(descriptor)

    def free(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)


class SmallFiles:
    """No file of the running stage may grow beyond ROOM_BYTES while it is full (EFBIG instead of ENOSPC)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        self._limit(ROOM_BYTES)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, num_bytes: int) -> None:
        for process in below("training.run"):
            hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (num_bytes, hard))


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield SmallTmpfs(folder) if mounted else SmallFiles(folder)
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
