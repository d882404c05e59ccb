"""Places: the sandbox works wherever the project is checked out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (
    "from execution.sandbox import Job, open_sandbox\n"
    "with open_sandbox('bubblewrap') as jail:\n"
    "    print(jail.run(Job('def f(x):\\n    return x + 1\\n', 'f(3)')).result)\n"
)


def test_a_checkout_below_the_temporary_folder_has_a_working_sandbox() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="checkout-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 as a clone made by hand is: everyone may read it
        shutil.copytree(ROOT / "execution", Path(folder) / "execution", ignore=shutil.ignore_patterns("__pycache__"))
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (ended.returncode, ended.stdout) == (0, "4\n"), ended.stderr
