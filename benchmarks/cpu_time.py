"""CPU seconds of everything that a measurement starts: this process, its ended children, sandboxes and theirs."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import children
from execution.sandbox import Sandbox
from execution.zygote import ZygoteSandbox

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(sandboxes: Sequence[Sandbox] = ()) -> float:
    """Of this process and its ended children, exactly; of sandboxes that run on, to one tick (10 ms)."""
    own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    jails = [sandbox.process_id for sandbox in sandboxes if isinstance(sandbox, ZygoteSandbox)]
    return own + sum(family_cpu_s(process_id) for process_id in jails if process_id is not None)


def family_cpu_s(process_id: int) -> float:
    """CPU seconds of a running process, its ended children, and the same of its running children."""
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # ended meanwhile: it is its parent's by now
        return 0.0
    return sum(map(int, fields[11:15])) * TICK_S + sum(family_cpu_s(child) for child in children(process_id))
