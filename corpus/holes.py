"""Code problems out of traced programs: a statement, or a whole body, of the function that is called is left out.

The prompt shows the program with `...` in that place and some of its calls as assertions; the other calls are hidden
tests. The original is the reference, so its answers are true by construction. Which statement is left out and which
calls are shown is drawn from hashes: the same traces and seed give the same problem anywhere.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from typing import Literal, get_args

from evaluation.code_problems import HOLE, CodeProblem
from evaluation.prompts import TAGS
from evaluation.unit_tests import MAX_TESTS, NoTest, UnitTest, read_test
from execution.traces import Trace

HoleKind = Literal["statement", "body", "either"]
HOLE_KINDS: tuple[str, ...] = get_args(HoleKind)
HOLES_VERSION = 1  # part of the identity of what is measured on these problems
_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)
_MIN_TESTS = 2


def holed_problem(traces: Sequence[Trace], seed: int, kind: HoleKind) -> CodeProblem | None:
    """The problem of one source, from the traces of its calls; None where there is nothing to leave out, or fewer than
    two calls with literal arguments and results. "either": a body for every other source."""
    program = traces[0].program
    entry_point, source = program.entry_point, program.source.strip("\n")
    if entry_point is None or any(tag in source for tag in TAGS):
        return None
    tests = _tests(traces, entry_point, seed)
    if len(tests) < _MIN_TESTS:
        return None
    spans = _spans(source, entry_point)
    if not spans:
        return None
    draw = _draw(seed, "hole", program.source_id)
    whole = kind == "body" or (kind == "either" and draw % 2 == 0)
    first, last = spans[0] if whole else sorted(spans[1:])[draw // 2 % len(spans[1:])]
    lines = source.split("\n")
    indent = lines[first - 1][: len(lines[first - 1]) - len(lines[first - 1].lstrip())]
    text = "\n".join([*lines[: first - 1], f"{indent}{HOLE}", *lines[last:]])
    missing = "; ".join(line.strip() for line in lines[first - 1 : last] if line.strip())
    return CodeProblem(
        problem_id=f"{program.source_id}-{'body' if whole else f'{first}'}",
        cluster=program.source_id,
        entry_point=entry_point,
        text=text,
        tests=tests,
        shown=tuple(test.text for test in tests if not test.hidden),
        holed=True,
        reference=source,
        missing=missing,
    )


def _tests(traces: Sequence[Trace], entry_point: str, seed: int) -> tuple[UnitTest, ...]:
    """At most MAX_TESTS, in an order drawn from hashes; the first half (rounded up) is shown, but never all."""
    ordered = sorted(traces, key=lambda trace: _draw(seed, "tests", trace.program.program_id))
    found: list[UnitTest] = []
    for trace in ordered:
        if trace.result is None or trace.program.entry_point != entry_point:
            continue
        try:
            found.append(read_test(f"assert {trace.program.call.strip()} == {trace.result}", entry_point))
        except NoTest:
            continue
    found = found[:MAX_TESTS]
    num_shown = min((len(found) + 1) // 2, len(found) - 1)
    return tuple(
        UnitTest(one.text, one.positional, one.named, one.expected, hidden=place >= num_shown)
        for place, one in enumerate(found)
    )


def _spans(source: str, entry_point: str) -> list[tuple[int, int]]:
    """First and last lines (from 1) of the function's body, then of each simple statement in it that has its lines to
    itself; empty where there is no such function or statement. `return NAME` is too easy to find to be one."""
    function = _function(source, entry_point)
    if function is None:
        return []
    body = function.body[1:] if _is_docstring(function.body[0]) else function.body
    lines = source.split("\n")
    simple = [
        (node.lineno, node.end_lineno or node.lineno)
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, _SIMPLE) and not _is_docstring(node) and not _is_plain(node) and _alone(node, lines)
    ]
    if not simple or body[0].lineno == function.lineno:
        return []
    return [(body[0].lineno, body[-1].end_lineno or body[-1].lineno), *simple]


def _function(source: str, name: str) -> ast.FunctionDef | None:
    """The last top-level definition of that name."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    found = [one for one in module.body if isinstance(one, ast.FunctionDef) and one.name == name]
    return found[-1] if found else None


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_plain(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return) and (node.value is None or isinstance(node.value, ast.Name))


def _alone(node: ast.stmt, lines: Sequence[str]) -> bool:
    before = lines[node.lineno - 1].encode()[: node.col_offset]
    after = lines[(node.end_lineno or node.lineno) - 1].encode()[node.end_col_offset or 0 :].strip()
    return not before.strip() and (not after or after.startswith(b"#"))


def _draw(seed: int, *parts: str) -> int:
    return int(hashlib.sha256("\0".join((str(seed), *parts)).encode()).hexdigest()[:15], 16)
