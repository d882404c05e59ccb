"""The sandbox's side of a warm interpreter: starts it, sends it jobs, replaces it when anything is odd."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from execution.jail import ANSWER, REQUEST
from execution.limits import DEFAULT_LIMITS, Limits
from execution.packages import ENVIRONMENT
from execution.records import TAMPERING, Answer, judge
from execution.rehearsal import SAMPLES
from execution.sandbox import Job, Observation, Sandbox, SandboxError, Verdict

GRACE_S = 30.0  # beyond the wall limit, for the warm interpreter itself to answer
INTERPRETER = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
CODE_FOLDER = Path(__file__).resolve().parent
# -I would ignore PYTHONHASHSEED; these keep out the user's folder, the script's folder and site-packages.
INTERPRETER_OPTIONS = ("-s", "-P", "-S", "-B", "-X", "utf8")


class ZygoteLost(Exception):
    """The warm interpreter is gone or does not speak sense."""


@dataclass(frozen=True)
class Start:
    """How a warm interpreter is started: a command, its whole environment, and what is said where it fails."""

    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    seccomp_required: bool = True
    advice: str = ""
    files: bool = False  # for one job, which may write files
    mounted: bool = True  # the folder to write in is a tmpfs of the jail's own, to be limited
    folder: str = "/"  # where it is started
    path: Sequence[str] = ()  # folders of packages, as the warm interpreter sees them
    imports: Sequence[str] = ()


class Zygote:
    """One running warm interpreter and the socket to it."""

    def __init__(self, start: Start, limits: Limits) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 closed with the zygote
        with theirs:
            try:
                self._process = subprocess.Popen(
                    list(start.command),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=self._errors,
                    env=start.environment,
                    cwd=start.folder,
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                self._errors.close()
                raise SandboxError(f"{start.command[0]} does not start: {error}; {start.advice}") from None
        rehearsal = [] if start.files else [vars(Job(**sample)) for sample in SAMPLES]
        configuration = {
            "seccomp_required": start.seccomp_required,
            "limits": asdict(limits),
            "rehearsal": rehearsal,
            "files": start.files,
            "mounted": start.files and start.mounted,
            "path": start.path,
            "imports": start.imports,
        }
        try:
            self._send(json.dumps(configuration).encode())
            ready = self._receive(time.monotonic() + limits.startup_s, limits)
            json.loads(ready.record)["hash"]
        except (ZygoteLost, ValueError, KeyError, TypeError) as error:
            said = self._said()
            self.close()
            raise SandboxError(f"the sandbox does not start: {said or error}; {start.advice}") from None

    def _said(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._errors.seek(0)
        lines = self._errors.read(100_000).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def process_id(self) -> int:
        return self._process.pid

    def exchange(self, request: bytes, limits: Limits) -> Answer:
        """Have one request run. Raises ZygoteLost, after which this object is of no more use."""
        self._send(request, round(limits.cpu_s * 1000), round(limits.wall_s * 1000))
        return self._receive(time.monotonic() + limits.wall_s + GRACE_S, limits)

    def _send(self, data: bytes, cpu_ms: int = 0, wall_ms: int = 0) -> None:
        try:
            self._socket.settimeout(GRACE_S)
            self._socket.sendall(REQUEST.pack(len(data), cpu_ms, wall_ms) + data)
        except OSError as error:
            raise ZygoteLost(f"it does not listen: {error}") from None

    def _receive(self, deadline: float, limits: Limits) -> Answer:
        header = self._read(ANSWER.size, deadline)
        status, cpu_us, wall_us, ended_by, num_printed, size = ANSWER.unpack(header)
        if size > limits.record_bytes or ended_by > 2:
            raise ZygoteLost("its answer is malformed")
        record = self._read(size, deadline)
        return Answer(status, cpu_us / 1e6, wall_us / 1e6, ended_by, num_printed, record)

    def _read(self, size: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ZygoteLost("it does not answer")
            try:
                self._socket.settimeout(left)
                part = self._socket.recv(min(size - len(parts), 1 << 20))
            except TimeoutError:
                continue
            except OSError as error:
                raise ZygoteLost(f"it is gone: {error}") from None
            if not part:
                raise ZygoteLost("it is gone")
            parts += part
        return bytes(parts)

    def close(self) -> None:
        """End it: it exits when its socket closes, and is killed where it does not."""
        self._socket.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


class ZygoteSandbox(Sandbox):
    """A sandbox that forks each job from a warm interpreter; how that one is confined is the subclass's part."""

    def __init__(self, hash_seed: int = 0, limits: Limits = DEFAULT_LIMITS, packages: tuple[str, ...] = ()) -> None:
        super().__init__(hash_seed, limits, packages)
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self.start = self._how_to_start()
        self._zygote: Zygote | None = Zygote(self.start, limits)

    @abstractmethod
    def _how_to_start(self, *, files: bool = False) -> Start:
        """The command of the warm interpreter, or of one for a single job that may write files. Raises SandboxError
        where it cannot be had here."""

    @property
    def environment(self) -> dict[str, str]:
        """All that the warm interpreter's environment holds."""
        return {"PYTHONHASHSEED": str(self.hash_seed), **(ENVIRONMENT if self.packages else {})}

    @property
    def process_id(self) -> int | None:
        """The process that holds the jail, None while there is none."""
        return self._zygote.process_id if self._zygote else None

    def run(self, job: Job) -> Observation:
        with self._lock:
            return self._run_alone(job)

    def run_together(self, jobs: Sequence[Job]) -> list[Observation]:
        seen: list[Observation] = []
        with self._lock:
            while len(seen) < len(jobs):
                batch = _that_share(jobs[len(seen) : len(seen) + self.limits.num_together])
                if len(batch) == 1:
                    seen.append(self._run_alone(batch[0]))
                    continue
                several = self._exchange(batch)
                good = [place for place, one in enumerate(several) if not _is_ordinary(one)]
                kept = several[: good[0]] if good else several
                seen += kept
                if not kept and several[0].verdict == Verdict.TIMEOUT:
                    seen.append(several[0])  # it had the process to itself until then
                elif len(kept) < len(several) or not kept:
                    seen.append(self._run_alone(jobs[len(seen)]))
        return seen

    def _run_alone(self, job: Job) -> Observation:
        return (self._run_in_own_jail(job) if job.files else self._exchange([job]))[0]

    def _run_in_own_jail(self, job: Job) -> list[Observation]:
        """A job that writes files, in a jail that is made for it and gone after it."""
        try:
            with contextlib.closing(Zygote(self._how_to_start(files=True), self.limits)) as zygote:
                return self._exchange([job], zygote)
        except SandboxError as error:
            return [Observation(Verdict.SANDBOX_FAILED, str(error))]

    def _exchange(self, jobs: Sequence[Job], own: Zygote | None = None) -> list[Observation]:
        """What was seen of the first jobs (at least one), run in one process, of the warm interpreter or of `own`."""
        nonce = secrets.token_hex(16)
        request = {"nonce": nonce, "jobs": [vars(job) for job in jobs]}
        try:
            data = json.dumps(request).encode("ascii")
        except (TypeError, ValueError) as error:
            raise TypeError(f"a job that is no JSON: {error}") from None
        if len(data) > self.limits.request_bytes:
            if len(jobs) > 1:
                return self._exchange(jobs[: len(jobs) // 2])
            return [Observation(Verdict.REFUSED, f"a program of more than {self.limits.request_bytes} bytes")]
        for last_try in (False, True):
            try:
                answer = (own or self._ready()).exchange(data, self.limits)
            except ZygoteLost as error:
                if own is None:
                    self._replace()
                if last_try or own is not None:
                    return [Observation(Verdict.SANDBOX_FAILED, f"the warm interpreter was lost: {error}")]
                continue
            except SandboxError as error:
                return [Observation(Verdict.SANDBOX_FAILED, str(error))]
            seen = judge(answer, len(jobs), nonce, self.limits)
            seen = seen or [Observation(Verdict.CRASHED, "ended by itself without a record")]
            if own is None and any(_is_odd(one) for one in seen):
                self._replace()
            return seen
        raise AssertionError("unreachable")

    def _ready(self) -> Zygote:
        if os.getpid() != self._owner:
            raise SandboxError("a sandbox cannot be used in a forked copy of the process that opened it")
        if self._zygote is None or not self._zygote.alive:
            self._replace()
            self._zygote = Zygote(self.start, self.limits)
        return self._zygote

    def _replace(self) -> None:
        if self._zygote is not None:
            self._zygote.close()
            self._zygote = None

    def close(self) -> None:
        with self._lock:
            if os.getpid() == self._owner:
                self._replace()


def _that_share(jobs: Sequence[Job]) -> Sequence[Job]:
    """The first jobs that one process may run: none that writes files beside another."""
    writing = next((place for place, job in enumerate(jobs) if job.files), len(jobs))
    return jobs[: max(1, writing)]


def _is_ordinary(seen: Observation) -> bool:
    return seen.verdict in {Verdict.OK, Verdict.EXCEPTION} and not seen.flags


def _is_odd(seen: Observation) -> bool:
    """Whether the warm interpreter is given up after this, to be on the safe side."""
    return seen.verdict in {Verdict.CRASHED, Verdict.SANDBOX_FAILED} or not TAMPERING.isdisjoint(seen.flags)
