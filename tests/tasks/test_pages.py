"""The pages: everything said is on them, nothing is fetched, and text of models stays text."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import UndefinedError

from datastore.quality import QualityCheck, QualityReport
from tasks.pages.charts import Series, interval_plot, line_chart, moving_mean, ticks
from tasks.pages.differences import difference_plot
from tasks.pages.render import duration, render_quality, render_report
from tasks.pages.text import coloured_lines, marked, visible

SOURCE = 'def f(n):\n    for i in range(n):\n        print(f"i: {i!r}")\n    return n  # done\n'


def figures(step: float | None, final: float) -> dict[str, Any]:
    def around(value: float) -> dict[str, float]:
        return {"mean": value, "low": value - 0.05, "high": value + 0.05}

    gap = None if step is None else around(final - step)
    return {"step": None if step is None else around(step), "final": around(final), "gap": gap}


REPORT: dict[str, Any] = {
    "title": "Version 7 of stepcode",
    "run": {
        "recipe": "tiny",
        "seed": 3,
        "dataset_id": "9f2c4e1a",
        "model": "stepcode",
        "model_version": 7,
        "code_version": "77aa01bc",
        "started": "2026-11-21T02:00:00+00:00",
        "duration_s": 441.0,
    },
    "decision": {
        "verdict": "hold",
        "summary": "Version 5 stays champion.",
        "reasons": [{"text": "no gain", "passed": False}, {"text": "for information"}],
    },
    "data": {
        "stages": [{"label": "synthesised", "count": 7800, "note": "2,600 programs"}],
        "set_aside": [{"label": "timeout", "count": 12, "note": "ran too long"}],
        "splits": [{"label": "train", "count": 6513}, {"label": "held out", "count": 888}],
        "bad_rows": ["rows.jsonl:17: no field 'output'"],
    },
    "scores": [
        {
            "benchmark": "held-out",
            "task": "output",
            "num_items": 1200,
            "num_clusters": 187,
            "num_not_judged": 2,
            "models": {"SFT": figures(0.702, 0.561), "Bi-Level GRPO": figures(0.76, 0.611)},
            "baselines": [{"name": "most frequent answer", "step": None, "final": 0.083}],
            "change": {"mean": 0.05, "low": -0.01, "high": 0.11},
        },
        {
            "benchmark": "CRUXEval",
            "task": "input",
            "num_items": 40,
            "num_clusters": 40,
            "num_not_judged": 0,
            "models": {"SFT": figures(None, 0.1)},
            "baselines": [],
        },
    ],
    "curves": {
        "sft": [{"update": 0, "held_out_step": 0.0, "held_out_final": None}, {"update": 10, "loss": 2.5}],
        "rl": [{"update": u, "step_reward": 0.5, "final_reward": 0.25} for u in range(1, 61)],
    },
    "examples": [
        {
            "title": "f, level 2",
            "task": "output",
            "source": SOURCE,
            "call": "f(2)",
            "steps": [
                {"line": 3, "reasoning": "i starts at 0", "predicted": "i: 0", "truth": "i: 0", "correct": True},
                {"line": 3, "reasoning": "then 2", "predicted": "i: 2", "truth": "i: 1", "correct": False},
            ],
            "predicted": "3",
            "truth": "2",
            "correct": False,
            "faults": ["extra_block"],
        }
    ],
    "stages": [{"name": "collect", "seconds": 3.1, "reused": False}, {"name": "trace", "seconds": 0.1, "reused": True}],
    "sandbox": {"backend": "bubblewrap", "isolated": True},
}


def report(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(REPORT), **changes}


VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """The text of a page, its tags with their attributes; fails where tags are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.parts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.parts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.get_starttag_text().endswith("/>") and (not self.open or self.open[-1] != tag):
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.parts.append(data)


