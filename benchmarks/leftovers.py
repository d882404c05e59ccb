"""What a process and its jails hold at one moment: processes, descriptors, memory, files, mounts."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from execution.sandbox import Sandbox
from execution.zygote import ZygoteSandbox
from infra.processes import descendants

_PR_SET_CHILD_SUBREAPER = 36
_SHARED_FOLDERS = ("/tmp", "/dev/shm", "/var/tmp")
_UNPRIVILEGED = 65534


@dataclass(frozen=True)
class Holdings:
    """`jail_kib`, `jail_descriptors` are those of the warm interpreter; -1 where they cannot be read."""

    num_processes: int
    num_descriptors: int
    rss_kib: int
    jail_kib: int
    jail_descriptors: int
    num_files: int
    num_mounts: int


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Every descendant that loses its parent becomes a child of this process, so that none gets out of sight."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def holdings(sandboxes: Sequence[Sandbox], own_folder: Path) -> Holdings:
    """`own_folder` is where this process puts temporary files; the first sandbox's warm interpreter is looked at."""
    interpreter = _warm_interpreter(sandboxes[0])
    _bury([sandbox.process_id for sandbox in sandboxes if isinstance(sandbox, ZygoteSandbox)])
    return Holdings(
        num_processes=len(descendants(psutil.Process())),
        num_descriptors=_num_descriptors(psutil.Process()),
        rss_kib=rss_kib(psutil.Process()),
        jail_kib=rss_kib(interpreter) if interpreter else -1,
        jail_descriptors=_num_descriptors(interpreter) if interpreter else -1,
        num_files=num_files(own_folder),
        num_mounts=len(Path("/proc/self/mountinfo").read_text().splitlines()),
    )


def _bury(living: Sequence[int | None]) -> None:
    """Take note of the adopted processes that have ended, as the first process of a machine does."""
    for process in descendants(psutil.Process()):
        if process.pid in living:
            continue
        try:
            os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:  # a child of a child
            continue


def rss_kib(process: psutil.Process) -> int:
    return process.memory_info().rss >> 10


def num_files(own_folder: Path) -> int:
    """Files in `own_folder` and, of the user that jails run as, in the folders that everyone writes to."""
    jail_user = _UNPRIVILEGED if os.getuid() == 0 else None
    count = sum(1 for _ in own_folder.rglob("*"))
    if jail_user is None:  # the jail's user is this one, whose files there may be anything's
        return count
    for folder in map(Path, _SHARED_FOLDERS):
        for entry in os.scandir(folder) if folder.is_dir() else ():
            try:
                count += entry.stat(follow_symlinks=False).st_uid == jail_user
            except OSError:
                continue
    return count


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the least-squares line through (x, y); 0 for fewer than two different x."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x, mean_y = (sum(point[axis] for point in points) / count for axis in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def _num_descriptors(process: psutil.Process) -> int:
    try:
        return process.num_fds()
    except psutil.Error:
        return -1


def _warm_interpreter(sandbox: Sandbox) -> psutil.Process | None:
    """The last of the jail's processes: bubblewrap is a chain that ends in the warm interpreter."""
    if not isinstance(sandbox, ZygoteSandbox) or sandbox.process_id is None:
        return None
    jail = psutil.Process(sandbox.process_id)
    return [jail, *descendants(jail)][-1]
