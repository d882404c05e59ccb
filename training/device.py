"""The device that a plan is compared with: what nvidia-smi lists, asked without touching a GPU."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
QUERY_S = 10


@dataclass(frozen=True)
class Device:
    """What a plan is compared with."""

    count: int | None
    gib: float | None
    source: str


def this_device() -> Device:
    """The GPUs that nvidia-smi lists (the smallest counts), or the memory of the machine where there is none."""
    command = shutil.which("nvidia-smi")
    if command:
        query = [command, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        try:
            listed = subprocess.run(query, capture_output=True, text=True, timeout=QUERY_S, check=True).stdout.split()
        except (subprocess.SubprocessError, OSError):
            listed = []
        if listed and all(size.isdigit() for size in listed):
            return Device(len(listed), min(map(int, listed)) / 1024, f"{len(listed)} GPUs of this machine")
    return Device(0, None, "no GPU on this machine")


def host_memory_gib() -> float | None:
    """Memory of this machine, of Linux; None elsewhere."""
    try:
        first = Path("/proc/meminfo").read_text("utf-8").split("\n", 1)[0].split()
    except OSError:
        return None
    return int(first[1]) * 1024 / GIB
