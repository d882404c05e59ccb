"""REval's truth read frame by frame: the value after a line and the line that follows, in the frame that ran it.

The published truth (`execution.flat`) takes the next record of all frames: after a call it answers for the callee's
last line with the caller's, and finds no value, or a namesake's, after a line that calls. Here a visit of a line is
one frame's consecutive events on that line; what follows is the same frame's next line, -1 where the frame ends; the
value is the one that the frame holds then, also where an exception left the line. A generator that is resumed goes on
in its frame. All else is as REval has it: lines and not statements, each value once, objects that it never tells left
out.

Frames of comprehensions and lambdas stand for themselves only where a line is visited in no other: elsewhere what they
do is part of the line that they are on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from evaluation.reval import Pair
from evaluation.reval_truth import PointTruth
from evaluation.visits import INNER
from execution.flat import NO_LINE, Record, kept, of_the_call, values_in
from execution.shown import Shown
from execution.traces import Event


@dataclass
class _Frame:
    """`after` holds, for each visit, the values once the frame left the line; `lines` the lines visited."""

    inner: bool
    values: dict[str, Shown] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    after: list[Record] = field(default_factory=list)


def frame_truths(pair: Pair, events: Iterable[Event]) -> list[PointTruth]:
    """One truth per point of the pair, in order. The events must not be cut; raises ValueError for a value that is."""
    frames = _frames(events)
    return [_truth(frames, point.line, point.variable) for point in pair.points]


def _frames(events: Iterable[Event]) -> list[_Frame]:
    frames: dict[int, _Frame] = {}
    for event in of_the_call(events):
        frame = frames.setdefault(event.frame, _Frame(event.function.rpartition(".")[2] in INNER))
        frame.values.update(event.changes)
        for name in event.deleted:
            frame.values.pop(name, None)
        if event.kind == "line" and frame.lines[-1:] != [event.line]:
            if frame.lines:
                frame.after.append(Record(event.line, kept(frame.values)))
            frame.lines.append(event.line)
    for frame in frames.values():
        if frame.lines:
            frame.after.append(Record(NO_LINE, kept(frame.values)))
    return list(frames.values())


def _truth(frames: list[_Frame], line: int, variable: str) -> PointTruth:
    visited = [frame for frame in frames if line in frame.lines]
    visited = [frame for frame in visited if not frame.inner] or visited
    after = [record for frame in visited for here, record in zip(frame.lines, frame.after, strict=True) if here == line]
    next_lines = {record.line for record in after} or {NO_LINE}
    values = dict.fromkeys(value for record in after for value in values_in(variable, [record]))
    return PointTruth(bool(after), tuple(sorted(next_lines)), tuple(values))
