"""CPU seconds of everything that a measurement starts: this process, its ended children, sandboxes and theirs."""

from __future__ import annotations

import resource
from collections.abc import Sequence

import psutil

from execution.sandbox import Sandbox
from execution.zygote import ZygoteSandbox
from infra.processes import descendants


def cpu_s(sandboxes: Sequence[Sandbox] = ()) -> float:
    """Of this process and its ended children, exactly; of sandboxes that run on, to one tick (10 ms)."""
    own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    jails = [sandbox.process_id for sandbox in sandboxes if isinstance(sandbox, ZygoteSandbox)]
    return own + sum(family_cpu_s(psutil.Process(process_id)) for process_id in jails if process_id is not None)


def family_cpu_s(parent: psutil.Process) -> float:
    """CPU seconds of a running process, its ended children, and the same of its running descendants."""
    total = 0.0
    for process in (parent, *descendants(parent)):
        try:
            total += sum(process.cpu_times()[:4])  # user, system, and both of children that were waited for
        except psutil.NoSuchProcess:  # ended meanwhile: it is its parent's by now
            continue
    return total
