"""Executions per CPU-second, in one run: a fresh interpreter each, a fresh jail each, and the warm sandboxes.

    python -m benchmarks.sandbox_speed [--programs N] [--cruxeval FOLDER]

CPU time is that of everything involved: this process, the jail's processes and the programs. Wall time depends on
what else the machine does; ratios of CPU time hardly do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from execution.anchors import instrument
from execution.sandbox import Job, Sandbox, open_sandbox
from execution.zygote import INTERPRETER, ZygoteSandbox

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SMALL = """
def f(words, width):
    lines, line = [], ''
    for word in words:
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f'{line} {word}'.strip()
    if line:
        lines.append(line)
    return lines
"""
NUM_INPUTS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--cruxeval", type=Path, help="a folder with CRUXEval's rows as *.jsonl")
    given = parser.parse_args()
    jobs = cruxeval_jobs(given.cruxeval, given.programs) if given.cruxeval else small_jobs(given.programs)
    few = jobs[: max(1, len(jobs) // 10)]
    print(f"{len(jobs)} programs, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs")
    print(f"{'':44}{'per CPU-second':>16}{'CPU ms':>9}{'wall ms':>9}{'ratio':>8}")
    fresh = row("fresh python -I -S per program", partial(fresh_python, few, ["-I", "-S"]), len(few), None, None)
    row("fresh python per program", partial(fresh_python, few, []), len(few), None, fresh)
    row("fresh bubblewrap jail per program", lambda: fresh_jails(few), len(few), None, fresh)
    for backend in ("local", "bubblewrap"):
        with open_sandbox(backend) as sandbox:
            measure(sandbox, jobs, fresh)
    row("bare exec in this process (the ceiling)", lambda: bare(jobs), len(jobs), None, fresh)


def measure(sandbox: Sandbox, jobs: Sequence[Job], fresh: float) -> None:
    anchored = [anchored_job(job) for job in jobs]
    events = [Job(job.source, job.call, events=True) for job in jobs]
    for label, work in (("", jobs), (", anchors", anchored), (", line events", events)):
        shown = f"{sandbox.name}, fork per program{label}"
        row(shown, partial(run_alone, sandbox, work), len(jobs), sandbox, fresh)
    for label, work in ((", anchors", anchored), (", line events", events)):
        shown = f"{sandbox.name}, {NUM_INPUTS} inputs per fork{label}"
        row(shown, partial(run_together, sandbox, work), len(jobs) * NUM_INPUTS, sandbox, fresh)


def row(label: str, work: Callable[[], None], count: int, sandbox: Sandbox | None, fresh: float | None) -> float:
    """Print one line; gives CPU seconds per execution."""
    started_cpu, started = cpu_s(sandbox), time.perf_counter()
    work()
    each = (cpu_s(sandbox) - started_cpu) / count
    wall = (time.perf_counter() - started) / count
    ratio = (fresh or each) / each
    print(f"{label:44}{1 / each:16.0f}{each * 1000:9.2f}{wall * 1000:9.2f}{ratio:8.1f}", flush=True)
    return each


def cpu_s(sandbox: Sandbox | None) -> float:
    """CPU seconds of this process, its ended children and the sandbox's processes with theirs."""
    own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    if isinstance(sandbox, ZygoteSandbox) and sandbox.process_id is not None:
        own += _family_cpu_s(sandbox.process_id)
    return own


def _family_cpu_s(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
    return sum(map(int, fields[11:15])) * TICK_S + sum(_family_cpu_s(int(child)) for child in children)


def fresh_python(jobs: Sequence[Job], options: list[str]) -> None:
    for job in jobs:
        code = f"{job.source}\nprint(repr({job.call}))"
        subprocess.run([INTERPRETER, *options, "-c", code], capture_output=True, check=True)


def fresh_jails(jobs: Sequence[Job]) -> None:
    """Bubblewrap around a fresh interpreter, which gets the program alone: the jail's command without its code."""
    with open_sandbox("bubblewrap") as sandbox:
        assert isinstance(sandbox, ZygoteSandbox)
        command = list(sandbox.start.command)[:-1]
    for job in jobs:
        code = f"{job.source}\nprint(repr({job.call}))"
        subprocess.run([*command, "-c", code], capture_output=True, check=True, env={}, cwd="/")


def run_alone(sandbox: Sandbox, jobs: Sequence[Job]) -> None:
    for job in jobs:
        sandbox.run(job)


def run_together(sandbox: Sandbox, jobs: Sequence[Job]) -> None:
    for job in jobs:
        sandbox.run_together([job] * NUM_INPUTS)


def bare(jobs: Sequence[Job]) -> None:
    for job in jobs:
        namespace: dict[str, object] = {}
        exec(job.source, namespace)
        eval(job.call, namespace)


def anchored_job(job: Job) -> Job:
    placed = instrument(job.source)
    return Job(placed.source, job.call, placed.anchor_lines)


def small_jobs(count: int) -> list[Job]:
    return [Job(SMALL, f"f({['ab' * (n % 7), 'cde', 'f'] * 4!r}, {10 + n % 20})") for n in range(count)]


def cruxeval_jobs(folder: Path, count: int) -> list[Job]:
    rows = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.open()]
    return [Job(row["code"], f"f({row['input']})") for row in rows[:count]]


if __name__ == "__main__":
    main()
