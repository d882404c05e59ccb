"""Show a trace: what one call of a program really does, for a person at a terminal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from execution.anchors import Instrumented, instrument
from execution.observe import wants_to_write
from execution.sandbox import Job, Observation, Sandbox, Verdict, open_sandbox
from execution.source_file import SourceFileError, read_source
from execution.traces import Event

MAX_SHOWN_CHARS = 500  # of one value in a table; `--json` has all


def anchored_bytes(file: Path) -> bytes:
    """The file with its print anchors, in its own encoding. Raises SourceFileError where it does not parse."""
    source = read_source(file)
    try:
        return source.encoded(instrument(source.text).source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise _parse_error(source.parse_error, error) from None


def show_trace(file: Path, call: str, backend: str, out: Console, *, events: bool, as_json: bool) -> bool:
    """Print the anchored program, the state at each anchor, the result and the verdict; True where it ended well.

    Raises SourceFileError where the file or the call does not parse, SandboxError where there is no sandbox.
    """
    source = read_source(file)
    try:
        placed = instrument(source.text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise _parse_error(source.parse_error, error) from None
    try:
        compile(call.strip(), "call", "eval")
    except (SyntaxError, ValueError) as error:
        raise SourceFileError(f"the call {call!r} is no expression: {getattr(error, 'msg', error)}") from None
    with open_sandbox(backend) as sandbox:
        anchored = Job(placed.source, call, placed.anchor_lines)
        seen = sandbox.run(anchored)
        writes = wants_to_write(seen)
        if writes:
            seen = sandbox.run(dataclasses.replace(anchored, files=True))
        wanted = events or as_json or seen.exception is not None
        traced = sandbox.run(Job(source.text, call, events=True, files=writes)) if wanted else None
        if as_json:
            out.print_json(json.dumps(_as_dict(placed, seen, traced, sandbox)))
        else:
            _print_program(placed, seen, out)
            if traced and events:
                _print_events(traced, source.text, out)
            if writes:
                out.print("(it writes files: it was run in an empty folder of its own, which is gone)")
            _print_end(seen, traced, sandbox, out)
    return seen.verdict == Verdict.OK


def _parse_error(make: Any, error: SyntaxError | ValueError | RecursionError) -> SourceFileError:
    found: SourceFileError = make(ValueError("nested too deeply") if isinstance(error, RecursionError) else error)
    return found


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


def _print_program(placed: Instrumented, seen: Observation, out: Console) -> None:
    from rich.syntax import Syntax

    out.print(Syntax(placed.source.rstrip(), "python", line_numbers=True, background_color="default"))
    if not placed.anchors:
        reasons = "; ".join(dict.fromkeys(reason for _, reason in placed.left_out)) or "nothing is assigned"
        out.print(f"states: none, no anchor could be placed: {reasons}", markup=False)
    elif not seen.states:
        out.print("states: none, no anchor was reached")
    else:
        states = Table("anchor", "line", "state", title="states", title_justify="left")
        for position, text in seen.states:
            anchor = placed.anchors[position]
            states.add_row(str(anchor.index), str(anchor.instrumented_line), _short(text))
        out.print(states, markup=False)


def _print_events(traced: Observation, source: str, out: Console) -> None:
    lines = source.splitlines()
    title = "events, on the original program"
    table = Table("event", "frame", "line", "source", "what changed before it", title=title, title_justify="left")
    for event in traced.events:
        changes = ", ".join(f"{name} = {text}" for name, (_, text) in event.changes.items())
        gone = ", ".join(f"{name} is gone" for name in event.deleted)
        value = f"→ {event.value[1]}" if event.value else ""
        text = lines[event.line - 1].strip() if event.kind == "line" and event.line <= len(lines) else ""
        told = " ".join(filter(None, (", ".join(filter(None, (changes, gone))), value)))
        frame = f"{event.frame} {event.function}"
        table.add_row(event.kind, frame, str(event.line), _short(text, 60), _short(told), style=_STYLES.get(event.kind))
    out.print(table, markup=False)
    if traced.events_cut:
        out.print(f"(the events were cut at the limit, after {len(traced.events):,})")


_STYLES = {"call": "bold", "return": "bold", "exception": "red"}


def _print_end(seen: Observation, traced: Observation | None, sandbox: Sandbox, out: Console) -> None:
    if seen.stdout:
        out.print(f"printed: {_short(repr(seen.stdout), 2000)}", markup=False)
    detail = seen.detail
    if seen.exception:
        kind, message = seen.exception
        place = raised_at(traced.events if traced else (), kind)
        where = f" (line {place.line} of the original, in {place.function})" if place else ""
        out.print(f"raised: {': '.join(filter(None, (kind, message)))}{where}", markup=False)
        if kind == "ModuleNotFoundError":
            out.print("(in the sandbox there is the standard library, and no other package or file)")
        detail = detail.removesuffix(f": {kind}: {message}")
    elif seen.result is not None:
        out.print(f"result: {_short(seen.result, 2000)}  ({seen.result_type})", markup=False)
    isolation = "" if sandbox.isolated else "; WITHOUT ISOLATION"
    verdict = ": ".join(filter(None, (str(seen.verdict), detail)))
    out.print(f"verdict: {verdict}  ({sandbox.name}{isolation})", markup=False)


def raised_at(events: Iterable[Event], kind: str) -> Event | None:
    """Where the exception of this type that ended the run came up first: the deepest of the frames that passed it on.

    None where it came up in the call itself, outside the program's own lines.
    """
    found: Event | None = None
    for event in reversed([event for event in events if event.kind == "exception"]):
        if found is None:
            found = event if event.value and event.value[0] == kind else None
        elif event.value == found.value and event.depth > found.depth:
            found = event
        else:
            break
    return found


def _short(text: str, most: int = MAX_SHOWN_CHARS) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