QUALITY = QualityReport(
    "traces",
    False,
    5,
    (
        QualityCheck(
            "expect_a", "source", {"column": "source"}, True, None, 0, 5, (), None, "every trace has a source"
        ),
        QualityCheck("expect_b", "n", {"max_value": 10}, False, None, 1, 5, ("14",), None, "at most ten states"),
        QualityCheck("expect_c", None, {}, False, 3, None, None, (), "no such column", "enough rows"),
        QualityCheck("expect_d", None, {}, True, {"share": 0.5}, None, None, (), None, "a share"),
    ),
)


@pytest.mark.parametrize("html", [render_report(REPORT), render_quality(dataclasses.asdict(QUALITY))])
def test_page_fetches_nothing_and_runs_nothing(html: str) -> None:
    page = Page(html)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "embed"}
    for _, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on")} | {"src", "srcset"} & set(attributes)
    assert "@import" not in html
    assert "url(" not in html
    assert "://" not in html


@pytest.mark.parametrize(
    "said",
    [
        "Version 7 of stepcode",
        "21 Nov 2026, 02:00 UTC",
        "held",
        "Version 5 stays champion.",
        "no gain",
        "held-out · output",
        "1,200 answers, 187 programs, 2 not judged; final changed by +5.0 (−1.0 to +11.0)",
        "70.2 65.2 – 75.2",
        "61.1 56.1 – 66.1",
        "−14.9 −19.9 – −9.9",
        "most frequent answer – 8.3",
        "7,800",
        "timeout ran too long",
        "rows.jsonl:17: no field 'output'",
        "f(2)",
        "i starts at 0",
        "faults of the response: extra_block",
        "9f2c4e1a",
        "tiny, seed 3",
        "stepcode, version 7",
        "7 min 21 s",
        "collect 3.1 s",
        "trace reused",
        "programs ran isolated",
    ],
)
def test_report_says(said: str) -> None:
    assert said in Page(render_report(REPORT)).text


def test_report_of_a_run_without_isolation_says_so_loudly() -> None:
    bare = report(sandbox={"backend": "local", "isolated": False})
    assert "programs ran WITHOUT isolation" in Page(render_report(bare)).text


def test_report_leaves_nothing_out_silently() -> None:
    incomplete = report()
    del incomplete["run"]["dataset_id"]
    with pytest.raises(UndefinedError, match="dataset_id"):
        render_report(incomplete)


def test_report_of_a_run_without_scores_curves_or_examples_is_a_page() -> None:
    empty = report(scores=[], curves={"sft": [], "rl": []}, examples=[], stages=[])
    assert "nothing was recorded" in Page(render_report(empty)).text


def test_rewards_by_step_have_a_chart_where_they_were_logged() -> None:
    name = "Bi-Level GRPO: mean reward by step"
    assert name not in render_report(report())
    rows = [{"update": u, "step_reward_1": 0.5, "step_reward_2": 0.25, "step_reward_3": None} for u in (1, 2)]
    html = render_report(report(curves={"sft": [], "rl": rows}))
    assert name in html
    assert ">step 2" in html
    assert "step 3" not in html


def test_model_text_is_shown_as_text_and_can_always_be_written() -> None:
    hostile = "</code><script>alert(1)</script>\x00\ud800\u202e"
    changed = report()
    changed["examples"][0]["steps"][0]["reasoning"] = hostile
    changed["examples"][0]["steps"][0]["predicted"] = hostile
    changed["examples"][0]["source"] = f"x = 1  # {hostile}"
    html = render_report(changed)
    html.encode("utf-8")
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(r"</code><script>alert(1)</script>\x00\ud800\u202e") == 3


def test_steps_are_tied_to_their_anchor_line_and_judged_by_class() -> None:
    html = render_report(REPORT)
    anchors = re.findall(r'<li class="anchor"><code>(.*?)</code><span class="visits">(.*?)</span>', html)
    assert [(re.sub("<.*?>", "", code).strip(), steps) for code, steps in anchors] == [
        ("print(f&#34;i: {i!r}&#34;)", "1, 2")
    ]
    assert re.findall(r'<li class="(\w+)">\s*<p class="reasoning">', html) == ["right", "wrong"]
    assert '<code class="predicted">i: <mark>2</mark></code>' in html


