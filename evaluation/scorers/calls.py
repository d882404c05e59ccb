"""Calls: a program's function called in the jail on inputs, one after another, and what each call gave.

What is expected never enters the jail: the calls come back as texts, are read here as literals, and are compared
here. So a program can only claim outputs, and gains nothing by a class with an `__eq__` of its own or by reaching
for what judges it.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluation.run_verdicts import verdict_of
from execution.limits import DEFAULT_LIMITS, MEBIBYTE
from execution.observe import wants_to_write
from execution.sandbox import Job, Observation, Sandbox, Verdict

# Large inputs and outputs; 4 GB as in the published scorers; the CPU time of a whole task.
CALL_LIMITS = replace(
    DEFAULT_LIMITS,
    cpu_s=60.0,
    wall_s=300.0,
    memory_bytes=4096 * MEBIBYTE,
    result_chars=16_000_000,
    record_bytes=64 * MEBIBYTE,
    request_bytes=64 * MEBIBYTE,
    value_depth=60,
)
_OPAQUE, _BIG, _LONG = b"\0opaque ", b"\0int ", b"\0long "
MAX_SHOWN_CHARS = 500_000  # of one value's text; of a longer one only a digest comes back

# Inside the jail. A value that no literal stands for becomes marked bytes; containers and numbers of derived classes
# become plain ones by their base class's own methods. A timer limits each call's CPU time, and five times that of wall
# time for one that waits.
_HARNESS = r"""
import hashlib, io, signal, sys, time
inf, nan = float("inf"), float("nan")
class Late(BaseException): pass
def late(number, frame): raise Late
def plain(value):
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is bytes or kind is float or kind is complex: return value
    if isinstance(value, int):
        value = int.__add__(value, 0)
        return value if value.bit_length() < 10000 else b"\0int " + hex(value).encode()
    if isinstance(value, str): return str.__add__(value, "")
    if isinstance(value, float): return float.__add__(value, 0.0)
    if isinstance(value, list): return [plain(item) for item in list.__iter__(value)]
    if isinstance(value, tuple): return tuple([plain(item) for item in tuple.__iter__(value)])
    if isinstance(value, dict): return {plain(name): plain(item) for name, item in dict.items(value)}
    if isinstance(value, set): return {plain(item) for item in set.__iter__(value)}
    if isinstance(value, frozenset): return frozenset([plain(item) for item in frozenset.__iter__(value)])
    return b"\0opaque " + kind.__name__.encode("utf-8", "replace")
def shown(value, most):
    kind = list if isinstance(value, list) else tuple
    if isinstance(value, kind) and kind.__len__(value) > most // 10:
        digest = hashlib.sha256(kind.__name__.encode())
        for item in kind.__iter__(value): digest.update(repr(plain(item)).encode("utf-8", "replace") + b"\n")
        return b"\0long " + digest.digest()
    value = plain(value)
    text = repr(value)
    return value if len(text) <= most else b"\0long " + hashlib.sha256(text.encode("utf-8", "replace")).digest()
class Sink(io.StringIO):
    def write(self, text): return len(text)
def calls(program, names, find, inputs, limits, most):
    sink, clock, real = Sink(), time.process_time, sys.stdout
    timer, cpu, wall = signal.setitimer, signal.ITIMER_PROF, signal.ITIMER_REAL
    signal.signal(signal.SIGPROF, late)
    signal.signal(signal.SIGALRM, late)
    def arm(seconds):
        timer(cpu, seconds)
        timer(wall, 5 * seconds)
    sys.stdout = sink
    seen = []
    try:
        arm(limits[0])
        try:
            exec(compile(program, "<program>", "exec"), names)
            function = find(names)
        finally:
            arm(0)
        for arguments, limit in zip(inputs, limits):
            started = clock()
            arm(limit)
            try:
                value = function(*arguments)
            finally:
                arm(0)
            used = clock() - started
            try: value = shown(value, most)
            except RecursionError: value = b"\0opaque " + type(value).__name__.encode()
            seen.append(("gave", value, int(used * 1000)))
    except Late: seen.append(("late", None, 0))
    except MemoryError: seen.append(("memory", None, 0))
    except BaseException as error: seen.append(("raised", type(error).__name__, 0))
    arm(0)
    sys.stdout = real
    return seen
