"""Prints how many anchors programs have, beside the table of arXiv 2605.11922, and why some have none.

The benchmark folder is named by STEPCODE_BENCHMARKS; a benchmark that is not there is passed over, and says so.
"""

from __future__ import annotations

import json
import os
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from corpus.synthesis import synthesise
from execution.anchors import Instrumented, instrument

# Mean, median and range in the paper, where a language model places the anchors.
PUBLISHED = {
    "CRUXEval": "3.2 / 3 / 1-7",
    "LiveCodeBench execution": "4.8 / 5 / 2-10",
    "REval": "3.5 / 3 / 1-8",
    "synthesised": "4.1 / 4 / 1-10 (its training set)",
}
FILES = {
    "CRUXEval": ("cruxeval", ("code",)),
    "REval": ("reval/data/DREval_data.jsonl", ("code",)),
    "HumanEval": ("humaneval", ("prompt", "canonical_solution")),
    "MBPP": ("mbpp", ("code",)),
    "LiveCodeBench execution": ("livecodebench_execution", ("code",)),
}
PER_LEVEL = 200


def sources(folder: Path, fields: tuple[str, ...]) -> list[str]:
    """The programs of a JSONL file or of all JSONL files in a folder, each once."""
    files = sorted(folder.rglob("*.jsonl")) if folder.is_dir() else [folder]
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return sorted({"".join(row[field] for field in fields) for row in rows if all(field in row for field in fields)})


def programs() -> Iterator[tuple[str, list[str]]]:
    root = Path(os.environ.get("STEPCODE_BENCHMARKS", "../shared/benchmarks"))
    for name, (place, fields) in FILES.items():
        if (root / place).exists():
            yield name, sources(root / place, fields)
        else:
            print(f"{name}: no {place} in {root}; set STEPCODE_BENCHMARKS to the folder that holds it")
    found = [program.source for level in range(1, 7) for program in synthesise(level, 0, PER_LEVEL, 1, "general")]
    yield "synthesised", sorted(set(found))


def row(name: str, placed: list[Instrumented]) -> str:
    counts = [len(given.anchors) for given in placed]
    share = sum(1 <= count <= 10 for count in counts) / len(counts)
    return (
        f"{name:24} {len(counts):8} {statistics.mean(counts):6.2f} {statistics.median(counts):7.1f}"
        f" {min(counts):4}-{max(counts):<4} {share:7.1%} {counts.count(0):5}  {PUBLISHED.get(name, '')}"
    )


def reasons(placed: list[Instrumented]) -> str:
    """Why the programs without anchors have none; names are dropped, so that equal reasons are counted together."""
    none = [given for given in placed if not given.anchors]
    found = Counter(
        reason
        for given in none
        for reason in {re.sub(r"^(the returned value|\w+): ", "", why) for _, why in given.left_out}
    )
    found["nothing is assigned or returned where an anchor may stand"] += sum(not given.left_out for given in none)
    return "; ".join(f"{reason}: {count}" for reason, count in found.most_common() if count)


def main() -> None:
    print("                         programs   mean  median  range     1..10  none  paper: mean / median / range")
    notes = []
    for name, texts in programs():
        placed = [instrument(text) for text in texts]
        print(row(name, placed), flush=True)
        notes.append(f"{name}, no anchor: {reasons(placed)}")
    print("\n".join(note for note in notes if not note.endswith(": ")))


if __name__ == "__main__":
    main()
