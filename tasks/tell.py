"""Tell: one line per finished step, in words and figures, and whether it was done now or found from before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.progress import tell
from tasks.steps import StepResult

Summary = dict[str, Any]


def _collect(s: Summary) -> str:
    left_out = f", {s['num_bad']:,} bad rows left out" if s["num_bad"] else ""
    return (
        f"{s['num_real']:,} calls of real programs, {s['num_synthesised']:,} of "
        f"{s['num_synthesised_sources']:,} synthesised programs{left_out}"
    )


def _trace(s: Summary) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in s["set_aside"].items())
    told = f"{s['num_traces']:,} traces; {s['num_set_aside']:,} put aside" + (f" ({reasons})" if reasons else "")
    known = s["num_programs"] - s.get("num_executed", s["num_programs"])
    return told + (f"; {known:,} known from before" if known else "")


def _validate(s: Summary) -> str:
    return f"{s['num_checks']} checks passed on {s['num_rows']:,} traces"


def _publish(s: Summary) -> str:
    leaked = f", {s['num_contaminated']:,} kept out (in a benchmark)" if s["num_contaminated"] else ""
    return (
        f"dataset {s['dataset_id'][:12]}: {s['num_train']:,} to train on, {s['num_held_out']:,} held out, "
        f"{s['num_clusters']:,} clusters{leaked}"
    )


def _train(s: Summary) -> str:
    return f"{s['updates']:,} updates in {s['seconds']:,.0f} s"


def _evaluate(s: Summary) -> str:
    return f"{s['num_items']:,} answers, {s['num_items'] - s['num_judged']:,} not judged"


LINES: dict[str, Callable[[Summary], str]] = {
    "collect": _collect,
    "trace": _trace,
    "validate": _validate,
    "publish": _publish,
    "train-sft": _train,
    "train-rl": _train,
    "evaluate": _evaluate,
    "evaluate-benchmarks": _evaluate,
}


def tell_step(result: StepResult) -> StepResult:
    """Say how the step ended; hands the result on."""
    took = "reused, unchanged" if result.reused else f"{result.seconds:,.1f} s"
    tell(f"{result.job:<10} {LINES[result.job](result.summary)}  [{took}]")
    return result
