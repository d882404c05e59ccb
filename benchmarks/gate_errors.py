"""How often the gate errs on data of REval's size: promotions of what is no better, and power for true gains.

    python -m benchmarks.gate_errors [--comparisons 2000] [--gains 0,1,2,3,4,5] [--out FOLDER]

Two models are simulated on 154 programs, 690 pairs and 3,152 points. Programs and items differ in difficulty; two
models of the same quality still differ from program to program, as two seeds of one training do, and give the same
answer to most items. A gain is a shift of the candidate by that many points on each task. Decisions are appended to
FOLDER as they come and found again; the last thing done is the table and the plot (gate_errors.html).
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from evaluation.gate import Policy, Scores, decide
from evaluation.intervals import Interval, mean_interval
from tasks.pages.charts import Series, line_chart

NUM_PROGRAMS, NUM_PAIRS, NUM_POINTS = 154, 690, 3152
LEVELS = {"coverage": 0.90, "state": 0.75, "path": 0.60, "output": 0.85}
SPREAD_PROGRAMS, SPREAD_ITEMS = 1.0, 1.0  # of difficulty, in logits
SPREAD_MODELS = 0.4  # of one model's quality from program to program, in logits
SAME_ANSWER = 0.6  # share of items to which two models of one quality give the same answer for certain
POLICY = Policy(
    name="simulated",
    no_regression=tuple(f"reval/{task}" for task in LEVELS),
    improve_one_of=tuple(f"reval/{task}" for task in LEVELS),
)
VERDICTS = (("promote", "promoted", "final"), ("hold", "held", "loss"), ("reject", "rejected", "step"))
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=100, help="per gain; 2,000 takes some minutes each")
    parser.add_argument("--gains", default="0,1,2,3,4,5", help="true gains in points")
    parser.add_argument("--out", type=Path, default=Path(".stepcode/benchmark-gate"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    gains = [float(gain) for gain in given.gains.split(",")]
    shares = {gain: Counter(decisions(given.out, gain, given.comparisons)) for gain in gains}
    table = Table("true gain", "comparisons", "promote, % [95 %]", "hold, %", "reject, %", box=SIMPLE)
    for gain, counts in shares.items():
        interval = share_interval(counts, "promote")
        shown = f"{100 * interval.mean:.1f} [{100 * interval.low:.1f}–{100 * interval.high:.1f}]"
        others = [f"{100 * counts[verdict] / counts.total():.1f}" for verdict in ("hold", "reject")]
        table.add_row(f"{gain:g}", f"{counts.total():,}", shown, *others)
    Console().print(table)
    plot(given.out / "gate_errors.html", shares)


def decisions(folder: Path, gain: float, count: int) -> Iterator[str]:
    """The verdicts of comparisons 0 to `count`, those of an earlier run from their file."""
    path = folder / f"gain-{gain:g}.jsonl"
    known = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    yield from known[:count]
    with path.open("a", encoding="utf-8") as out:
        for number in range(len(known), count):
            seed = [number, round(1000 * abs(gain)), *([1] if gain < 0 else [])]
            verdict = compare(gain, np.random.default_rng(seed))
            out.write(json.dumps(verdict) + "\n")
            out.flush()
            yield verdict


def compare(gain: float, generator: np.random.Generator) -> str:
    """The gate's verdict on a candidate that is `gain` points better than the champion on each task."""
    evidence: tuple[dict[tuple[str, str], Scores], ...] = ({}, {})
    quality = [generator.normal(0, SPREAD_MODELS, NUM_PROGRAMS) for _ in evidence]
    programs = generator.normal(0, SPREAD_PROGRAMS, NUM_PROGRAMS)
    for task, level in LEVELS.items():
        num_items = NUM_PAIRS if task == "output" else NUM_POINTS
        where = np.sort(generator.integers(0, NUM_PROGRAMS, num_items))
        difficulty = programs[where] + generator.normal(0, SPREAD_ITEMS, num_items)
        spread = np.sqrt(SPREAD_PROGRAMS**2 + SPREAD_ITEMS**2 + SPREAD_MODELS**2)
        same = generator.random(num_items) < SAME_ANSWER
        luck = generator.random(num_items)
        for one, own, better in zip(evidence, quality, (gain / 100, 0.0), strict=True):
            chance = sigmoid(centre(level + better, float(spread)) + difficulty + own[where])
            right = np.where(same, luck, generator.random(num_items)) < chance
            one["reval", task] = scores(right, where)
    candidate, champion = evidence
    return decide(candidate, champion, POLICY).verdict


def scores(right: NDArray[np.bool_], where: NDArray[np.int64]) -> Scores:
    num_items = len(right)
    return Scores(
        item_ids=tuple(f"{place:05}" for place in range(num_items)),
        clusters=tuple(f"{program:03}" for program in where.tolist()),
        final=tuple(right.astype(float).tolist()),
        step=(None,) * num_items,
        answers=tuple(str(place) for place in range(num_items)),
    )


def sigmoid(values: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-values))


def centre(mean: float, spread: float) -> float:
    """The logit at whose normal scatter of `spread` the mean chance is `mean` (probit approximation, MacKay 1992)."""
    bounded = min(max(mean, 1e-6), 1 - 1e-6)
    return float(np.log(bounded / (1 - bounded)) * np.sqrt(1 + np.pi * spread**2 / 8))


def share_interval(counts: Counter[str], verdict: str) -> Interval:
    """The share of comparisons with this verdict; each comparison is drawn on its own."""
    told = [1.0] * counts[verdict] + [0.0] * (counts.total() - counts[verdict])
    return mean_interval(told, [str(place) for place in range(len(told))])


def plot(path: Path, shares: dict[float, Counter[str]]) -> None:
    """A page with the shares of the three verdicts by true gain, and their intervals."""
    series = []
    for shift_px, (verdict, name, style) in zip((-3.0, 0.0, 3.0), VERDICTS, strict=True):
        found = {gain: share_interval(counts, verdict) for gain, counts in sorted(shares.items())}
        points = tuple((gain, interval.mean) for gain, interval in found.items())
        spans = tuple((interval.low, interval.high) for interval in found.values())
        series.append(Series(name, style, points, spans, shift_px))
    chart = line_chart(series, x_label="true gain, points", as_share=True)
    style = (Path(__file__).parent.parent / "tasks" / "pages" / "style.css").read_text("utf-8")
    title = "The gate's verdicts by true gain, on data of REval's size"
    numbers = sorted({counts.total() for counts in shares.values()})
    told = f"{numbers[0]:,}" if len(numbers) == 1 else f"{numbers[0]:,} to {numbers[-1]:,}"
    caption = (
        f"Share of simulated comparisons, %, with 95 % intervals; {told} comparisons per gain, of"
        f" {NUM_PROGRAMS} programs, {NUM_PAIRS} pairs and {NUM_POINTS:,} points."
        " Asked: no regression on any of the four tasks, a gain on one."
    )
    head = f'<meta charset="utf-8"><title>{title}</title><style>{style} figure {{ max-width: 46rem }}</style>'
    body = f'<h1>{title}</h1><p class="caption">{caption}</p><figure>{chart}</figure>'
    path.write_text(f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>', "utf-8")


if __name__ == "__main__":
    main()
