"""The pages: plain dictionaries (see `content`) in, one self-contained HTML document out. Pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Undefined
from markupsafe import Markup

from tasks.pages.charts import Series, interval_plot, line_chart
from tasks.pages.content import Baseline, Compared, Example, Figures, Interval, Quality, Report
from tasks.pages.differences import difference_plot
from tasks.pages.text import coloured_lines, marked, visible

VERDICTS = {"promote": "promoted", "hold": "held", "reject": "rejected"}


def render_report(report: Report | Mapping[str, Any]) -> str:
    """The page of a training run, from a `content.Report`. KeyError or UndefinedError where something is missing."""
    curves = report["curves"]
    page = _environment().get_template("report.html.j2")
    return page.render(
        report=report,
        head=_head(report["scores"][0]) if report["scores"] else [],
        charts=[
            ("SFT: loss", _chart(curves["sft"], [("loss", "loss", "loss")], as_share=False)),
            ("SFT: held-out programs", _chart(curves["sft"], _HELD_OUT, as_share=True)),
            ("Bi-Level GRPO: mean reward of the rollouts", _chart(curves["rl"], _REWARDS, as_share=True)),
            *_by_position(curves["rl"]),
            ("Bi-Level GRPO: held-out programs", _chart(curves["rl"], _HELD_OUT, as_share=True)),
        ],
        examples=[(example, _source_lines(example)) for example in report["examples"]],
    )


def render_quality(report: Quality | Mapping[str, Any]) -> str:
    """The page of a data check, from a `content.Quality` (a `datastore.quality.QualityReport` as a dictionary)."""
    checks = list(report["checks"])
    page = _environment().get_template("quality.html.j2")
    return page.render(
        report=report,
        failed=[check for check in checks if not check["success"]],
        passed=[check for check in checks if check["success"]],
    )


def render_evaluation(report: Mapping[str, Any]) -> str:
    """The page of an evaluation, from `tasks.evaluation_page.evaluation_content`."""
    return _environment().get_template("evaluation.html.j2").render(report=report)


def render_comparison(found: Compared | Mapping[str, Any]) -> str:
    """The page of two models compared, from a `content.Compared`."""
    page = _environment().get_template("comparison.html.j2")
    plotted = ("final", "final, official", "step")
    rows = [
        (task["name"], measure["name"], "step" if measure["name"] == "step" else "final", measure["difference"])
        for task in found["tasks"]
        for measure in task["measures"]
        if measure["name"] in plotted
    ]
    charts = [
        (task["name"], line_chart(_by_states(task), x_label="printed states", as_share=True))
        for task in found["tasks"]
        if len(task["groups"]) > 1
    ]
    return page.render(found=found, differences=difference_plot(rows), charts=charts)


def _by_states(task: Mapping[str, Any]) -> list[Series]:
    """One curve per model, their intervals beside each other."""
    return [
        Series(
            key.upper(),
            style,
            tuple((group["states"], group[key]["mean"]) for group in task["groups"]),
            tuple((max(0.0, group[key]["low"]), min(1.0, group[key]["high"])) for group in task["groups"]),
            shift,
        )
        for key, style, shift in (("a", "one", -2.0), ("b", "two", 2.0))
    ]


def plain_page(
    title: str, lead: str, charts: Sequence[tuple[str, Markup]], head: Sequence[str], rows: Sequence[Sequence[str]]
) -> str:
    """A page of a measurement: named charts (`charts.line_chart`), and a table."""
    page = _environment().get_template("plain.html.j2")
    return page.render(title=title, lead=lead, charts=charts, head=head, rows=rows)


_HELD_OUT = [("held_out_step", "step", "step"), ("held_out_final", "final", "final")]
NUM_HUES = 8  # of style.css
_REWARDS = [("step_reward", "step", "step"), ("final_reward", "final", "final")]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tasks.pages", package_path="."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(
        share=share,
        change=change,
        interval=interval,
        duration=duration,
        day=day,
        plain=plain,
        verdict=lambda word: VERDICTS[word],
    )
    environment.globals.update(
        style=Markup(resources.files("tasks.pages").joinpath("style.css").read_text("utf-8")),
        plot=_plot,
        baseline_plot=_baseline_plot,
        verdict_plot=_verdict_plot,
        marked=marked,
    )
    return environment


def _finalize(value: Any) -> Any:
    """Everything that goes onto the page as text is made visible; markup of ours is left alone."""
    if value is None or isinstance(value, Undefined | Markup):
        return value
    return visible(value) if isinstance(value, str) else value


def share(value: float | None) -> str:
    """0.6213 as 62.1, -0.05 as −5.0; a dash where there is none (one program has no finite interval)."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.1f}".replace("-", "−")


