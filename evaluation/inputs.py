"""Committed inputs: a model's arguments read as literals, and the original program run on them in the sandbox."""

from __future__ import annotations

import ast
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

from evaluation.run_verdicts import verdict_of
from execution.anchors import instrument
from execution.observe import run_call
from execution.sandbox import Observation, Sandbox, Verdict
from execution.traces import Trace
from execution.values import parse_literal

MAX_INPUT_CHARS = 10_000
# As many states as a trace of the training data may have (arXiv 2605.11922, appendix A: at most 10 lines).
MAX_STATES = 10
# Runs remembered per sandbox: rollouts of one group often commit to the same input.
MAX_REMEMBERED = 4096


class InputError(ValueError):
    """A committed input that is no list of literal arguments; the message says why."""


@dataclass(frozen=True)
class InputRun:
    """What the program did on a committed input.

    `reason` is empty where the call returned a literal or other value, else input_not_literal, input_raised,
    input_timeout, input_failed or sandbox_failed. `states` are (anchor, text) in order; None where they can't judge:
    more than MAX_STATES, one longer than the limit, or the instrumented program did on this input something else than
    the original. `num_states` is how many it told, also then. `verdict` is a name in `evaluation.run_verdicts`, ""
    where nothing was run.
    """

    reason: str
    result: str | None = None
    states: tuple[tuple[int, str], ...] | None = None
    detail: str = ""
    num_states: int = 0
    verdict: str = ""


def literal_call(entry_point: str, text: str) -> str:
    """The call `entry_point(...)` rebuilt from the literals in `text`: nothing of the text itself survives.

    `text` is an argument list (`3, b=[1]`, no stars) or the whole call of `entry_point`. InputError for all else.
    """
    if len(text) > MAX_INPUT_CHARS:
        raise InputError(f"an input of {len(text)} characters; at most {MAX_INPUT_CHARS} are read")
    call = _call_node(f"{entry_point}(\n{text}\n)", entry_point)
    if len(call.args) == 1 and not call.keywords and isinstance(call.args[0], ast.Call):
        inner = call.args[0]  # the whole call was written out
        if isinstance(inner.func, ast.Name) and inner.func.id == entry_point:
            call = inner
    try:
        arguments = [_literal(node) for node in call.args]
        for keyword in call.keywords:
            if keyword.arg is None:
                raise InputError("`**` is no literal argument")
            arguments.append(f"{keyword.arg}={_literal(keyword.value)}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"not a literal argument: {error}") from None
    names = [keyword.arg for keyword in call.keywords]
    if len(set(names)) < len(names):
        raise InputError("a keyword is given twice")
    return f"{entry_point}({', '.join(arguments)})"


def _call_node(text: str, entry_point: str) -> ast.Call:
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise InputError(f"not an argument list: {error}") from None
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point):
        raise InputError(f"not the arguments of one call of {entry_point}")
    return node


def _literal(node: ast.expr) -> str:
    # literal_eval of the node's own text; `repr` is a literal again for what that returns, sets and infinities aside.
    value = parse_literal(ast.unparse(node))
    text = repr(value)
    try:
        parse_literal(text)
    except ValueError:
        return ast.unparse(node)
    return text


def run_input(trace: Trace, text: str, sandbox: Sandbox, *, anchored: bool = True) -> InputRun:
    """Run the program of `trace` on the arguments in `text`; never raises for what the text or the program does."""
    program = trace.program
    if program.entry_point is None:
        return InputRun("input_not_literal", detail="the program's call is no plain call of a name")
    try:
        call = literal_call(program.entry_point, text)
    except InputError as error:
        return InputRun("input_not_literal", detail=str(error))
    original = remembered_run(program.source, call, sandbox, ())
    verdict = verdict_of(original)
    if original.verdict is Verdict.SANDBOX_FAILED:
        return InputRun("sandbox_failed", detail=original.detail, verdict=verdict)
    if original.verdict is Verdict.EXCEPTION:
        return InputRun("input_raised", detail=str(original.exception or original.detail), verdict=verdict)
    if original.verdict is Verdict.TIMEOUT:
        return InputRun("input_timeout", detail=original.detail, verdict=verdict)
    if original.verdict is not Verdict.OK:
        return InputRun("input_failed", detail=f"{original.verdict}: {original.detail}", verdict=verdict)
    result = original.result if original.result_is_literal else None
    if not anchored:
        return InputRun("", result, (), verdict=verdict)
    lines = anchor_lines(program.source, trace.instrumented)
    if lines is None:
        return InputRun("", result, None, "the anchors of this trace are of another instrumentor", verdict=verdict)
    shown = remembered_run(trace.instrumented, call, sandbox, lines)
    if shown.verdict is Verdict.SANDBOX_FAILED:
        return InputRun("sandbox_failed", detail=shown.detail, verdict=verdict_of(shown))
    told = len(shown.states)
    if _seen(shown) != _seen(original):
        return InputRun("", result, None, "anchors changed what the program does on this input", told, verdict)
    if told > MAX_STATES or "states_cut" in shown.flags:
        return InputRun("", result, None, f"more than {MAX_STATES} states, or one too long to be told", told, verdict)
    return InputRun("", result, shown.states, num_states=told, verdict=verdict)


def _seen(run: Observation) -> tuple[object, ...]:
    return run.verdict, run.result_type, run.result, run.stdout, run.arguments_after


@lru_cache(maxsize=4096)
def anchor_lines(source: str, instrumented: str) -> tuple[int, ...] | None:
    """Lines of the anchors in `instrumented`; None where today's rules place them otherwise in `source`."""
    placed = instrument(source)
    return placed.anchor_lines if placed.source == instrumented else None


_RUNS: WeakKeyDictionary[Sandbox, OrderedDict[tuple[str, str], Observation]] = WeakKeyDictionary()


def remembered_run(source: str, call: str, sandbox: Sandbox, lines: tuple[int, ...]) -> Observation:
    """The run of this call, from memory where this sandbox has run it before. Our own failures are not remembered."""
    runs = _RUNS.setdefault(sandbox, OrderedDict())
    key = (source, call)
    if key in runs:
        runs.move_to_end(key)
        return runs[key]
    observation = run_call(source, call, sandbox, lines)
    if observation.verdict is not Verdict.SANDBOX_FAILED:
        runs[key] = observation
        if len(runs) > MAX_REMEMBERED:
            runs.popitem(last=False)
    return observation
