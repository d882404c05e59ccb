"""The process environment that every part of Stepcode wants: offline, quiet, and sparing with threads.

It has to be set before Prefect, Ray and torch are imported, and is inherited by what is started from here.
"""

from __future__ import annotations

import os
from pathlib import Path

from infra.settings import Settings

FIXED = {
    # No telemetry: Prefect has two switches, one for its client and one for its server.
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "GX_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PREFECT_CLI_PROMPT": "false",
    # The 20 s that Prefect allows its own server by default are too few on a busy machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # Spinning OpenMP threads made an update ten times slower on shared cores.
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    # Ray warns of a coming change of this default.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def prepare_environment(settings: Settings) -> None:
    """Set what is not set yet; Prefect's own files go to the home folder."""
    for name, value in FIXED.items():
        os.environ.setdefault(name, value)
    prefect_home = Path(os.environ.setdefault("PREFECT_HOME", str(settings.home.resolve() / "prefect")))
    prefect_home.mkdir(parents=True, exist_ok=True)
