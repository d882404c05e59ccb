"""What one run of a program showed: states at anchors, line events, result; JSON in and out."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from execution.program import Program, content_id


@dataclass(frozen=True)
class State:
    """The line that one anchor printed: `text` is `NAME: VALUE`, exactly as printed, without line end."""

    anchor: int
    name: str
    text: str


@dataclass(frozen=True)
class Event:
    """One step of the interpreter in the program's own file (never a library's), on the *original* source.

    kind: "call", "line", "return" or "exception". `frame` numbers the frames in order of creation from 0
    (never reused); `depth` is 0 for the module frame; `function` is the code's qualified name; `line` is
    1-based. `changes` are the locals of that frame that are new or changed since the frame's previous event,
    as name -> (type name, canonical text); `deleted` those gone. So a variable's value *after* a line is
    read from the frame's next event. `value` is the returned value, or the exception as (type, message).
    """

    kind: str
    frame: int
    depth: int
    function: str
    line: int
    changes: dict[str, tuple[str, str]] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    value: tuple[str, str] | None = None


@dataclass(frozen=True)
class Trace:
    """Truth about one program: verified equal between original and instrumented run, and two hash seeds.

    `result` is the canonical literal of the call's value (`execution.values`) or None where it raised;
    `result_type` its type name; `exception` the (type, message) where it raised. `states` are in execution
    order. `events` may be cut at the limit, then `events_cut` is True. `versions` are those of interpreter,
    instrumentor and tracer, the hash seeds, the sandbox's backend and its limits (`execution.observe.trace_versions`).
    """

    program: Program
    instrumented: str
    states: tuple[State, ...]
    result: str | None
    result_type: str | None
    exception: tuple[str, str] | None
    stdout: str
    events: tuple[Event, ...]
    events_cut: bool
    versions: dict[str, str]

    @property
    def trace_id(self) -> str:
        """Identity of what was observed of the program, and with what (`versions`); not of where it came from."""
        content = json.loads(self.to_json())
        content["program"] = self.program.program_id
        return content_id("trace", content)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Trace:
        raw: dict[str, Any] = json.loads(text)
        events = tuple(
            Event(
                **{
                    **event,
                    "changes": {name: (kind, shown) for name, (kind, shown) in event["changes"].items()},
                    "deleted": tuple(event["deleted"]),
                    "value": None if event["value"] is None else (event["value"][0], event["value"][1]),
                }
            )
            for event in raw["events"]
        )
        exception = raw["exception"]
        return Trace(
            **{
                **raw,
                "program": Program(**raw["program"]),
                "states": tuple(State(**state) for state in raw["states"]),
                "exception": None if exception is None else (exception[0], exception[1]),
                "events": events,
            }
        )


@dataclass(frozen=True)
class SetAside:
    """A program that yields no trace, and why. `reason` is one of the names of `execution.observe.REASONS`."""

    program: Program
    reason: str
    detail: str = ""
