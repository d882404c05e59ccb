"""Sandboxes for the tests of execution: opened once, with limits low enough to be broken quickly."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from execution.limits import MEBIBYTE, Limits
from execution.sandbox import Sandbox, SandboxError, open_sandbox

LOW_LIMITS = Limits(
    cpu_s=0.4, wall_s=10.0, memory_bytes=256 * MEBIBYTE, output_bytes=MEBIBYTE // 16, record_bytes=2 * MEBIBYTE
)


def open_jail(hash_seed: int = 0, limits: Limits = LOW_LIMITS) -> Sandbox:
    try:
        return open_sandbox("bubblewrap", hash_seed, limits)
    except SandboxError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def jail() -> Iterator[Sandbox]:
    with open_jail() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def jails() -> Iterator[tuple[Sandbox, Sandbox]]:
    """Two isolated sandboxes with ordinary limits under different hash seeds."""
    with open_jail(0, Limits()) as first, open_jail(1, Limits()) as second:
        yield first, second
