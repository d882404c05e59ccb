"""A home of its own for a benchmark that trains, with the embedded Prefect server; and the size that shows it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from infra.embedded import embedded_server
from infra.settings import load_settings

QUICK: dict[str, Any] = {
    "corpus.programs_per_level": [60, 20, 60, 0, 0, 0],
    "trace.min_traces": 50,
    "sft.updates": 30,
    "sft.evaluate_every": 30,
    "rl.updates": 2,
    "rl.prompts_per_update": 4,
    "evaluation.curve_programs": 8,
}


def use_home(home: Path) -> None:
    """Keep everything of this process under `home`, and wait until its server is there."""
    os.environ["STEPCODE_HOME"] = str(home)
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")
    os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")  # threads beside the flow log too
    embedded_server(load_settings()).wait()
