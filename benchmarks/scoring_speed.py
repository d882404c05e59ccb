"""Scoring speed, in one run: answers judged by `evaluation.scorers`, and with a fresh process for each, as published.

    STEPCODE_BENCHMARKS=FOLDER python -m benchmarks.scoring_speed [--rows N] [--generations 10] [--published-share 0.02]

Answers are made from the data: right ones, wrong ones, and expressions that are no literals. The published way of
CRUXEval is a manager process and a forked process per generation; only a share of the answers is judged that way, as it
takes long. Without a benchmarks folder a few rows of our own are judged many times.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from evaluation import reval
from evaluation.reval import RevalRow
from evaluation.reval_truth import PACKAGES, TRUTH_LIMITS, PointTruth, run_pair, truths
from evaluation.scorers.completions import OFFICIAL_LIMITS, Completion, Direction, score_row
from evaluation.scorers.reval import judge_coverage, judge_path
from evaluation.scorers.reval_output import judge_output
from evaluation.scorers.reval_state import judge_state
from execution.sandbox import Sandbox, open_sandbox

OWN_ROWS = [
    {"id": "a", "code": "def f(n):\n    return [n, n * 2]", "input": "3", "output": "[3, 6]"},
    {"id": "b", "code": "def f(text):\n    return text.upper().split()", "input": "'a b'", "output": "['A', 'B']"},
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--generations", type=int, default=10)
    parser.add_argument("--published-share", type=float, default=0.02)
    given = parser.parse_args()
    folder = os.environ.get("STEPCODE_BENCHMARKS")
    rows = cruxeval_rows(Path(folder) if folder else None)[: given.rows]
    columns = ("what", "answers", "ours, s", "ours, ms each", "published, ms each", "ratio")
    table = Table(*columns, box=SIMPLE, title="scoring, wall time")
    directions: tuple[Direction, ...] = ("output", "input")
    with open_sandbox(limits=OFFICIAL_LIMITS) as jail:
        for direction in directions:
            work = [(row, generations(row, direction, given.generations)) for row in rows]
            mine = timed(lambda work=work, direction=direction: judge_all(work, direction, jail))  # type: ignore[misc]
            count = sum(len(texts) for _, texts in work)
            few = work[: max(1, round(len(work) * given.published_share))]
            theirs = timed(lambda few=few: publish_all(few)) / sum(len(texts) for _, texts in few)  # type: ignore[misc]
            add(table, f"CRUXEval {direction}", count, mine, theirs)
    if folder and (Path(folder) / "reval").is_dir():
        for task, count, seconds in reval_times(Path(folder)):
            add(table, f"REval {task}", count, seconds, theirs)
    Console().print(table)


def add(table: Table, what: str, count: int, mine_s: float, theirs_each_s: float) -> None:
    each = mine_s / count
    table.add_row(
        what,
        f"{count:,}",
        f"{mine_s:.2f}",
        f"{1000 * each:.2f}",
        f"{1000 * theirs_each_s:.1f}",
        f"{theirs_each_s / each:.0f}",
    )


def timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cruxeval_rows(folder: Path | None) -> list[dict[str, str]]:
    files = sorted((folder / "cruxeval").glob("*.jsonl")) if folder else []
    return [json.loads(line) for path in files for line in path.open(encoding="utf-8")] or OWN_ROWS * 50


def generations(row: dict[str, str], direction: Direction, count: int) -> list[str]:
    """Right, wrong and roundabout answers, all different."""
    right = row["output"] if direction == "output" else f"f({row['input']})"
    others = [f"{right}  # {number}" for number in range(count)]
    others[1::3] = [f"[{number}]" if direction == "output" else f"f({number})" for number in range(1, count, 3)]
    others[2::3] = [f"({right}) if {number} else 0" for number in range(2, count, 3)]
    return others


def judge_all(work: list[tuple[dict[str, str], list[str]]], direction: Direction, jail: Sandbox) -> None:
    for row, texts in work:
        score_row(Completion(row["code"], "f", f"f({row['input']})", row["output"]), texts, direction, "official", jail)


def publish_all(work: list[tuple[dict[str, str], list[str]]]) -> None:
    for row, texts in work:
        for text in texts:
            with multiprocessing.Manager() as manager:
                results = manager.list()
                program = f"{row['code']}\nassert {row['output']} == {text}"
                process = multiprocessing.get_context("fork").Process(target=_passes, args=(program, results))
                process.start()
                process.join(4)
                if process.is_alive():
                    process.kill()


def _passes(program: str, results: Any) -> None:
    try:
        exec(program, {})
        results.append(True)
    except BaseException:  # noqa: BLE001 whatever it raises, it did not pass
        results.append(False)


def reval_times(folder: Path) -> Iterator[tuple[str, int, float]]:
    """(task, answers, seconds), the truth found first; half of the answers right, half wrong."""
    programs = reval.load(folder)
    with open_sandbox(limits=TRUTH_LIMITS, packages=PACKAGES) as jail:
        started = time.perf_counter()
        found = [
            (program, truths(pair, run_pair(program, pair, jail))) for program in programs for pair in program.pairs
        ]
        count = sum(len(points) for _, points in found)
        yield "truth (points)", count, time.perf_counter() - started
    with open_sandbox(limits=OFFICIAL_LIMITS, packages=PACKAGES) as jail:
        for task in ("coverage", "path", "state"):
            started = time.perf_counter()
            for program, points in found:
                for number, truth in enumerate(points):
                    _judge_point(task, truth, program, number, jail)
            yield task, count, time.perf_counter() - started
        started = time.perf_counter()
        pairs = [(program, pair) for program in programs for pair in program.pairs]
        for program, pair in pairs:
            answer = pair.output_prediction.replace("??", pair.output or "0")
            judge_output(answer, "direct", program, pair, "official", jail)
        yield "output", len(pairs), time.perf_counter() - started


def _judge_point(task: str, truth: PointTruth, program: RevalRow, number: int, jail: Sandbox) -> None:
    if task == "coverage":
        judge_coverage("YES" if number % 2 else "NO", "direct", truth, "official")
    elif task == "path":
        line = program.source.split("\n")[max(0, truth.next_lines[0] - 1)]
        judge_path(line if number % 2 else "-1", "direct", truth, program.source, "official")
    else:
        kind, text = truth.values[0] if truth.values else ("int", "0")
        judge_state(f"{text}; {kind}" if number % 2 else "1 + 1; int", "direct", truth, "official", jail)


if __name__ == "__main__":
    main()
