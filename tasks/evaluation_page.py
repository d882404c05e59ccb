"""The page of an evaluation: its rows as figures, each beside what a constant answer scores and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.intervals import Interval, paired_difference
from evaluation.reval_rows import consistency_from_rows
from evaluation.summary import Band, Summary, by_anchors, summarise

Row = Mapping[str, Any]
STEPPED = ("final", "step", "gap", "all_correct", "wrong_logic")


def evaluation_content(title: str, rows: Sequence[Row], run: Mapping[str, Any]) -> dict[str, Any]:
    """What `tasks.pages.render.render_evaluation` shows. `run` has `started`, `facts` (name and value pairs),
    `benchmarks` (name, rows, note) and `sandbox` (backend, isolated)."""
    summaries = summarise(rows)
    labels = list(dict.fromkeys(one.benchmark for one in summaries))
    with_steps = [one for one in summaries if one.step is not None]
    return {
        "title": title,
        "started": run["started"],
        "groups": [_group(label, [one for one in summaries if one.benchmark == label], rows) for label in labels],
        "steps": [_stepped(one, rows, summaries) for one in with_steps],
        "bands": [
            {"name": _name(one), "bands": [_band(band) for band in by_anchors(rows, one.benchmark, one.task)]}
            for one in with_steps
        ],
        "answers": [_answers(one, rows) for one in summaries],
        "run": run["facts"],
        "benchmarks": run["benchmarks"],
        "sandbox": run["sandbox"],
    }


def _name(one: Summary) -> str:
    return f"{one.benchmark.replace('_', ' ')} · {one.task.replace('_', ' ')}"


def _interval(one: Interval | None) -> dict[str, float] | None:
    return None if one is None else {"mean": one.mean, "low": one.low, "high": one.high}


def _group(label: str, summaries: Sequence[Summary], rows: Sequence[Row]) -> dict[str, Any]:
    mine = [row for row in rows if row["benchmark"] == label]
    return {
        "name": label.replace("_", " ").replace(":", ", form "),
        "note": summaries[0].decoding,
        "rows": [_figures(one) for one in summaries],
        "consistency": _consistency(mine),
    }


def _figures(one: Summary) -> dict[str, Any]:
    best = max(one.baselines, key=lambda answer: one.baselines[answer]) if one.baselines else None
    samples = "" if one.pass_5 is None else f", pass@5 {100 * one.pass_5[0]:.1f}"
    return {
        "task": one.task.replace("_", " ") + samples,
        "num_judged": one.num_judged,
        "num_programs": one.num_programs,
        "strict": _interval(one.final),
        "official": _interval(one.official),
        "covered": _interval(one.covered),
        "frame_aware": _interval(one.frame_aware),
        "constant": None if best is None else one.baselines[best],
        "constant_name": "" if best is None else best[:12],
        "above_chance": one.above_chance,
    }


def _consistency(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """REval's incremental consistency by both rules, where its four tasks were asked once."""
    if any(row.get("sample") for row in rows):
        return []
    strict, official = (consistency_from_rows(rows, column) for column in ("final_correct", "official_correct"))
    if not strict.num_points:
        return []
    return [
        {
            "name": "incremental consistency",
            "num_points": strict.num_points,
            "strict": strict.score / 100,
            "official": official.score / 100 if official.num_points else None,
        }
    ]


def _stepped(one: Summary, rows: Sequence[Row], summaries: Sequence[Summary]) -> dict[str, Any]:
    plain_label = f"{one.benchmark}:plain"
    plain = next((other for other in summaries if (other.benchmark, other.task) == (plain_label, one.task)), None)
    return {
        "name": _name(one),
        **{key: _interval(getattr(one, key)) for key in STEPPED},
        "wrong_logic_of_right": one.wrong_logic_of_right,
        "plain": _interval(plain.final) if plain else None,
        "change": _interval(_change(one, plain_label, rows)) if plain else None,
    }


def _change(one: Summary, plain_label: str, rows: Sequence[Row]) -> Interval | None:
    """With anchors − without, over the items that were judged both ways."""
    with_steps, without = (
        {
            row["item_id"].partition("@")[0]: row
            for row in rows
            if row["judged"] and (row["benchmark"], row["task"]) == (label, one.task)
        }
        for label in (one.benchmark, plain_label)
    )
    common = sorted(with_steps.keys() & without.keys())
    if not common:
        return None
    values = [[float(found[name]["final_correct"]) for name in common] for found in (with_steps, without)]
    return paired_difference(values[0], values[1], [with_steps[name]["cluster"] for name in common])


def _band(band: Band) -> dict[str, Any]:
    figures = {key: _interval(getattr(band.summary, key)) for key in ("step", "final", "gap")}
    return {"label": band.label, "num_judged": band.summary.num_judged, "figures": figures}


def _answers(one: Summary, rows: Sequence[Row]) -> dict[str, Any]:
    mine = [row for row in rows if (row["benchmark"], row["task"]) == (one.benchmark, one.task)]
    reasons = Counter(str(row["reason"]) for row in mine)
    counts = (
        "num_rows",
        "num_left_out",
        "num_not_judged",
        "num_extraction_failures",
        "num_timeouts",
        "num_stopped",
        "num_truncated",
        "num_official_skipped",
    )
    return {"name": _name(one), **{key: getattr(one, key) for key in counts}, "reasons": reasons.most_common()}
