"""Show a trace: what one call of a program really does, for a person at a terminal."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from execution.anchors import Instrumented, instrument
from execution.sandbox import Job, Observation, Sandbox, Verdict, open_sandbox
from execution.traces import Event


def show_trace(file: Path, call: str, backend: str, out: Console, *, events: bool, as_json: bool) -> bool:
    """Print the anchored program, the state at each anchor, the result and the verdict; True where it ended well."""
    source = file.read_text("utf-8")
    try:
        placed = instrument(source)
        compile(call, "call", "eval")
    except SyntaxError as error:
        out.print(f"error: {file} or the call does not parse: {error}", markup=False)
        return False
    with open_sandbox(backend) as sandbox:
        seen = sandbox.run(Job(placed.source, call, placed.anchor_lines))
        traced = sandbox.run(Job(source, call, events=True)) if events or as_json else None
        if as_json:
            out.print_json(json.dumps(_as_dict(placed, seen, traced, sandbox)))
        else:
            _print(placed, seen, traced, sandbox, out)
    return seen.verdict == Verdict.OK


def _as_dict(placed: Instrumented, seen: Observation, traced: Observation | None, sandbox: Sandbox) -> dict[str, Any]:
    return {
        "instrumented": placed.source,
        "anchors": [dataclasses.asdict(anchor) for anchor in placed.anchors],
        "left_out": [list(item) for item in placed.left_out],
        "observation": dataclasses.asdict(dataclasses.replace(seen, events=())),
        "events": [dataclasses.asdict(event) for event in traced.events] if traced else [],
        "events_cut": bool(traced and traced.events_cut),
        "sandbox": {"backend": sandbox.name, "isolated": sandbox.isolated},
    }


def _print(placed: Instrumented, seen: Observation, traced: Observation | None, sandbox: Sandbox, out: Console) -> None:
    from rich.syntax import Syntax

    out.print(Syntax(placed.source, "python", line_numbers=True, background_color="default"))
    states = Table("anchor", "line", "state", title="states", title_justify="left")
    for position, text in seen.states:
        anchor = placed.anchors[position]
        states.add_row(str(anchor.index), str(anchor.instrumented_line), text)
    out.print(states)
    if traced:
        out.print(_event_table(traced.events))
        if traced.events_cut:
            out.print("(the events were cut at the limit)")
    if seen.stdout:
        out.print(f"printed: {seen.stdout!r}", markup=False)
    if seen.exception:
        out.print(f"raised: {seen.exception[0]}: {seen.exception[1]}", markup=False)
    elif seen.result is not None:
        out.print(f"result: {seen.result}  ({seen.result_type})", markup=False)
    isolation = "" if sandbox.isolated else "; WITHOUT ISOLATION"
    out.print(f"verdict: {seen.verdict} {seen.detail}".rstrip() + f"  ({sandbox.name}{isolation})", markup=False)


def _event_table(events: tuple[Event, ...]) -> Table:
    table = Table("event", "frame", "line", "what changed before it", title="events", title_justify="left")
    for event in events:
        changes = ", ".join(f"{name} = {text}" for name, (_, text) in event.changes.items())
        value = f" → {event.value[1]}" if event.value else ""
        table.add_row(event.kind, f"{event.frame} {event.function}", str(event.line), changes + value)
    return table
