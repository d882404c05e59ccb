"""Sandbox and Verdict: how a job is run, how it can end, and what a backend must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType

from execution.limits import DEFAULT_LIMITS, Limits
from execution.traces import Event


class Verdict(StrEnum):
    """How an execution ended. SANDBOX_FAILED is our own failure: the sample leaves, it is never scored."""

    OK = "ok"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"
    CRASHED = "crashed"
    REFUSED = "refused"
    SANDBOX_FAILED = "sandbox_failed"


@dataclass(frozen=True)
class Job:
    """One execution: module text, the expression evaluated in it, and what to record.

    `anchor_lines` are the lines (1-based, of `source`) whose `print(f'NAME: {NAME}')` statement is an anchor:
    its text goes to the states and not to stdout. `events` asks for line events; `watched` are expressions that
    these follow like variables (names, attributes, subscripts, tuples, constants; see `execution.watched`).
    `files` asks for a jail of its own with an empty folder to write in, which goes with the jail.
    """

    source: str
    call: str
    anchor_lines: tuple[int, ...] = ()
    events: bool = False
    watched: tuple[str, ...] = ()
    files: bool = False


@dataclass(frozen=True)
class Observation:
    """What the jail said about one job. All of it is untrusted data: checked for shape and size on receipt."""

    verdict: Verdict
    detail: str = ""
    states: tuple[tuple[int, str], ...] = ()  # (position in anchor_lines, printed text)
    result: str | None = None  # canonical literal text of the value
    result_type: str | None = None
    result_is_literal: bool = False  # True where ast.literal_eval(result) gives the value back
    exception: tuple[str, str] | None = None
    stdout: str = ""
    arguments_after: tuple[str, ...] = ()  # canonical texts of the call's arguments after the call
    events: tuple[Event, ...] = ()
    events_cut: bool = False
    cpu_s: float = 0.0
    wall_s: float = 0.0
    flags: tuple[str, ...] = field(default=())  # what was noticed: names of `execution.records.FLAGS`
    random_state: str | None = None  # of the shared random generator after the run, where the program used it


class SandboxError(RuntimeError):
    """No sandbox of the kind asked for can be had here; the message says what to install or set."""


class Sandbox(ABC):
    """A jail that runs jobs one after another, each in a process of its own, under one hash seed."""

    isolated: bool
    name: str

    def __init__(self, hash_seed: int = 0, limits: Limits = DEFAULT_LIMITS, packages: tuple[str, ...] = ()) -> None:
        self.hash_seed = hash_seed
        self.limits = limits
        self.packages = packages

    @abstractmethod
    def run(self, job: Job) -> Observation:
        """Run one job in a process of its own. Never raises for what the program does."""

    @abstractmethod
    def run_together(self, jobs: Sequence[Job]) -> list[Observation]:
        """Run trusted-alike jobs (same source, other inputs) in one process, each in a fresh namespace.

        An anomaly (anything but OK or EXCEPTION, or anything flagged) is re-run alone as with `run`.
        """

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


def open_sandbox(
    backend: str = "bubblewrap",
    hash_seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    packages: tuple[str, ...] = (),
) -> Sandbox:
    """The named backend, or SandboxError saying what is missing; there is no silent fallback.

    Programs see the standard library and those of `packages` (distributions, such as "numpy") that are installed.
    "bubblewrap" isolates; "local" does not isolate, is for trusted programs only and must be asked for.
    """
    if backend == "bubblewrap":
        from execution.bubblewrap import BubblewrapSandbox

        return BubblewrapSandbox(hash_seed, limits, packages)
    if backend == "local":
        from execution.local import LocalSandbox

        return LocalSandbox(hash_seed, limits, packages)
    raise SandboxError(f"unknown sandbox backend {backend!r}; the backends are 'bubblewrap' and 'local'")