def test_quality_page_puts_failed_checks_first_with_what_was_found() -> None:
    text = Page(render_quality(dataclasses.asdict(QUALITY))).text
    assert "2 of 4 checks failed on 5 rows." in text
    order = ["at most ten states", "enough rows", "every trace has a source", "a share"]
    assert sorted(order, key=text.index) == order
    assert "1 of 5 rows (20 %) are unexpected 14" in text
    assert "could not be evaluated: no such column" in text
    assert "5 rows, none unexpected" in text
    assert 'observed: {"share": 0.5}' in text


def test_quality_page_of_a_passed_suite_says_that_all_checks_hold() -> None:
    passed = dataclasses.replace(QUALITY, success=True, checks=QUALITY.checks[:1])
    assert "passed all 1 checks hold on 5 rows." in Page(render_quality(dataclasses.asdict(passed))).text


def test_chart_places_points_on_its_axes() -> None:
    chart = line_chart([Series("final", "final", ((0, 0.0), (10, 1.0)))], x_label="update", as_share=True)
    # 480 wide less margins of 40 and 92; 220 high less 12 and 30: share 0 is at 190, share 1 at 12.
    assert 'class="curve final" d="M40.0 190.0L388.0 12.0"' in chart
    assert "<title>update 10: final 100.0 %</title>" in chart


def test_chart_draws_intervals_beside_each_other_and_hovers_in_its_own_words() -> None:
    spans = ((0.0, 1.0), (0.5, 1.0))
    curves = [Series(name, name, ((0, 0.5), (10, 0.5)), spans, shift) for name, shift in (("one", -2.0), ("two", 2.0))]
    chart = line_chart(curves, x_label="printed states", as_share=True)
    assert '<line class="whisker one" x1="38.0" x2="38.0" y1="190.0" y2="12.0"/>' in chart
    assert '<line class="whisker two" x1="390.0" x2="390.0" y1="101.0" y2="12.0"/>' in chart
    assert "<title>printed states 10: two 50.0 %</title>" in chart


def test_chart_shades_a_band_from_low_to_high_and_a_zoomed_axis_reaches_its_ends() -> None:
    curve = Series("one", "hue-0", ((0, 0.5), (10, 0.5)), ((0.2, 0.6), (0.4, 0.6)), band=True)
    chart = line_chart([curve], x_label="update", as_share=True, zoomed=True)
    # the axis goes from 0.2 to 0.6, so 0.4 is half-way between 190 and 12
    assert '<path class="band hue-0" d="M40.0 190.0L388.0 101.0L388.0 12.0L40.0 12.0Z"/>' in chart
    assert "whisker" not in chart


def test_chart_axes_have_units_negative_places_and_no_number_twice() -> None:
    chart = line_chart([Series("a", "final", ((-4, 0.0), (4, 1.0)))], x_label="gain", as_share=True)
    assert 'class="end">100 %</text>' in chart
    assert 'class="curve final" d="M40.0 190.0L388.0 12.0"' in chart, "-4 is at the left end"
    small = line_chart([Series("a", "final", ((0, 0.0), (1, 1.0)))], x_label="gain", as_share=True)
    labels = re.findall(r'class="middle">([^<]*)<', small)
    assert labels == ["0", "0.5", "1"]


def test_difference_plot_places_zero_in_the_middle_and_says_what_has_no_interval() -> None:
    plot = difference_plot(
        [
            ("held_out/output", "final", "final", {"mean": 0.1, "low": 0.0, "high": 0.2}),
            ("held_out/output", "step", "step", {"mean": -0.05, "low": -math.inf, "high": math.inf}),
        ]
    )
    # 720 wide less margins of 210 and 170: zero at 380, 0.2 a 1.05th of the way from there to 550
    assert '<line class="zero" x1="380.0"' in plot
    assert '<line class="whisker final" x1="380.0" y1="33.0" x2="541.9" y2="33.0"/>' in plot
    assert plot.count("whisker") == 1
    assert "+10.0 (+0.0 to +20.0)" in plot and ">−5.0<" in plot
    assert plot.count(">held_out/output<") == 1, "a task is named once"