def change(value: float) -> str:
    """0.052 as +5.2."""
    return "–" if not math.isfinite(value) else f"{100 * value:+.1f}".replace("-", "−")


def interval(one: Interval | None) -> str:
    """The bounds, as 58.0 – 66.4."""
    return "" if one is None else f"{share(one['low'])} – {share(one['high'])}"


def duration(seconds: float) -> str:
    """75 as 1 min 15 s; 0.42 as 0.4 s."""
    if round(seconds) < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def day(started: str) -> str:
    """2026-11-21T02:00:00+00:00 as 21 Nov 2026, 02:00 UTC."""
    moment = datetime.fromisoformat(started)
    zone = moment.tzname() or ""
    return f"{moment.day} {moment:%b %Y, %H:%M} {zone}".strip()


def plain(value: Any) -> str:
    """Any value of a JSON document, short, for people: text as it is, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(value, ensure_ascii=False, default=str)


def _head(score: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The three figures in the head of the page: the trained model's, and what they were before."""
    models: list[tuple[str, Figures]] = list(score["models"].items())
    before, after = models[0], models[min(1, len(models) - 1)]
    figures = []
    for key, name in (("final", "final accuracy"), ("step", "step accuracy"), ("gap", "gap, final − step")):
        value = after[1][key]  # type: ignore[literal-required]
        earlier = before[1][key] if before[0] != after[0] else None  # type: ignore[literal-required]
        if value is not None:
            figures.append({"key": key, "name": name, "value": value, "before": earlier, "before_name": before[0]})
    return figures


def _chart(rows: Sequence[Mapping[str, Any]], curves: Sequence[tuple[str, str, str]], *, as_share: bool) -> Markup:
    series = [
        Series(name, style, tuple((float(row["update"]), float(row[key])) for row in rows if _is_number(row.get(key))))
        for key, name, style in curves
    ]
    return line_chart(series, x_label="update", as_share=as_share)


def _by_position(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, Markup]]:
    """The chart of step rewards by the step's place in its response; none for a run that has no such figures."""
    curves = [(f"step_reward_{place + 1}", f"step {place + 1}", f"hue-{place}") for place in range(NUM_HUES)]
    if not any(_is_number(row.get(curves[0][0])) for row in rows):
        return []
    return [("Bi-Level GRPO: mean reward by step", _chart(rows, curves, as_share=True))]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plot(name: str, figures: Figures) -> Markup:
    marks = [(f"{name}: {key}", key, one) for key in ("step", "final") if (one := figures[key]) is not None]
    return interval_plot(marks)


def _verdict_plot(row: Mapping[str, Any]) -> Markup:
    """Strict (filled), official (hollow) and the best constant answer on one scale."""
    marks = [(f"strict: {row['task']}", "final", row["strict"])]
    if row["official"] is not None:
        marks.append((f"official: {row['task']}", "step", row["official"]))
    if row["constant"] is not None:
        constant = Interval(mean=row["constant"], low=row["constant"], high=row["constant"])
        marks.append((f"always {row['constant_name']}", "final hollow", constant))
    return interval_plot(marks)


def _baseline_plot(baseline: Baseline) -> Markup:
    points = {key: baseline[key] for key in ("step", "final")}
    return interval_plot(
        [
            (f"{baseline['name']}: {key}", f"{key} hollow", Interval(mean=value, low=value, high=value))
            for key, value in points.items()
            if value is not None
        ]
    )


def _source_lines(example: Example) -> list[dict[str, Any]]:
    """Lines of the anchored source: coloured text, and the numbers of the steps that its anchor printed."""
    visits: dict[int, list[int]] = {}
    for number, one in enumerate(example["steps"], start=1):
        if one["line"] is not None:
            visits.setdefault(one["line"], []).append(number)
    return [
        {"text": text, "steps": ", ".join(map(str, visits.get(number, [])))}
        for number, text in enumerate(coloured_lines(example["source"]), start=1)
    ]
