"""A soak of the sandbox: many programs, a tenth of them hostile; what is left behind, and whether results are the same.

    python -m benchmarks.soak --size 100000 --out FOLDER [--alone 500] [--table]

One result per program and one sample per `--every` programs are appended to FOLDER as they come; started again with
the same folder, it goes on where it was. At the end, programs drawn at random are run once more, each alone in a
fresh jail, and the table is printed (`--table` prints it of what is there and runs nothing).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import resource
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.leftovers import adopting_orphans, holdings
from benchmarks.soak_programs import Case, case
from benchmarks.soak_table import table
from execution.limits import MEBIBYTE, Limits
from execution.sandbox import Observation, Sandbox, Verdict, open_sandbox

# Low, so that what only a limit ends costs little. The wall limit is far off: a busy machine fails no program.
LIMITS = Limits(
    cpu_s=0.2,
    wall_s=120.0,
    memory_bytes=192 * MEBIBYTE,
    output_bytes=MEBIBYTE // 16,
    record_bytes=4 * MEBIBYTE,
)
IMPATIENT = replace(LIMITS, wall_s=1.0)
# An anchored program may print an object's address, which is another one in each jail.
_ADDRESS = re.compile(r"\bat 0x[0-9a-f]+")


class Jails:
    """Three sandboxes: for what sleeps, for what ends its jail, and one for all else, which is to live on."""

    def __init__(self, stack: ExitStack, backend: str) -> None:
        self.steady = stack.enter_context(open_sandbox(backend, limits=LIMITS))
        self.replaced = stack.enter_context(open_sandbox(backend, limits=LIMITS))
        self.impatient = stack.enter_context(open_sandbox(backend, limits=IMPATIENT))

    @property
    def all(self) -> tuple[Sandbox, ...]:
        return self.steady, self.replaced, self.impatient

    def of(self, one: Case) -> Sandbox:
        """Honest programs go, by turns of ten, through the steady jail and the one that is replaced again and again."""
        if one.attack is None:
            return self.replaced if one.index // 10 % 10 == 0 else self.steady
        if one.attack.sleeps:
            return self.impatient
        return self.replaced if one.attack.ends_jail else self.steady


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=5_000, help="100,000 takes some 25 minutes")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(".stepcode/benchmark-soak"),
        help="folder for results.jsonl, samples.jsonl, alone.jsonl",
    )
    parser.add_argument("--every", type=int, default=500, help="programs between two samples")
    parser.add_argument("--alone", type=int, default=500, help="programs that are run once more, each in a fresh jail")
    parser.add_argument("--backend", default="bubblewrap")
    parser.add_argument("--table", action="store_true", help="print the table of what is there, run nothing")
    given = parser.parse_args()
    if not given.table:
        soak(given.size, given.out, given.every, given.backend)
        run_alone(given.size, given.out, given.alone, given.backend)
    print(table(given.out))


def soak(size: int, folder: Path, every: int, backend: str = "bubblewrap") -> None:
    """Run the programs that `folder` has no result of yet."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    results = Journal(folder / "results.jsonl")
    samples = Journal(folder / "samples.jsonl")
    before, tempfile.tempdir = tempfile.tempdir, str(temporary)
    try:
        with adopting_orphans(), ExitStack() as stack:
            jails = Jails(stack, backend)
            stack.enter_context(results)
            stack.enter_context(samples)
            started, started_cpu = time.monotonic(), cpu_s()
            first = results.num_rows
            restarts, interpreter = 0, _identity(jails.steady)
            for index in range(first, size):
                one = case(index)
                seen = run(jails.of(one), one)
                results.append(result_row(one, seen))
                if _identity(jails.steady) not in {interpreter, None}:
                    restarts, interpreter = restarts + 1, _identity(jails.steady)
                if index % every == every - 1 or index == size - 1:
                    used = {"wall_s": time.monotonic() - started, "cpu_s": cpu_s() - started_cpu}
                    run_so_far = {"run": first, "done": index + 1, "restarts": restarts}
                    samples.append(run_so_far | used | asdict(holdings(_awake(jails), temporary)))
    finally:
        tempfile.tempdir = before


def run(sandbox: Sandbox, one: Case) -> list[Observation]:
    return [sandbox.run(one.jobs[0])] if len(one.jobs) == 1 else sandbox.run_together(one.jobs)


def run_alone(size: int, folder: Path, count: int, backend: str = "bubblewrap") -> None:
    """Run `count` of the soak's programs again, drawn at random, each job alone in a jail of its own."""
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()][:size]
    drawn = random.Random(size).sample(rows, min(count, len(rows)))
    with Journal(folder / "alone.jsonl", fresh=True) as journal:
        for row in drawn:
            one = case(row["index"])
            limits = IMPATIENT if one.attack and one.attack.sleeps else LIMITS
            seen = []
            for job in one.jobs:
                with open_sandbox(backend, limits=limits) as fresh:
                    seen.append(fresh.run(job))
            again = result_row(one, seen)
            journal.append(again | {"same": again["digest"] == row["digest"]})


def result_row(one: Case, seen: Sequence[Observation]) -> dict[str, Any]:
    """What is kept of one program: how it ended, whether that was as expected, and a digest of all it showed."""
    verdicts = [observation.verdict.value for observation in seen]
    return {
        "index": one.index,
        "name": one.name,
        "verdicts": verdicts,
        "expected": _is_expected(one, seen),
        "digest": digest(seen),
    }


def _is_expected(one: Case, seen: Sequence[Observation]) -> bool:
    if one.attack is None:
        return all(observation.verdict in {Verdict.OK, Verdict.EXCEPTION} for observation in seen)
    result = one.attack.result
    return seen[0].verdict in one.attack.verdicts and result in {None, seen[0].result}


def digest(seen: Sequence[Observation]) -> str:
    """Of everything but times, addresses, and what a program that a limit ended had got to by then."""
    parts = []
    for one in seen:
        if one.verdict in {Verdict.TIMEOUT, Verdict.MEMORY, Verdict.OUTPUT, Verdict.CRASHED}:
            parts.append(repr((one.verdict, one.detail)))
        else:
            parts.append(_ADDRESS.sub("at 0x…", repr(replace(one, cpu_s=0.0, wall_s=0.0))))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Journal:
    """Rows of JSON appended to a file, one line each; a line that was cut off by a kill is taken out again."""

    def __init__(self, path: Path, fresh: bool = False) -> None:
        text = path.read_bytes() if path.exists() and not fresh else b""
        whole = text[: text.rfind(b"\n") + 1]
        self.num_rows = whole.count(b"\n")
        self._file = path.open("r+b" if text else "wb")
        self._file.truncate(len(whole))
        self._file.seek(len(whole))

    def append(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended (jails that live on are not counted)."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _identity(sandbox: Sandbox) -> object:
    return getattr(sandbox, "process_id", None)


def _awake(jails: Jails) -> tuple[Sandbox, ...]:
    """The jails, each with a running warm interpreter, so that every sample counts the same processes."""
    for sandbox in jails.all:
        sandbox.run(case(0).jobs[0])
    return jails.all


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
