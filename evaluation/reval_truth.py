"""REval's truth about its points, from runs in the sandbox: coverage, the lines that follow, values after a line.

REval reads one flattened list of events over all frames (`execution.flat`); published figures are measured against
that, right or wrong. For a class (ClassEval) an input is the first test method of one test class: the test module is
executed beside the program and the object made and set up while the module runs, so that the method alone is traced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluation.reval import Pair, RevalRow
from execution.anchors import Instrumented
from execution.flat import Flattened, expressions_to_watch, flattened
from execution.limits import DEFAULT_LIMITS, MEBIBYTE, Limits
from execution.sandbox import Job, Observation, Sandbox, Verdict
from execution.shown import Shown

# Ample for these programs, the longest run of which has 27,000 events: a cut event or value would be no truth.
TRUTH_LIMITS: Limits = replace(
    DEFAULT_LIMITS,
    cpu_s=10.0,
    wall_s=100.0,
    memory_bytes=4096 * MEBIBYTE,
    record_bytes=64 * MEBIBYTE,
    num_events=200_000,
    event_chars=32_000_000,
    value_chars=100_000,
)
# What programs of ClassEval import besides the standard library.
PACKAGES = ("numpy", "gensim", "beautifulsoup4", "lxml")
# Executes a class's test module in a file of its own, so that no line of it is traced, in the program's namespace, and
# finds the test class of the input. The programs were written for numpy 1, which had `mat`.
FIND_TEST_CLASS = """
import sys, unittest
numpy = sys.modules.get("numpy")
if numpy is not None and not hasattr(numpy, "mat"):
    numpy.mat = numpy.asmatrix
exec(compile(text, "<test>", "exec"), namespace)
cases = [
    value
    for value in namespace.values()
    if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ != "unittest.case"
]
chosen = cases[index]
"""
# Appended to the program: leaves the bound test method of the chosen class under the name `test_`.
_PREPARE = f"""{FIND_TEST_CLASS}
name = next(name for name in vars(chosen) if name.startswith("test"))
chosen.setUpClass()
case = chosen(name)
case.setUp()
namespace["test_"] = getattr(case, name)
"""


@dataclass(frozen=True)
class PointTruth:
    """What REval says about one point. `next_lines` holds -1 for the end and for a line that is never reached;
    `values` are (type name, canonical text), each once; empty where REval says Nil."""

    covered: bool
    next_lines: tuple[int, ...]
    values: tuple[Shown, ...]


class NoTruth(RuntimeError):
    """A run that says nothing about its points; the message says why."""


def pair_job(row: RevalRow, pair: Pair, placed: Instrumented | None = None) -> Job:
    """The run of one input. A class's test module imports unittest, so run each in a process of its own (`run`).

    `placed` is the program with print anchors: its states are recorded then, and no events.
    """
    source, call = row.source if placed is None else placed.source, "test_()"
    if row.test is None:
        call = f"{row.entry_point}{pair.input.strip()[:-2]})"
    else:
        given = f"{{'text': {row.test!r}, 'index': {pair.input_index}, 'namespace': globals()}}"
        source = f"{source}\nexec(compile({_PREPARE!r}, '<prepare>', 'exec'), {given})\n"
    if placed is not None:
        return Job(source, call, placed.anchor_lines)
    watched = dict.fromkeys(text for point in pair.points for text in expressions_to_watch(point.variable))
    return Job(source, call, events=True, watched=tuple(watched))


def run_pair(row: RevalRow, pair: Pair, sandbox: Sandbox, placed: Instrumented | None = None) -> Observation:
    """The run of one input; where it comes to nothing, once more with an empty folder to write files in."""
    job = pair_job(row, pair, placed)
    seen = sandbox.run(job)
    return seen if seen.verdict == Verdict.OK else sandbox.run(replace(job, files=True))


def truths(pair: Pair, seen: Observation) -> list[PointTruth]:
    """REval's answers about the pair's points, in order. Raises NoTruth where the run failed or was cut."""
    if seen.verdict != Verdict.OK:
        raise NoTruth(f"input {pair.input_index}: {seen.verdict} {seen.detail} {seen.exception or ''}".strip())
    if seen.events_cut:
        raise NoTruth(f"input {pair.input_index}: the events were cut at the limits")
    view: Flattened = flattened(seen.events)
    return [_truth(view, point.line, point.variable, pair.input_index) for point in pair.points]


def _truth(view: Flattened, line: int, variable: str, input_index: int) -> PointTruth:
    try:
        values: Sequence[Shown] = view.values(line, variable)
    except ValueError as error:
        raise NoTruth(f"input {input_index}, {variable} after line {line}: {error}") from None
    return PointTruth(view.covered(line), tuple(view.next_lines(line)), tuple(values))
