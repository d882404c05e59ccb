"""Steps judged by the model's own previous states: what the program would print, had it been where the model says.

A rollout that goes wrong once and reasons well from there is wrong at every later anchor by the trace. Here the
instrumented program runs again, and after each anchor its variable takes the value that the response printed, where
that is a literal of the type which the variable has there. The next anchor then shows what follows from the model's
own states. Our own rule, in no paper. Nothing of the response's text is executed: literals are parsed and written
anew.

Left as the program has them: variables of an outer scope, anchors that are reached more than once, values of other
types. After a change of course (another sequence of anchors) the trace's own states are the truth again.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from evaluation.inputs import anchor_lines, remembered_run
from evaluation.responses import Step
from evaluation.run_verdicts import verdict_of
from execution.sandbox import Sandbox, Verdict
from execution.values import parse_literal

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = _FUNCTIONS | ast.ClassDef | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class OwnStatesFailed(RuntimeError):
    """The sandbox failed: nothing is known, and nothing may be scored."""


class OwnStates(NamedTuple):
    """The text of every state given the steps before it, and how the run that told it ended ("": nothing was run)."""

    texts: tuple[str, ...]
    verdict: str = ""


def own_states(
    source: str,
    instrumented: str,
    call: str,
    states: Sequence[tuple[int, str]],
    steps: Sequence[Step],
    sandbox: Sandbox,
) -> OwnStates:
    """As many texts as `states`, the (anchor, text) of the true run.

    OwnStatesFailed where the sandbox failed.
    """
    truth = tuple(text for _, text in states)
    lines = anchor_lines(source, instrumented)
    if lines is None:
        return OwnStates(truth)
    changed = with_states(instrumented, lines, states, steps)
    if changed == instrumented:
        return OwnStates(truth)
    run = remembered_run(changed, call, sandbox, lines)
    if run.verdict is Verdict.SANDBOX_FAILED:
        raise OwnStatesFailed(run.detail)
    found = list(truth)
    for place, ((anchor, _), (reached, text)) in enumerate(zip(states, run.states, strict=False)):
        if anchor != reached:
            break
        found[place] = text
    return OwnStates(tuple(found), verdict_of(run))


def with_states(
    instrumented: str, lines: Sequence[int], states: Sequence[tuple[int, str]], steps: Sequence[Step]
) -> str:
    """The instrumented program in which an anchor's variable is set, after it is shown, to what the step says.

    On the anchor's own line, so that no line moves.
    """
    reached = Counter(anchor for anchor, _ in states)
    text = instrumented.split("\n")
    for (anchor, true_text), step in zip(states, steps, strict=False):
        name, colon, value = step.text.lstrip().rstrip("\r\n").partition(":")  # as `state_matches` reads it
        line = lines[anchor]
        name = name.strip()
        named = bool(colon) and step.closed and name == true_text.partition(":")[0]
        if named and reached[anchor] == 1 and _settable(instrumented, line, name):
            text[line - 1] += f"; {_setting(name, value.removeprefix(' '))}"
    return "\n".join(text)


def _setting(name: str, value: str) -> str:
    """An assignment that keeps the variable's type: to the text where it is a string, to the literal where it is one of
    the same type, else to itself. What shows that value already stays the same object, so that other names for it
    still share its changes."""
    shown = [value]
    to_literal = name
    try:
        literal = repr(parse_literal(value))
        parse_literal(literal)
    except (ValueError, RecursionError):
        pass
    else:
        shown.append(literal)
        same = f"repr({name}) == {literal!r}"
        if "{" in literal:  # sets and dicts compare by content, in whatever order they are shown
            same = f"({same} or {name} == {literal} and sorted(repr({name})) == sorted({literal!r}))"
        to_literal = f"{literal} if type({name}) is type({literal}) and not {same} else {name}"
    to_text = f"{name} if {name}.rstrip('\\r\\n') in {tuple(shown)!r} else {value!r}"
    return f"{name} = ({to_text}) if type({name}) is type('') else {to_literal}"


@lru_cache(maxsize=4096)
def _own_names(instrumented: str) -> tuple[tuple[int, int, frozenset[str]], ...]:
    """(first line, last line, names) of each function: the names that an assignment in it leaves in their scope."""
    functions = [node for node in ast.walk(ast.parse(instrumented)) if isinstance(node, _FUNCTIONS)]
    return tuple((node.lineno, node.end_lineno or node.lineno, frozenset(_names(node))) for node in functions)


def _names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    yield from (part.arg for part in ast.walk(function.args) if isinstance(part, ast.arg))
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if not isinstance(node, _SCOPES):
            waiting += ast.iter_child_nodes(node)


def _settable(instrumented: str, line: int, name: str) -> bool:
    """Whether setting the name on this line, of a module or a function, sets the variable that is shown there."""
    around = [(first, names) for first, last, names in _own_names(instrumented) if first <= line <= last]
    return not around or name in max(around, key=lambda each: each[0])[1]
