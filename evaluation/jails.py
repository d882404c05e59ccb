"""Jails: the sandboxes that judges run things in, each opened once, when it is first needed."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType

from execution.limits import DEFAULT_LIMITS, Limits
from execution.sandbox import Sandbox, open_sandbox


class Jails:
    """A context manager; `get` opens the sandbox of some limits and packages, or gives the one that is open."""

    def __init__(self, backend: str = "bubblewrap") -> None:
        self.backend = backend
        self._open: dict[tuple[Limits, tuple[str, ...], int], Sandbox] = {}
        self._stack = ExitStack()

    def get(self, limits: Limits = DEFAULT_LIMITS, packages: tuple[str, ...] = (), hash_seed: int = 0) -> Sandbox:
        """Raises SandboxError where the backend can't be had."""
        key = limits, packages, hash_seed
        if key not in self._open:
            sandbox = open_sandbox(self.backend, hash_seed, limits, packages)
            self._open[key] = self._stack.enter_context(sandbox)
        return self._open[key]

    def __enter__(self) -> Jails:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.clear()
        self._stack.close()
