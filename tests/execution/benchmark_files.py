"""Rows of the benchmark folder, where it is: $STEPCODE_BENCHMARKS, or shared/benchmarks beside the repository."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def benchmark_rows(name: str) -> list[dict[str, Any]]:
    folder = Path(os.environ.get("STEPCODE_BENCHMARKS", Path(__file__).parents[3] / "shared" / "benchmarks"))
    if not (folder / name).exists():
        pytest.skip(f"no {name} in {folder}; set STEPCODE_BENCHMARKS to the folder that holds it")
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]
