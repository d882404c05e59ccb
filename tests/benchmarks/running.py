"""Run a benchmark as a user does: a process of its own, with none of this one's settings."""

from __future__ import annotations

import subprocess
import sys

from tests.services.processes import ROOT, clean_environment


def run_python(*arguments: str, **variables: str) -> str:
    """What `python ARGUMENTS` prints; AssertionError with its output where it fails."""
    clean = clean_environment()
    ended = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=clean | variables, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
