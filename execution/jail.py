"""Inside the jail: the warm interpreter (zygote) that forks one process per request and reports how it ended.

It speaks on descriptor 0, a socket whose other end only the sandbox holds. A request is `REQUEST` (size, CPU and
wall limit in ms) and that many bytes of JSON; the answer is `ANSWER` and the record, copied unread from a memory file
that was made before the fork. The zygote itself never runs a program's code.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import struct
import sys
import time
import types
import warnings
from collections.abc import Callable
from typing import Any

from execution.limits import Limits
from execution.rehearsal import rehearse
from execution.residue import SHAREABLE, Residue
from execution.runner import Forked, Watch
from execution.seccomp import Filter, supported

REQUEST = struct.Struct("!III")
# wait status, CPU µs, wall µs, the limit that ended it (0: none, 1: wall, 2: CPU), bytes printed, bytes of record
ANSWER = struct.Struct("!iQQBQI")
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 2, 4, 32
_CAPABILITY_VERSION_3 = 0x20080522
WRITABLE = "/tmp"  # where a jail lets a program write, if it does
FAILED = 99  # exit status of a process that could not even start
_RESULT_FD = 60  # high, so that a program's first open file is 3 as usual
_OUTPUT_FD = 61


def serve() -> None:
    """Serve requests until the other end is closed."""
    configuration = json.loads(_read_frame())
    limits = Limits(**configuration["limits"])
    _warm_up(configuration["path"], configuration["imports"])
    watch = Watch()
    residue = Residue()
    prctl = _prctl()
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.environ.clear()
    null = os.open(os.devnull, os.O_RDWR)
    sys.modules["__main__"] = types.ModuleType("__main__")
    if configuration["mounted"]:
        limit_folder(WRITABLE, limits)
    install = _install_filter(configuration["seccomp_required"], files=configuration["files"])
    os.dup2(null, 2)
    os.close(null)
    ready = {"version": sys.version, "hash": hash("stepcode"), "uid": os.getuid(), "seccomp": install is not None}
    _answer(0, 0, 0, 0, 0, json.dumps(ready).encode())
    rehearse(configuration["rehearsal"], limits, watch, residue)
    gc.collect()
    gc.freeze()
    forked = Forked(limits, watch, residue, install)
    while True:
        size, cpu_ms, wall_ms = REQUEST.unpack(_read_exactly(REQUEST.size))
        _serve_one(_read_exactly(size), cpu_ms, wall_ms, forked, prctl, limits.record_bytes)


def _warm_up(path: list[str], imports: list[str]) -> None:
    """Import what every program may use, and the packages that were asked for."""
    for name in sorted(SHAREABLE):
        importlib.import_module(name)
    warnings.filterwarnings("ignore", category=SyntaxWarning)
    sys.argv[:] = [""]
    sys.path[:] = [entry for entry in sys.path if entry] + path
    for name in imports:
        importlib.import_module(name)


def _install_filter(required: bool, *, files: bool) -> Callable[[], None] | None:
    """Put this process under the long filter; gives what puts a forked one under the short one too."""
    try:
        if not supported():
            raise OSError("no seccomp filter is known for this machine's architecture")
        both = Filter(files=files)
        both.install_in_zygote()
    except OSError:
        if required:
            raise
        return None
    return both.install_in_program


def limit_folder(folder: str, limits: Limits) -> None:
    """Bound a tmpfs that is mounted at `folder` in bytes and inodes, then give up all capabilities. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount.argtypes = [*[ctypes.c_char_p] * 3, ctypes.c_ulong, ctypes.c_char_p]
    options = f"size={limits.files_bytes},nr_inodes={limits.num_inodes}".encode()
    no_capabilities = (ctypes.c_uint32 * 6)()
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    for done in (
        libc.mount(b"tmpfs", folder.encode(), b"tmpfs", _MS_REMOUNT | _MS_NOSUID | _MS_NODEV, options),
        libc.capset(header, no_capabilities),
    ):
        if done:
            raise OSError(ctypes.get_errno(), f"{folder} cannot be limited")


def die_with(parent: int, prctl: Any) -> None:
    """Have this process killed when `parent`, which forked it, is gone; end at once where it is gone already."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(FAILED)


def _prctl() -> Any:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    return prctl


def _serve_one(data: bytes, cpu_ms: int, wall_ms: int, forked: Forked, prctl: Any, record_bytes: int) -> None:
    record_fd = os.memfd_create("record", os.MFD_CLOEXEC)
    output_fd = os.memfd_create("output", os.MFD_CLOEXEC)
    started = _now_us()
    zygote = os.getpid()
    pid = forked.fork()
    if pid == 0:
        try:
            die_with(zygote, prctl)
            os.dup2(record_fd, _RESULT_FD, False)
            os.dup2(output_fd, _OUTPUT_FD, False)
            os.dup2(2, 0)
            os.closerange(3, _RESULT_FD)
            forked.run_and_exit(json.loads(data), _RESULT_FD, _OUTPUT_FD)
        finally:
            os._exit(FAILED)
    status, usage, ended_by = _wait(pid, cpu_ms, wall_ms)
    wall_us = _now_us() - started
    record = os.pread(record_fd, record_bytes, 0)
    printed = os.fstat(output_fd).st_size
    os.close(record_fd)
    os.close(output_fd)
    cpu_us = round((usage.ru_utime + usage.ru_stime) * 1e6)
    _answer(status, cpu_us, wall_us, ended_by, printed, record)


def _wait(pid: int, cpu_ms: int, wall_ms: int) -> tuple[int, resource.struct_rusage, int]:
    """Wait for the process; kill it at the CPU or the wall limit, or when the sandbox is gone."""
    pidfd = os.pidfd_open(pid)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    poller.register(0, select.POLLIN | select.POLLHUP | select.POLLRDHUP)
    clock = (~pid << 3) | 2  # the process's CPU time clock, as clock_getcpuclockid(3) makes it
    deadline = _now_us() // 1000 + wall_ms
    ended = gone = False
    ended_by = 0
    while not ended and not gone and not ended_by:
        left = deadline - _now_us() // 1000
        # One thread uses no more CPU time than passes: there is nothing to look at before.
        left_cpu = cpu_ms - int(time.clock_gettime(clock) * 1000)
        if left <= 0 or left_cpu <= 0:
            ended_by = 2 if left_cpu <= 0 else 1
        else:
            ready = dict(poller.poll(min(left, left_cpu)))
            ended = pidfd in ready
            gone = not ended and 0 in ready
    os.close(pidfd)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    if gone:
        os._exit(0)
    return status, usage, ended_by


def _now_us() -> int:
    return time.monotonic_ns() // 1000


def _answer(status: int, cpu_us: int, wall_us: int, ended_by: int, printed: int, record: bytes) -> None:
    data = memoryview(ANSWER.pack(status, cpu_us, wall_us, ended_by, printed, len(record)) + record)
    while data:
        data = data[os.write(0, data) :]


def _read_frame() -> bytes:
    size, _, _ = REQUEST.unpack(_read_exactly(REQUEST.size))
    return _read_exactly(size)


def _read_exactly(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