"""


@dataclass(frozen=True)
class Opaque:
    """A value of which no literal came back: only its class is known, or the digest of its long text, by which equal
    ones are told."""

    name: str


@dataclass(frozen=True)
class Called:
    """What calls gave, in order: `values` and each one's CPU time, until the first that failed.

    `ended` is "" where all returned, else why not: "raised", "late", "memory", "stopped" (by another limit of the
    sandbox, or by its own exit), "sandbox_failed". `flags`: what the sandbox noticed, names of
    `execution.records.FLAGS`. `verdict` says the same as `ended`, and which limit, in the words of
    `evaluation.run_verdicts`; "" where nothing was called.
    """

    values: tuple[Any, ...]
    times_s: tuple[float, ...]
    ended: str = ""
    detail: str = ""
    flags: tuple[str, ...] = ()
    verdict: str = ""


def call_all(
    program: str,
    inputs: Sequence[Sequence[Any]],
    limits_s: Sequence[float],
    sandbox: Sandbox,
    *,
    find: str,
    names: str = "{}",
) -> Called:
    """Run `program` in the namespace `names` (an expression), then call what `find` (an expression of `names`) gives
    on each of `inputs` under its CPU limit. One process; nothing is called after a call that failed."""
    if not inputs:
        return Called((), ())
    source = (
        f"{_HARNESS}\n_inputs = {list(map(list, inputs))!r}\n"
        f"_seen = calls({program!r}, {names}, lambda names: {find}, _inputs, {list(limits_s)!r}, {MAX_SHOWN_CHARS})\n"
    )
    job = Job(source, "_seen")
    seen = run_job(job, sandbox)
    if "wants_files" in seen.flags:  # the harness has caught what that raised
        seen = run_job(replace(job, files=True), sandbox)
    called = replace(_read(seen, len(inputs)), flags=seen.flags)
    if called.ended == "raised" and any(flag.startswith("wants_") for flag in seen.flags):  # the harness caught it
        return replace(called, verdict="refused")
    return called


def run_job(job: Job, sandbox: Sandbox) -> Observation:
    """The job, with a folder to write in where that is all it lacked; a failure of ours is tried once more."""
    seen = sandbox.run(job)
    if wants_to_write(seen):
        job = replace(job, files=True)
        seen = sandbox.run(job)
    return sandbox.run(job) if seen.verdict is Verdict.SANDBOX_FAILED else seen


def _read(seen: Observation, num_inputs: int) -> Called:
    if seen.verdict is not Verdict.OK:
        ended = {
            Verdict.SANDBOX_FAILED: "sandbox_failed",
            Verdict.TIMEOUT: "late",
            Verdict.MEMORY: "memory",
            Verdict.EXCEPTION: "raised",
        }.get(seen.verdict, "stopped")
        return Called((), (), ended, seen.detail, verdict=verdict_of(seen))
    try:
        rows = [(kind, value, float(ms) / 1000) for kind, value, ms in read_value(seen.result or "")]
    except (ValueError, TypeError):
        return Called((), (), "stopped", "what came back is not what the calls write", verdict="output")
    good = [row for row in rows if row[0] == "gave"]
    ended, detail = "", ""
    if rows and rows[-1][0] != "gave":
        ended, detail = str(rows[-1][0]), str(rows[-1][1] or "")
    if len(good) > num_inputs or (not ended and len(good) < num_inputs):
        return Called((), (), "stopped", "another number of outputs than of inputs", verdict="output")
    verdict = "timeout" if ended == "late" else ended or "ok"
    return Called(tuple(row[1] for row in good), tuple(row[2] for row in good), ended, detail, verdict=verdict)


def read_value(text: str) -> Any:
    """The value of a canonical text: literals, inf, nan, frozensets and the harness's marks. ValueError for others."""
    try:
        return _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError(f"not a value's text: {error}") from None


_NAMES = {"inf": float("inf"), "nan": float("nan")}


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=bytes() as marked) if marked.startswith(_OPAQUE):
            return Opaque(marked.removeprefix(_OPAQUE).decode("utf-8", "replace"))
        case ast.Constant(value=bytes() as marked) if marked.startswith(_LONG):
            return Opaque(f"long {marked.hex()}")
        case ast.Constant(value=bytes() as marked) if marked.startswith(_BIG):
            return int(marked.removeprefix(_BIG), 16)
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Set(elts=items):
            return {_value(item) for item in items}
        case ast.Dict(keys=keys, values=values):
            return {_value(key): _value(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
            a, b = _value(left), _value(right)
            return a + b if isinstance(sign, ast.Add) else a - b
        case ast.Call(func=ast.Name(id="set" | "frozenset" as name), args=args) if len(args) <= 1:
            items = [_value(one) for one in args]
            return set(*items) if name == "set" else frozenset(*items)
    raise ValueError(f"not a value's text: {type(node).__name__}")
