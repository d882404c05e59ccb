"""The table of a soak: what its samples and results say about leaks, verdicts and equality."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.leftovers import slope

# (key of a sample, what it is called)
_HELD = (
    ("num_processes", "processes"),
    ("num_descriptors", "descriptors here"),
    ("jail_descriptors", "descriptors of the jail"),
    ("num_files", "files left"),
    ("num_mounts", "mounts"),
    ("rss_kib", "memory here, KiB"),
    ("jail_kib", "memory of the jail, KiB"),
)


def table(folder: Path) -> str:
    """Of what stands in `folder` now, whether the soak is done or not."""
    results, samples, alone = (rows(folder / f"{name}.jsonl") for name in ("results", "samples", "alone"))
    lines = [*_summary(results, samples), "", *_held(samples), "", *_verdicts(results), "", *_alone(alone)]
    return "\n".join(lines)


def rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _summary(results: Sequence[dict[str, Any]], samples: Sequence[dict[str, Any]]) -> list[str]:
    hostile = sum(row["name"] != "honest" for row in results)
    unexpected = [row for row in results if not row["expected"]]
    last = {sample["run"]: sample for sample in samples}  # of each start the last
    wall = sum(sample["wall_s"] for sample in last.values())
    done = sum(sample["done"] - sample["run"] for sample in last.values())
    rate = done / wall if wall else 0
    lines = [
        f"{len(results):,} programs, {hostile:,} of them hostile; starts: {len(last)}; {wall:,.0f} s, {rate:,.0f}/s",
        f"ended otherwise than expected: {len(unexpected)}",
        f"the steady jail was replaced: {sum(sample['restarts'] for sample in last.values())} times",
    ]
    for name, verdicts, index in [(row["name"], ",".join(row["verdicts"]), row["index"]) for row in unexpected[:10]]:
        lines.append(f"    number {index}, {name}: {verdicts}")
    return lines


def _held(samples: Sequence[dict[str, Any]]) -> list[str]:
    """First, last and most of each start's samples, and the slope: of the last start's second half, per 1,000."""
    if not samples:
        return ["no samples yet"]
    lines = [f"{'held':28}{'first':>10}{'last':>10}{'most':>10}{'per 1,000 programs':>22}"]
    latest = [sample for sample in samples if sample["run"] == samples[-1]["run"]]
    settled = latest[len(latest) // 2 :]
    for key, label in _HELD:
        values = [sample[key] for sample in latest]
        each = slope([(sample["done"] / 1000, sample[key]) for sample in settled])
        lines.append(f"{label:28}{values[0]:10,}{values[-1]:10,}{max(values):10,}{each:22.3f}")
    return lines


def _verdicts(results: Sequence[dict[str, Any]]) -> list[str]:
    counts: dict[str, Counter[str]] = {"honest": Counter(), "hostile": Counter()}
    for row in results:
        counts["honest" if row["name"] == "honest" else "hostile"].update(row["verdicts"])
    names = sorted(counts["honest"] | counts["hostile"])
    lines = [f"{'verdict (of jobs)':20}{'honest':>10}{'hostile':>10}"]
    return lines + [f"{name:20}{counts['honest'][name]:10,}{counts['hostile'][name]:10,}" for name in names]


def _alone(alone: Sequence[dict[str, Any]]) -> list[str]:
    if not alone:
        return ["run again alone in a fresh jail: none yet"]
    other = [row for row in alone if not row["same"]]
    hostile = sum(row["name"] != "honest" for row in alone)
    lines = [f"run again alone in a fresh jail: {len(alone)} ({hostile} hostile), {len(other)} with another result"]
    return lines + [f"    number {row['index']}, {row['name']}: {','.join(row['verdicts'])}" for row in other[:10]]
