"""What the pages are made of: the plain dictionaries that `render` takes.

Shares, accuracies and rewards are in [0, 1]; times in seconds; lines of source count from 1. Text may be anything
that a model or a program wrote: it is shown as text, never as markup.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Interval(TypedDict):
    """An estimate with its 95 % interval."""

    mean: float
    low: float
    high: float


class Run(TypedDict):
    """Which run this was; `started` is ISO 8601, `url` leads to the run in the Prefect UI."""

    recipe: str
    seed: int
    dataset_id: str
    model: str
    model_version: int | None
    code_version: str
    started: str
    duration_s: float
    url: NotRequired[str | None]
    packages: NotRequired[dict[str, str]]


class Reason(TypedDict):
    """One reason of the gate; `passed` is None where it neither speaks for nor against."""

    text: str
    passed: NotRequired[bool | None]


class Decision(TypedDict):
    """What the gate said: verdict "promote", "hold" or "reject"; `summary`, shown after it, does not repeat it."""

    verdict: str
    summary: str
    reasons: list[Reason]


class Count(TypedDict):
    """A number of things; `note` says what they are."""

    label: str
    count: int
    note: NotRequired[str]


class Data(TypedDict):
    """Where the examples came from and went: `stages` from collected to published, `set_aside` by reason."""

    stages: list[Count]
    set_aside: list[Count]
    splits: list[Count]
    bad_rows: list[str]


class Figures(TypedDict):
    """One model (or baseline) on one task; `gap` is final minus step accuracy. None: not defined for it."""

    step: Interval | None
    final: Interval | None
    gap: Interval | None


class Baseline(TypedDict):
    """What a constant answer reaches on the same items."""

    name: str
    step: float | None
    final: float | None


class Score(TypedDict):
    """One task of one benchmark. `models` in the order of training (SFT, then Bi-Level GRPO, then others).

    `change` is the paired difference in final accuracy between the second model and the first.
    """

    benchmark: str
    task: str
    num_items: int
    num_clusters: int
    num_not_judged: int
    models: dict[str, Figures]
    baselines: list[Baseline]
    change: NotRequired[Interval | None]


class Curves(TypedDict):
    """Rows of the two stages' metrics.jsonl, as `training.metrics` writes them."""

    sft: list[dict[str, Any]]
    rl: list[dict[str, Any]]


class ExampleStep(TypedDict):
    """One step of a response beside the truth; `line` is the anchor's line in the anchored source."""

    line: int | None
    reasoning: str
    predicted: str | None
    truth: str | None
    correct: bool | None


class Example(TypedDict):
    """A held-out program, its anchored source, and what the model said about `call` step by step."""

    title: str
    task: str
    source: str
    call: str
    steps: list[ExampleStep]
    predicted: str | None
    truth: str | None
    correct: bool | None
    faults: list[str]


class Stage(TypedDict):
    """One step of the flow: how long it took, or that it was found from an earlier run."""

    name: str
    seconds: float
    reused: bool


class Sandbox(TypedDict):
    """Where the programs ran."""

    backend: str
    isolated: bool


class Report(TypedDict):
    """Everything on the page of a training run. The first score is the one in the head of the page."""

    title: str
    run: Run
    decision: Decision
    data: Data
    scores: list[Score]
    curves: Curves
    examples: list[Example]
    stages: list[Stage]
    sandbox: Sandbox


class Check(TypedDict):
    """One expectation of a suite and how it came out, as `datastore.quality.QualityCheck` has it."""

    expectation: str
    column: str | None
    kwargs: dict[str, Any]
    success: bool
    observed: Any
    unexpected_count: int | None
    num_rows: int | None
    examples: list[str] | tuple[str, ...]
    exception: str | None
    description: str


class Quality(TypedDict):
    """A suite's result, as `datastore.quality.QualityReport` has it."""

    suite: str
    success: bool
    num_rows: int
    checks: list[Check] | tuple[Check, ...]


class Side(TypedDict):
    """One of two compared models: its name, and where its rows came from."""

    name: str
    source: str
    num_rows: int


class Measure(TypedDict):
    """One measure of two models over the same `num_items` items; `difference` is B − A.

    `apart`: items that only A and only B have right, "" where it is not counted. `is_merit`: the more the better.
    """

    name: str
    num_items: int
    a: Interval
    b: Interval
    difference: Interval
    apart: str
    is_merit: bool


class StateGroup(TypedDict):
    """Final answers among programs with about so many printed states."""

    states: float
    a: Interval
    b: Interval


class ComparedTask(TypedDict):
    """One task of one benchmark; the first measure is the right final answers."""

    name: str
    num_items: int
    num_programs: int
    measures: list[Measure]
    groups: list[StateGroup]


class Compared(TypedDict):
    """Everything on the page of a comparison; `notes` say what is not paired."""

    a: Side
    b: Side
    tasks: list[ComparedTask]
    notes: list[str]
