"""Child processes of tests: real ones, because being killed is what is tested."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def child(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Python running `program` with `sys.argv[1:] == arguments`; killed, if it still runs, when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process: subprocess.Popen[str], expected: str) -> None:
    """Block until the child says so. Fails with its error output when it ends or says something else."""
    assert process.stdout is not None and process.stderr is not None
    line = process.stdout.readline().strip()
    assert line == expected, f"child said {line!r}: {process.stderr.read()}"
