"""A program in the background: started in its own process group, recorded in a file, stopped by that record only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from infra.processes import descendants, is_running

POLL_S = 0.2
LOG_TAIL_CHARS = 2000
# The clock may have been set since the start was recorded; the command line is compared as well.
CLOCK_TOLERANCE_S = 10.0


class BackgroundError(RuntimeError):
    """A program did not start or did not end; the message has the end of its log."""


@dataclass(frozen=True)
class Background:
    """A program that was started, as its record file has it; `started` is its start time in seconds since 1970."""

    name: str
    pid: int
    started: float
    command: tuple[str, ...]
    log: str

    @property
    def process(self) -> psutil.Process | None:
        """The very process that was recorded, or None where it has ended (another may have its number by now)."""
        try:
            process = psutil.Process(self.pid)
            # A program that is just being executed has no command line yet.
            if process.status() == psutil.STATUS_ZOMBIE or tuple(process.cmdline()) not in ((), self.command):
                return None
            return process if abs(process.create_time() - self.started) < CLOCK_TOLERANCE_S else None
        except psutil.NoSuchProcess:
            return None

    @property
    def log_tail(self) -> str:
        """The end of what it wrote."""
        return Path(self.log).read_text("utf-8", errors="replace")[-LOG_TAIL_CHARS:].strip()


def start(
    name: str, arguments: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path, records: Path
) -> Background:
    """Start `python ARGUMENTS` detached from this terminal, its output appended to `log`, and record it."""
    command = (sys.executable, *arguments)
    for folder in (log.parent, records):
        folder.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = Background(name, child.pid, psutil.Process(child.pid).create_time(), command, str(log))
    target = _record_path(records, name)
    temporary = target.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(started)) + "\n", "utf-8")
    temporary.replace(target)
    return started


def recorded(records: Path, name: str) -> Background | None:
    """What the record file says; None where there is no record."""
    try:
        raw = json.loads(_record_path(records, name).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return Background(raw["name"], raw["pid"], raw["started"], tuple(raw["command"]), raw["log"])


def wait_until(ready: Callable[[], bool], program: Background, deadline_s: float) -> None:
    """Poll until `ready`; BackgroundError when the program ends before, or the time runs out."""
    deadline = time.monotonic() + deadline_s
    while not ready():
        _reap(program.pid)
        if program.process is None:
            raise BackgroundError(
                f"the {program.name} ended while it started. End of {program.log}:\n{program.log_tail}"
            )
        if time.monotonic() > deadline:
            raise BackgroundError(
                f"the {program.name} is not ready after {deadline_s:.0f} s. End of {program.log}:\n{program.log_tail}"
            )
        time.sleep(POLL_S)


def stop(records: Path, name: str, *, grace_s: float) -> bool:
    """Stop the recorded program with all that it started, and forget it; whether it was still there.

    It is asked with SIGTERM and, after `grace_s`, killed; so are children of its that are left.
    """
    program = recorded(records, name)
    process = program.process if program else None
    if process is not None:
        family = {process, *descendants(process)}
        _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while _alive(process) and time.monotonic() < deadline:
            family.update(descendants(process))
            time.sleep(POLL_S)
        for member in family:
            _signal(member, signal.SIGKILL)
        while any(_alive(member) for member in family):
            if time.monotonic() > deadline + grace_s:
                raise BackgroundError(f"the {name} (process {process.pid}) does not end, not even when killed")
            time.sleep(POLL_S)
    _record_path(records, name).unlink(missing_ok=True)
    return process is not None


def _record_path(records: Path, name: str) -> Path:
    return records / f"{name}.json"


def _alive(process: psutil.Process) -> bool:
    _reap(process.pid)
    return is_running(process)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)  # psutil makes sure that the number still means the same process
    except psutil.NoSuchProcess:
        return


def _reap(pid: int) -> None:
    """Wait for it where it is our own child that has ended; another process's child is none of our business."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
