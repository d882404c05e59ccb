"""Throughput of tracing: instrumentation, cost per program as their number grows, and workers on the Ray pool.

    python -m benchmarks.trace_throughput [--size 10000] [--workers 1,2] [--simulated 1,2,4,8] [--pool-size 2000]

Programs are synthesised, NUM_INPUTS calls of each source; a traced program is run four times (`execution.observe`).
Simulated workers wait as long as a real one computes and send back what a real one sends: they tell how many workers
the process that hands out the work can feed on a machine that has not as many cores.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import ray

from benchmarks.cpu_time import cpu_s
from benchmarks.leftovers import rss_kib
from corpus.synthesis import synthesise
from execution.anchors import instrument
from execution.observe import observe
from execution.program import Program
from execution.sandbox import open_sandbox
from execution.traces import Trace
from infra.settings import load_settings
from tasks.ray_pool import ray_cluster, spread

NUM_INPUTS = 4
SOURCES_PER_PIECE = 12
HASH_SEEDS = (0, 1)
_CHUNK, _LEVELS = 100, 6


class Observer:
    """A worker with two jails: texts of the traces of a piece, which is a list of sources with their programs."""

    def __init__(self) -> None:
        self.sandboxes = open_sandbox("bubblewrap", HASH_SEEDS[0]), open_sandbox("bubblewrap", HASH_SEEDS[1])

    def do(self, piece: list[list[Program]]) -> list[str]:
        seen = [outcome for programs in piece for outcome in observe(programs, self.sandboxes, max_states=50)]
        return [outcome.to_json() if isinstance(outcome, Trace) else outcome.reason for outcome in seen]

    def close(self) -> None:
        for sandbox in self.sandboxes:
            sandbox.close()


class Waiter:
    """A worker that waits `seconds` and gives `answer`, whatever it is asked."""

    def __init__(self, seconds: float, answer: list[str]) -> None:
        self.seconds = seconds
        self.answer = answer

    def do(self, piece: Any) -> list[str]:
        time.sleep(self.seconds)
        return self.answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10_000, help="programs for the cost per program")
    parser.add_argument("--pool-size", type=int, default=2_000, help="programs for each number of workers")
    parser.add_argument("--workers", type=_numbers, default=(1, 2))
    parser.add_argument("--simulated", type=_numbers, default=(1, 2, 4, 8))
    given = parser.parse_args()
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
    print(instrumentation_table(given.size // NUM_INPUTS), "\n", flush=True)
    print(growth_table(given.size), "\n", flush=True)
    print(pool_table(given.pool_size, given.workers, given.simulated))


def instrumentation_table(num_sources: int) -> str:
    """Programs per core-second of `instrument` alone, by level of difficulty; CRUXEval's where they are."""
    lines = [f"{'instrumentation':20}{'sources':>9}{'lines each':>12}{'anchors each':>14}{'per core-second':>17}"]
    total, count = 0.0, 0
    groups: dict[str, list[str]] = {}
    for programs in islice(sources(), num_sources):
        groups.setdefault(f"level {programs[0].level}", []).append(programs[0].source)
    if folder := os.environ.get("STEPCODE_BENCHMARKS"):
        rows = (Path(folder) / "cruxeval" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
        groups["CRUXEval"] = [json.loads(row)["code"] for row in rows]
    for label, texts in groups.items():
        started = time.process_time()
        num_anchors = sum(len(instrument(text).anchors) for text in texts)
        used = time.process_time() - started
        total, count = total + used, count + len(texts)
        each = sum(text.count("\n") for text in texts) / len(texts), num_anchors / len(texts)
        lines.append(f"{label:20}{len(texts):9,}{each[0]:12.1f}{each[1]:14.1f}{len(texts) / used:17,.0f}")
    lines.append(f"{'all':20}{count:9,}{'':26}{count / total:17,.0f}")
    return "\n".join(lines)


def growth_table(size: int) -> str:
    """CPU per program in each part of one long run in this process, and this process's memory then."""
    worker = Observer()
    marks = [mark for mark in (1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000) if mark < size] + [size]
    lines = [f"{'programs traced':>16}{'CPU ms each, since the last row':>34}{'traces':>9}{'memory here, KiB':>18}"]
    done = traces = before = 0
    started = cpu_s(worker.sandboxes)
    drawing = 0.0  # the synthesiser's own time is no part of the cost
    todo = sources()
    try:
        while done < size:
            draw = time.process_time()
            piece = list(islice(todo, SOURCES_PER_PIECE))
            drawing += time.process_time() - draw
            rows = worker.do(piece)
            done, traces = done + len(rows), traces + sum(row.startswith("{") for row in rows)
            if done >= marks[0]:
                used = cpu_s(worker.sandboxes) - started - drawing
                each = f"{used / (done - before) * 1000:34.2f}"
                lines.append(f"{done:16,}{each}{traces:9,}{rss_kib(psutil.Process()):18,}")
                started, drawing, before = cpu_s(worker.sandboxes), 0.0, done
                marks = [mark for mark in marks if mark > done]
    finally:
        worker.close()
    return "\n".join(lines)


def pool_table(size: int, workers: Sequence[int], simulated: Sequence[int]) -> str:
    """Programs per second through `tasks.ray_pool.spread`; the workers' start is not counted."""
    lines = [f"{'workers':20}{'programs/s':>12}{'x one worker':>14}{'busy cores':>12}{'per core-second':>17}"]
    todo = sources()
    pieces = []
    for number in range(size // (SOURCES_PER_PIECE * NUM_INPUTS)):
        pieces.append((f"piece-{number}", list(islice(todo, SOURCES_PER_PIECE))))
    rates: dict[str, float] = {}
    piece_s, answer = 0.0, [""]
    for count in workers:
        rate, cores, answer = run_pool(Observer, pieces, count)
        rates.setdefault("real", rate)
        piece_s = piece_s or SOURCES_PER_PIECE * NUM_INPUTS / rate
        lines.append(f"{count:<20}{rate:12,.0f}{rate / rates['real']:14.2f}{cores:12.2f}{rate / cores:17,.0f}")
    for count in simulated:
        many = [(f"piece-{number}", pieces[number % len(pieces)][1]) for number in range(max(len(pieces), count * 8))]
        rate, _, _ = run_pool(partial(Waiter, piece_s, answer), many, count)
        rates.setdefault("simulated", rate)
        lines.append(f"{f'{count} simulated':20}{rate:12,.0f}{rate / rates['simulated']:14.2f}{'-':>12}{'-':>17}")
    return "\n".join(lines)


def run_pool(make: Callable[[], Any], pieces: Sequence[tuple[str, Any]], count: int) -> tuple[float, float, list[str]]:
    """Programs per second, busy cores of workers and jails, and the last answer, of `count` workers on a Ray alone."""
    settings = load_settings().model_copy(update={"workers": count, "ray_address": ""})
    with ray_cluster(settings):
        actor: Any = ray.remote(num_cpus=1)(_Worker)
        workers = [actor.remote(make) for _ in range(count)]
        ray.get([worker.wait_until_up.remote() for worker in workers])
        programs, used_s, answer = 0, 0.0, [""]
        started = time.perf_counter()
        for _, (answer, each_s) in spread(lambda: workers.pop() if workers else actor.remote(make), pieces, count):
            programs, used_s = programs + len(answer), used_s + each_s
        passed = time.perf_counter() - started
        return programs / passed, used_s / passed, answer


class _Worker:
    """What Ray starts: makes the real worker in its own process, and tells the CPU seconds of each piece."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.worker = make()

    def wait_until_up(self) -> None:
        """Answered once `__init__` has ended."""

    def do(self, piece: Any) -> tuple[list[str], float]:
        sandboxes = getattr(self.worker, "sandboxes", ())
        before = cpu_s(sandboxes)
        answer = self.worker.do(piece)
        return answer, cpu_s(sandboxes) - before


def sources() -> Iterator[list[Program]]:
    """Different sources without end, NUM_INPUTS programs of each, the levels in turns."""
    seed = 1000
    while True:
        levels = [synthesise(level, seed, _CHUNK, NUM_INPUTS, "general") for level in range(1, _LEVELS + 1)]
        seed += 1
        for start in range(0, _CHUNK * NUM_INPUTS, NUM_INPUTS):
            for programs in levels:
                yield programs[start : start + NUM_INPUTS]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


if __name__ == "__main__":
    main()
