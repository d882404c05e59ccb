"""Starting a server in the foreground, waiting until it answers, ending it whatever happens."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import pytest

from infra.processes import is_running

ROOT = Path(__file__).resolve().parents[2]
STOP_TIMEOUT_S = 10.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class ServiceError(RuntimeError):
    """A server did not start; the message has the end of its log."""


def unavailable(reason: str) -> None:
    """Skip the test with the reason; in CI, where nothing may be left out, fail it."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{reason} (CI=true: no service may be missing)", pytrace=False)
    pytest.skip(reason)


def clean_environment() -> dict[str, str]:
    """This process's variables without settings of ours or of Prefect's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("STEPCODE_", "PREFECT_"))}


def start_python(code: str, **variables: str) -> subprocess.Popen[str]:
    """Python that runs `code` in the project's folder, with pipes to it and from it."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean_environment() | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def all_gone(processes: Sequence[psutil.Process], within_s: float) -> bool:
    """Whether every one of them has ended by then; returns as soon as it has."""
    deadline = time.monotonic() + within_s
    while any(map(is_running, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def short_folder(prefix: str, user: str | None = None) -> Iterator[Path]:
    """A temporary folder directly under /tmp: the path of a Unix socket ends at 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unprivileged_user() -> str | None:
    """The user to drop to where servers refuse to run as root; None when not root."""
    return "nobody" if os.geteuid() == 0 else None


def run_as(command: Sequence[str | Path], user: str | None, *, cwd: Path, timeout_s: float) -> None:
    """Run a command to its end. Raises ServiceError with its output when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        **_identity(user),  # type: ignore[call-overload]
    )
    if done.returncode:
        raise ServiceError(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path,
    user: str | None = None,
    stop_with: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server for the duration of the block. It also ends when this process is killed."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **(environment or {})},
            preexec_fn=_die_with_parent,  # noqa: PLW1509  one call of the C library, no lock taken
            **_identity(user),  # type: ignore[call-overload]
        )
    try:
        yield process
    finally:
        process.send_signal(stop_with)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, timeout_s: float) -> None:
    """Poll until the server is ready. Raises ServiceError when it ends before, or time runs out."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            state = "still starting" if process.returncode is None else f"ended with {process.returncode}"
            tail = log.read_text(errors="replace")[-2000:]
            raise ServiceError(f"{process.args!r} is {state} after {timeout_s} s. End of its log:\n{tail}")
        time.sleep(0.05)


def _identity(user: str | None) -> dict[str, object]:
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _die_with_parent() -> None:
    """Runs in the child, after the change of user (which would clear the setting)."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
