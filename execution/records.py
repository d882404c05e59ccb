"""What the jail says about jobs, judged: every field is checked for shape and size before it is believed to exist.

The wait status, the times and the printed size come from the warm interpreter, which ran nothing; the records come
from the process that ran the program, and are that program's claim.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from execution.jail import FAILED
from execution.limits import Limits
from execution.runner import STARTED
from execution.sandbox import Observation, Verdict
from execution.traces import Event

FLAGS = {
    "settrace_called": "the program set a trace or profile function",
    "settrace_removed": "the tracer was gone when the program ended",
    "collector_walked": "the program asked the garbage collector for objects",
    "frames_walked": "the program read frames",
    "hook_added": "the program added an audit hook",
    "memory_reached": "the program used ctypes",
    "forged_state": "the program called the recorder of states itself",
    "states_cut": "more states, or longer ones, than the limits allow",
    "forged_record": "the record is malformed or not the runner's",
    "wants_processes": "the program asked for a process or a signal",
    "wants_threads": "the program asked for a thread",
    "wants_network": "the program asked for the network",
    "wants_files": "the program asked to write or change a file",
}
_OF_LOOKING = {"settrace_called", "settrace_removed", "collector_walked", "frames_walked"}
TAMPERING = frozenset({*_OF_LOOKING, "hook_added", "memory_reached", "forged_state", "forged_record"})
_KINDS = frozenset({"call", "line", "return", "exception"})
_SAID_VERDICTS = frozenset({Verdict.OK, Verdict.EXCEPTION, Verdict.MEMORY, Verdict.OUTPUT, Verdict.REFUSED})
_MAX_NAME_CHARS = 1000
_FAILED_STATUS = FAILED << 8
_NO_THREAD = ("RuntimeError", "can't start new thread")


class _Malformed(ValueError):
    """A field that the runner would not have written."""


@dataclass(frozen=True)
class Answer:
    """How one process ended, as the warm interpreter saw it, and what it wrote."""

    status: int
    cpu_s: float
    wall_s: float
    ended_by: int  # 0: by itself or a signal, 1: the wall limit, 2: the CPU limit
    num_printed: int
    record: bytes


def judge(answer: Answer, num_jobs: int, nonce: str, limits: Limits) -> list[Observation]:
    """One Observation for each job that has a record, and one more for the job at which the process ended badly.

    Fewer than `num_jobs` where the runner stopped between jobs by itself.
    """
    said: list[Observation] = []
    lines = answer.record.split(b"\n")[:-1]
    if not lines or lines[0] != STARTED:
        if not answer.record and answer.status == _FAILED_STATUS:
            return [Observation(Verdict.SANDBOX_FAILED, "the process could not be put under its limits")]
        if answer.status == 0:
            return [Observation(Verdict.CRASHED, "its record was destroyed", flags=("forged_record",))]
        return [_ended(answer, limits)]
    for line in lines[1 : num_jobs + 1]:
        try:
            said.append(_settle(_read(line, nonce, limits), limits))
        except (ValueError, RecursionError) as error:
            crashed = Observation(Verdict.CRASHED, f"malformed record: {error}", flags=("forged_record",))
            return [*said, crashed]
    badly = answer.ended_by or answer.status != 0 or len(lines) - 1 > num_jobs
    if badly and len(said) >= num_jobs:
        said = said[: num_jobs - 1]
    if badly:
        said.append(_ended(answer, limits))
    if num_jobs == 1 and len(said) == 1:
        said[0] = _with_times(said[0], answer, limits)
    return said


def _with_times(seen: Observation, answer: Answer, limits: Limits) -> Observation:
    if answer.num_printed > limits.output_bytes and seen.verdict != Verdict.TIMEOUT:
        return _ended(answer, limits)
    return replace(seen, wall_s=answer.wall_s, cpu_s=seen.cpu_s or answer.cpu_s)


def _ended(answer: Answer, limits: Limits) -> Observation:
    """The verdict on a process that left no complete record."""
    verdict, detail = Verdict.CRASHED, ""
    by = os.WTERMSIG(answer.status) if os.WIFSIGNALED(answer.status) else None
    if answer.ended_by == 1:
        verdict, detail = Verdict.TIMEOUT, f"still running after {limits.wall_s:g} s of wall time"
    elif answer.ended_by == 2 or by == signal.SIGXCPU or (by == signal.SIGKILL and answer.cpu_s >= limits.cpu_s):
        verdict, detail = Verdict.TIMEOUT, f"more than {limits.cpu_s:g} s of CPU time"
    elif answer.num_printed > limits.output_bytes:
        verdict, detail = Verdict.OUTPUT, f"printed more than {limits.output_bytes} bytes"
    elif by is not None:
        name = signal.Signals(by).name if by in set(signal.Signals) else str(by)
        detail = f"killed by {name}"
    else:
        detail = f"ended by itself with exit status {os.waitstatus_to_exitcode(answer.status)}"
    return Observation(verdict, detail, cpu_s=answer.cpu_s, wall_s=answer.wall_s)


def _settle(seen: Observation, limits: Limits) -> Observation:
    """The verdict that limits and flags give, whatever the record calls it."""
    times = {"cpu_s": seen.cpu_s, "wall_s": seen.wall_s, "flags": seen.flags}
    if seen.cpu_s > limits.cpu_s:
        return Observation(Verdict.TIMEOUT, f"more than {limits.cpu_s:g} s of CPU time", **times)  # type: ignore[arg-type]
    if len(seen.stdout.encode("utf-8", "surrogatepass")) >= limits.output_bytes or seen.verdict == Verdict.OUTPUT:
        detail = seen.detail or f"printed more than {limits.output_bytes} bytes"
        return Observation(Verdict.OUTPUT, detail, **times)  # type: ignore[arg-type]
    wants = [flag for flag in seen.flags if flag.startswith("wants_")]
    if seen.exception == _NO_THREAD:
        wants.append("wants_threads")
    if seen.verdict == Verdict.EXCEPTION and wants:
        kind, message = seen.exception or ("", "")
        return replace(seen, verdict=Verdict.REFUSED, detail=f"{FLAGS[wants[0]]}: {kind}: {message}")
    return seen


def _read(line: bytes, nonce: str, limits: Limits) -> Observation:
    raw = json.loads(line)
    if type(raw) is not dict or raw.get("nonce") != nonce:
        raise _Malformed("not the runner's")
    verdict = raw.get("verdict")
    if type(verdict) is not str or verdict not in _SAID_VERDICTS:
        raise _Malformed("verdict")
    is_ok = verdict == Verdict.OK
    exception = raw.get("exception")
    return Observation(
        verdict=Verdict(verdict),
        detail=_text(raw.get("detail", ""), limits.message_chars),
        states=tuple(_state(row, limits) for row in _list(raw.get("states", []), limits.num_states)),
        result=_text(raw.get("result"), limits.result_chars + 1) if is_ok else None,
        result_type=_text(raw.get("result_type"), _MAX_NAME_CHARS) if is_ok else None,
        result_is_literal=is_ok and raw.get("result_is_literal") is True,
        exception=None if exception is None else _pair(exception, limits.message_chars),
        stdout=_text(raw.get("stdout", ""), limits.output_bytes),
        arguments_after=tuple(
            _text(text, limits.result_chars + _MAX_NAME_CHARS) for text in _list(raw.get("arguments_after", []), 1000)
        ),
        events=tuple(_event(row, limits) for row in _list(raw.get("events", []), limits.num_events)),
        events_cut=raw.get("events_cut") is True,
        cpu_s=_seconds(raw.get("cpu_s", 0.0)),
        wall_s=_seconds(raw.get("wall_s", 0.0)),
        random_state=None if raw.get("random_state") is None else _text(raw["random_state"], 30),
        flags=tuple(_flag(flag) for flag in _list(raw.get("flags", []), len(FLAGS))),
    )


def _text(value: Any, most: int) -> str:
    if type(value) is not str or len(value) > most:
        raise _Malformed("text")
    return value


def _list(value: Any, most: int) -> Sequence[Any]:
    if type(value) is not list or len(value) > most:
        raise _Malformed("list")
    return value


def _natural(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise _Malformed("number")
    return value


def _seconds(value: Any) -> float:
    if type(value) is not float or not 0 <= value < 1e6:
        raise _Malformed("time")
    return value


def _flag(value: Any) -> str:
    if type(value) is not str or value not in FLAGS:
        raise _Malformed("flag")
    return value


def _pair(value: Any, most: int) -> tuple[str, str]:
    kind, text = _row(value, 2)
    return _text(kind, _MAX_NAME_CHARS), _text(text, most + 1)


def _row(value: Any, length: int) -> Sequence[Any]:
    if type(value) is not list or len(value) != length:
        raise _Malformed("row")
    return value


def _state(value: Any, limits: Limits) -> tuple[int, str]:
    position, text = _row(value, 2)
    return _natural(position), _text(text, limits.state_chars + 1)


def _event(value: Any, limits: Limits) -> Event:
    kind, frame, depth, function, line, changes, deleted, shown = _row(value, 8)
    if type(kind) is not str or kind not in _KINDS or type(changes) is not dict:
        raise _Malformed("event")
    most = max(limits.value_chars, limits.message_chars)
    return Event(
        kind=kind,
        frame=_natural(frame),
        depth=_natural(depth),
        function=_text(function, _MAX_NAME_CHARS),
        line=_natural(line),
        changes={name: _pair(pair, limits.value_chars) for name, pair in changes.items()},
        deleted=tuple(_text(name, limits.value_chars) for name in _list(deleted, 100_000)),
        value=None if shown is None else _pair(shown, most),
    )
