"""Run the `stepcode` command as a user does: a process of its own, in a home folder of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.services.processes import ROOT, clean_environment

SMOKE = Path(__file__).parent / "smoke.toml"
BENCHMARKS = Path(__file__).parent / "benchmarks"  # rows of our own in CRUXEval's format
DEADLINE_S = 600.0


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Home:
    """A home folder, and commands run in it; `variables` add to the environment."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        ours = {"STEPCODE_HOME": str(self.folder), "STEPCODE_BENCHMARKS": str(BENCHMARKS)}
        return {**clean_environment(), **ours, "NO_COLOR": "1", "COLUMNS": "200", **self.variables}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The running command, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "stepcode", *arguments],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, deadline_s: float = DEADLINE_S) -> Ended:
        """The command, run to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=deadline_s)
        return Ended(process.returncode, out, err)

    def train(self, *arguments: str) -> Ended:
        """The main job with the smoke recipe."""
        return self.run("train", "--recipe", str(SMOKE), *arguments)

    @property
    def database_url(self) -> str:
        return self.variables.get("STEPCODE_DATABASE_URL") or f"sqlite:///{self.folder / 'stepcode.db'}"
