"""Runs of REval's programs: the truth about each input, and the program with print anchors, each found once.

The program with anchors is believed where it does what the original does, under two hash seeds
(`execution.observe.why_not`). Its questions are asked of its own lines; the truth about them stays the original's
(arXiv 2605.11922, appendix B).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from evaluation.inputs import MAX_STATES
from evaluation.jails import Jails
from evaluation.reval import Pair, RevalRow
from evaluation.reval_frames import frame_truths
from evaluation.reval_truth import PACKAGES, TRUTH_LIMITS, NoTruth, PointTruth, run_pair, truths
from execution.anchors import Instrumented, instrument
from execution.observe import why_not
from execution.sandbox import Observation, Verdict

_SECOND_SEED = 1
NO_ANCHORS = "no_anchors"


@dataclass(frozen=True)
class PairTruth:
    """Truth about the points of one input. `why_none` is "no_truth" or "sandbox_failed" where there is none; `frames`
    is empty where the frames' own truth can't be told."""

    points: tuple[PointTruth, ...] = ()
    frames: tuple[PointTruth, ...] = ()
    why_none: str = ""


@dataclass(frozen=True)
class Stepwise:
    """A program with anchors and the states that one input prints; `why_not` is why there is none."""

    placed: Instrumented | None = None
    states: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def source(self) -> str:
        return "" if self.placed is None else self.placed.source

    def asked_line(self, line: int) -> int:
        """Where a question about an original line points to. A `return` that was split to print its value is its
        second half: there the function ends, as the truth has it."""
        assert self.placed is not None
        return next((half for half, original in self._halves.items() if original == line), self.placed.line_map[line])

    def shown_line(self, line: int) -> int:
        """Where an original line begins: the line that is next when it is next."""
        assert self.placed is not None
        return self.placed.line_map[line]

    def original_line(self, line: int) -> int | None:
        """The original line of a line of the listing, of either half of a split `return`; None for an anchor."""
        assert self.placed is not None
        return self.placed.original_lines.get(line, self._halves.get(line))

    @cached_property
    def _halves(self) -> dict[int, int]:
        """Line of `return NAME` after a return's anchor -> the original return's line."""
        assert self.placed is not None
        lines = self.placed.source.split("\n")
        found = {}
        for anchor in self.placed.anchors:
            after = anchor.instrumented_line + 1
            first = lines[self.placed.line_map[anchor.line] - 1].lstrip()
            is_split = anchor.kind == "return" and first.startswith(f"{anchor.name} =")
            if is_split and lines[after - 1].strip() == f"return {anchor.name}":
                found[after] = anchor.line
        return found


class RevalRuns:
    """Truth and steps by program and input; give the same one for several forms and nothing is run twice."""

    def __init__(self, jails: Jails) -> None:
        self._jails = jails
        self._truths: dict[tuple[str, str, int], PairTruth] = {}
        self._originals: dict[tuple[str, str, int], Observation] = {}
        self._steps: dict[tuple[str, str, int], tuple[Instrumented, tuple[Observation, ...]] | str] = {}

    def truth(self, row: RevalRow, pair: Pair) -> PairTruth:
        key = _key(row, pair)
        if key not in self._truths:
            self._truths[key] = self._truth(row, pair)
        return self._truths[key]

    def stepwise(self, row: RevalRow, pair: Pair, max_states: int = MAX_STATES) -> Stepwise:
        """`why_not` is a name of `execution.observe.REASONS`: syntax_error, too_many_states, … An input that prints
        nothing has no states and is asked like the others."""
        key = _key(row, pair)
        if key not in self._steps:
            self._steps[key] = self._observed(row, pair)
        found = self._steps[key]
        if isinstance(found, str):
            return Stepwise(why_not=found)
        placed, runs = found
        reason = why_not(runs, max_states)
        if reason is not None and reason[0] != NO_ANCHORS:
            return Stepwise(why_not=reason[0])
        return Stepwise(placed, tuple(text for _, text in runs[2].states))

    def _truth(self, row: RevalRow, pair: Pair) -> PairTruth:
        seen = self._original(row, pair, events=True)
        if seen.verdict is Verdict.SANDBOX_FAILED:
            return PairTruth(why_none="sandbox_failed")
        try:
            points = truths(pair, seen)
        except NoTruth:
            return PairTruth(why_none="no_truth")
        try:
            frames = frame_truths(pair, seen.events)
        except ValueError:
            frames = []
        return PairTruth(tuple(points), tuple(frames))

    def _original(self, row: RevalRow, pair: Pair, *, events: bool) -> Observation:
        """The run of the original; its events are not kept."""
        key = _key(row, pair)
        if events or key not in self._originals:
            seen = run_pair(row, pair, self._jails.get(TRUTH_LIMITS, PACKAGES))
            self._originals[key] = replace(seen, events=())
            return seen
        return self._originals[key]

    def _observed(self, row: RevalRow, pair: Pair) -> tuple[Instrumented, tuple[Observation, ...]] | str:
        placed = _placed(row.source)
        if placed is None:
            return "syntax_error"
        seeds = self._jails.get(TRUTH_LIMITS, PACKAGES), self._jails.get(TRUTH_LIMITS, PACKAGES, _SECOND_SEED)
        runs = [
            self._original(row, pair, events=False),
            replace(run_pair(row, pair, seeds[1]), events=()),
            *(run_pair(row, pair, sandbox, placed) for sandbox in seeds),
        ]
        return placed, tuple(runs)


def _key(row: RevalRow, pair: Pair) -> tuple[str, str, int]:
    return row.item_id, row.source, pair.input_index


@lru_cache(maxsize=256)
def _placed(source: str) -> Instrumented | None:
    try:
        return instrument(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