def test_chart_names_of_curves_that_end_together_do_not_overlap() -> None:
    same = [Series(name, "step", ((0, 0.5), (10, 0.5))) for name in ("a", "b", "c")]
    heights = [
        float(y)
        for y in re.findall(r'class="name step" x="[\d.]+" y="([\d.]+)"', line_chart(same, x_label="", as_share=True))
    ]
    assert [later - earlier for earlier, later in itertools.pairwise(heights)] == [15.0, 15.0]


def test_chart_names_stay_inside_at_the_bottom() -> None:
    low = [Series(name, "step", ((0, 0.0), (10, 0.0))) for name in ("a", "b")]
    heights = [
        float(y)
        for y in re.findall(r'class="name step" x="[\d.]+" y="([\d.]+)"', line_chart(low, x_label="", as_share=True))
    ]
    assert heights == [178.5, 193.5]


def test_chart_names_that_are_pushed_up_leave_those_far_above_alone() -> None:
    ends = [("a", 1.0), ("b", 0.0), ("c", 0.0)]
    series = [Series(name, "step", ((0, 0.5), (10, value))) for name, value in ends]
    heights = re.findall(r'class="name step" x="[\d.]+" y="([\d.]+)"', line_chart(series, x_label="", as_share=True))
    assert heights == ["15.5", "178.5", "193.5"]


def test_chart_makes_room_for_long_names() -> None:
    chart = line_chart([Series("n" * 30, "step", ((0, 0.0), (10, 1.0)))], x_label="", as_share=True)
    end = float(re.findall(r'class="name step" x="([\d.]+)"', chart)[0])
    assert end + 6.5 * len("n" * 30 + " 100.0 %") < 480


def test_noisy_curves_are_shown_with_their_moving_mean() -> None:
    saw = tuple((float(x), float(x % 2)) for x in range(1, 62))
    chart = line_chart([Series("step", "step", saw)], x_label="", as_share=True)
    assert chart.count("<path") == 2
    assert 'class="curve faint step"' in chart


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 4.45, [0, 2, 4, 6]), (0, 0.9, [0, 0.5, 1]), (0, 800, [0, 200, 400, 600, 800]), (0, 0, [0, 0.5, 1])],
)
def test_ticks_are_round_and_enclose_the_values(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected


def test_moving_mean_uses_fewer_points_at_the_ends() -> None:
    points = [(0.0, 0.0), (1.0, 3.0), (2.0, 6.0), (3.0, 0.0), (4.0, 6.0)]
    assert [y for _, y in moving_mean(points)] == [0.0, 3.0, 3.0, 4.0, 6.0]


def test_interval_plot_keeps_what_is_out_of_scale_at_its_border() -> None:
    plot = interval_plot([("final", "final", {"mean": 0.0, "low": -0.2, "high": 0.5})])
    assert 'x1="4.0" x2="120.0"' in plot


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        ("i: 12", "i: 2", "i: <mark>1</mark>2"),
        ("run: 2", "run: 1", "run: <mark>2</mark>"),
        ("same", "same", "same"),
        ("[1, 1]", "[1, 1, 1]", "[1, 1]"),
        ("<a>", "<b>", "&lt;<mark>a</mark>&gt;"),
    ],
)
def test_marked_is_what_the_other_text_does_not_share(text: str, other: str, expected: str) -> None:
    assert marked(text, other) == expected


def test_coloured_lines_hold_the_source_unchanged() -> None:
    lines = coloured_lines(SOURCE)
    assert "".join(re.sub("<.*?>", "", line) + "\n" for line in lines).replace("&#34;", '"') == SOURCE
    assert lines[0].startswith('<span class="k">def</span> f')
    assert lines[3].endswith('<span class="c"># done</span>')


def test_long_text_is_cut_and_says_how_long_it_was() -> None:
    assert visible("x" * 1500, max_chars=3) == "xxx… (1,500 characters)"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.42, "0.4 s"), (31, "31 s"), (59.7, "1 min 0 s"), (441, "7 min 21 s"), (7260, "2 h 1 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
