"""Executions per CPU-second, in one run: fresh interpreters, fresh jails, tracing in this process, and the sandbox.

    STEPCODE_BENCHMARKS=FOLDER python -m benchmarks.sandbox_speed [--programs 400] [--rounds 3]

CRUXEval's programs where the folder is given, a small one of our own with many inputs else. The ways take turns, so
that what else the machine does falls on all alike. CPU time is that of everything involved: this process, the jail's
processes and the programs; each way compares every result with the known one. Wall time depends on the machine's load.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cpu_time import cpu_s
from benchmarks.in_process import bare, traced
from execution.anchors import instrument
from execution.sandbox import Job, Sandbox, open_sandbox
from execution.values import equal_literals
from execution.zygote import CODE_FOLDER, INTERPRETER, INTERPRETER_OPTIONS, ZygoteSandbox

NUM_INPUTS = 10
FRESH_SHARE = 8  # one in so many programs is run in a fresh interpreter or jail: these are slow, and all alike
NUM_FORKS = 300
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


@dataclass(frozen=True)
class Known:
    """A program, its anchored twin, and the text of its result."""

    job: Job
    anchored: Job
    expected: str

    @property
    def events(self) -> Job:
        return Job(self.job.source, self.job.call, events=True)


@dataclass
class Way:
    """One way of running programs: `run` runs all, `num_runs` executions, and gives the number of wrong results."""

    label: str
    run: Callable[[], int]
    num_runs: int
    sandboxes: tuple[Sandbox, ...] = ()
    cpu_s: float = field(default=0.0)
    wall_s: float = field(default=0.0)
    num_wrong: int = field(default=0)
    num_rounds: int = field(default=0)

    def measure(self) -> None:
        started_cpu, started = cpu_s(self.sandboxes), time.perf_counter()
        self.num_wrong += self.run()
        self.cpu_s += cpu_s(self.sandboxes) - started_cpu
        self.wall_s += time.perf_counter() - started
        self.num_rounds += 1

    @property
    def each_s(self) -> float:
        return self.cpu_s / (self.num_runs * self.num_rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    folder = os.environ.get("STEPCODE_BENCHMARKS")
    programs = cruxeval(Path(folder), given.programs) if folder else small(given.programs)
    with open_sandbox("bubblewrap") as sandbox:
        assert isinstance(sandbox, ZygoteSandbox)
        ways = all_ways(sandbox, programs)
        floors = []
        for _ in range(given.rounds):
            for way in ways:
                way.measure()
            floors.append(fork_floor_s())
    what = "CRUXEval" if folder else "one small program with many inputs"
    print(f"{len(programs)} programs ({what}), {given.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    print(table(ways, sum(floors) / len(floors)))


def all_ways(sandbox: ZygoteSandbox, programs: Sequence[Known]) -> list[Way]:
    few = programs[::FRESH_SHARE]
    command = list(sandbox.start.command)[:-1]  # bubblewrap around an interpreter, without the warm one's code
    size, together = len(programs), len(programs) * NUM_INPUTS
    jails = (sandbox,)
    return [
        Way("fresh python per program", lambda: fresh(few, [sys.executable], None), len(few)),
        Way("fresh python -I -S per program", lambda: fresh(few, [str(INTERPRETER), "-I", "-S"], None), len(few)),
        Way("fresh bubblewrap jail per program", lambda: fresh(few, command, {}), len(few)),
        Way("sandbox, fork per program", lambda: alone(sandbox, programs, "job"), size, jails),
        Way("sandbox, fork per program, anchors", lambda: alone(sandbox, programs, "anchored"), size, jails),
        Way("sandbox, fork per program, all lines", lambda: alone(sandbox, programs, "events"), size, jails),
        Way("sandbox, 10 inputs per fork, anchors", lambda: many(sandbox, programs, "anchored"), together, jails),
        Way("sandbox, 10 inputs per fork, all lines", lambda: many(sandbox, programs, "events"), together, jails),
        Way("in this process, all lines (ExecVerify)", lambda: in_process(programs, True), size),
        Way("in this process, bare (the ceiling)", lambda: in_process(programs, False), size),
    ]


def table(ways: Sequence[Way], floor_s: float) -> str:
    """Ratios are to the first two ways."""
    usual, least = ways[0].each_s, ways[1].each_s
    lines = [f"{'':41}{'per CPU-s':>10}{'CPU ms':>8}{'wall ms':>8}{'x python':>10}{'x -I -S':>9}{'wrong':>7}"]
    for way in ways:
        each, wall = way.each_s, way.wall_s / (way.num_runs * way.num_rounds)
        ratios = f"{usual / each:10.1f}{least / each:9.1f}"
        lines.append(f"{way.label:41}{1 / each:10,.0f}{each * 1000:8.2f}{wall * 1000:8.2f}{ratios}{way.num_wrong:7}")
    ratios = f"{usual / floor_s:10.1f}{least / floor_s:9.1f}"
    lines.append(f"{'floor: fork, exit, wait, nothing else':41}{1 / floor_s:10,.0f}{floor_s * 1000:8.2f}{'':8}{ratios}")
    return "\n".join(lines)


def fresh(programs: Sequence[Known], command: Sequence[str], environment: dict[str, str] | None) -> int:
    """A new interpreter for each program, as EvalPlus and LiveCodeBench have it; the printed result is compared."""
    wrong = 0
    for program in programs:
        code = f"{program.job.source}\nprint(repr({program.job.call}))"
        ended = subprocess.run(
            [*command, "-c", code], capture_output=True, text=True, env=environment, cwd="/", check=False
        )
        wrong += not _is_equal(ended.stdout.strip().rpartition("\n")[2], program.expected)
    return wrong


def alone(sandbox: Sandbox, programs: Sequence[Known], kind: str) -> int:
    return sum(not _is_equal(sandbox.run(getattr(one, kind)).result, one.expected) for one in programs)


def many(sandbox: Sandbox, programs: Sequence[Known], kind: str) -> int:
    wrong = 0
    for one in programs:
        seen = sandbox.run_together([getattr(one, kind)] * NUM_INPUTS)
        wrong += sum(not _is_equal(observation.result, one.expected) for observation in seen)
    return wrong


def in_process(programs: Sequence[Known], is_traced: bool) -> int:
    wrong = 0
    for one in programs:
        source, call = one.job.source, one.job.call
        result = traced(source, call)[0] if is_traced else bare(source, call)
        wrong += not _is_equal(repr(result), one.expected)
    return wrong


def fork_floor_s() -> float:
    """CPU seconds of one fork of an interpreter as warm as the jail's, which then does nothing."""
    script = Path(__file__).with_name("fork_floor.py")
    command = [str(INTERPRETER), *INTERPRETER_OPTIONS, str(script), str(CODE_FOLDER), str(NUM_FORKS)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "0"}, cwd="/")
    return float(said.stdout)


def small(count: int) -> list[Known]:
    calls = [f"f({['ab' * (n % 7), 'cde', 'f'] * 4!r}, {10 + n % 20})" for n in range(count)]
    return [_known(SMALL, call, repr(bare(SMALL, call))) for call in calls]


def cruxeval(folder: Path, count: int) -> list[Known]:
    """CRUXEval's development programs: what they give is known from the benchmark."""
    rows = [json.loads(line) for path in sorted((folder / "cruxeval").glob("*.jsonl")) for line in path.open()]
    if not rows:
        sys.exit(f"no cruxeval/*.jsonl in {folder}: set STEPCODE_BENCHMARKS to the folder that holds it")
    return [_known(row["code"], f"f({row['input']})", row["output"]) for row in rows[:count]]


def _known(source: str, call: str, expected: str) -> Known:
    placed = instrument(source)
    return Known(Job(source, call), Job(placed.source, call, placed.anchor_lines), expected)


def _is_equal(result: str | None, expected: str) -> bool:
    return result == expected or bool(result and equal_literals(result, expected))


if __name__ == "__main__":
    main()
