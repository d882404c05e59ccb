"""Visits: what a call's line events show of each statement, frame by frame: values after it, the line that follows.

Line events name lines; this module knows which lines are one statement, which statements a question may be about, and
that a frame's next event, not the next event of all, shows what a statement did.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from execution.flat import of_the_call
from execution.traces import Event

# Frames inside a statement: they are no place of their own.
INNER = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<lambda>"})
# Statements without a line event of their own, or whose header is visited again on leaving.
_NEVER_ASKED = (
    ast.Pass
    | ast.Global
    | ast.Nonlocal
    | ast.Import
    | ast.ImportFrom
    | ast.FunctionDef
    | ast.AsyncFunctionDef
    | ast.ClassDef
    | ast.Try
    | ast.TryStar
    | ast.Match
    | ast.With
    | ast.AsyncWith
    | ast.AsyncFor
)
_BRANCHES = ast.If | ast.For | ast.While | ast.Return | ast.Break | ast.Continue | ast.Raise | ast.Assert
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Statement:
    """A statement on a line of its own, in a function, that a question may be about.

    `variables` are the names that it sets or uses, the ones to ask for. `plain_path` is False inside `with` and
    `try … finally`, where the interpreter comes back to lines that a reader takes for done. `branches`: what follows is
    decided when it runs. `following` is the line of the next statement in its block, None where it is the last one.
    """

    line: int
    text: str
    variables: tuple[str, ...]
    plain_path: bool
    branches: bool = False
    following: int | None = None


Variables = dict[str, tuple[str, str]]  # name -> (type name, canonical text)


@dataclass
class Visit:
    """One execution of a statement in one frame: the frame's variables `before` and `after` it, and the first line of
    the statement that followed in the same frame (None: the frame ended). `raised`: an exception left it."""

    frame: int
    before: Variables
    after: Variables = field(default_factory=dict)
    next_line: int | None = None
    raised: bool = False

    @property
    def changed(self) -> tuple[str, ...]:
        """Variables that are new after it, or others than before."""
        return tuple(name for name, shown in self.after.items() if self.before.get(name) != shown)


@dataclass
class Visits:
    """All executions of one statement in the order in which they began, whichever frame each was in."""

    each: list[Visit] = field(default_factory=list)

    @property
    def after(self) -> list[Variables]:
        return [visit.after for visit in self.each]

    @property
    def next_lines(self) -> dict[int | None, None]:
        """The lines that followed, without repetition."""
        return dict.fromkeys(visit.next_line for visit in self.each)

    @property
    def raised(self) -> bool:
        return any(visit.raised for visit in self.each)


def statements(tree: ast.Module, lines: list[str]) -> list[Statement]:
    """The statements to ask about, by line. Left out: several on one line, one over several lines (line events don't
    tell their visits apart), those that wait (`yield`, `await`), and those that no line event belongs to."""
    found: dict[int, list[tuple[ast.stmt, bool, int | None]]] = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node, plain, following in _body(function.body, True):
                found.setdefault(node.lineno, []).append((node, plain, following))
    chosen = []
    for line, nodes in sorted(found.items()):
        node, plain, following = nodes[0]
        if len(nodes) == 1 and _can_be_asked(node):
            branches = isinstance(node, _BRANCHES)
            text = lines[line - 1].strip()
            chosen.append(Statement(line, text, _variables(node), plain, branches, following))
    return chosen


def line_visits(events: Iterable[Event], tree: ast.Module) -> dict[int, Visits]:
    """Visits of each statement by its first line. Events on import, up to the module's return, are left out."""
    first_lines = _first_lines(tree)
    several = set(first_lines.values())
    loops = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.For)}
    handlers = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)}
    visits: dict[int, Visits] = {}
    running: dict[int, tuple[int, Visit]] = {}  # frame -> line of the statement that it is in, and its visit
    known: dict[int, Variables] = {}  # frame -> its variables
    for event in of_the_call(events):
        if event.function.rpartition(".")[2] in INNER:
            continue
        variables = known.setdefault(event.frame, {})
        variables.update(event.changes)
        for name in event.deleted:
            variables.pop(name, None)
        before, visit = running.get(event.frame, (None, None))
        if event.kind == "exception" and visit is not None:
            visit.raised = True
        elif visit is not None and visit.raised and before in loops and event.kind in {"line", "return"}:
            # A `for` that its iterator ended by StopIteration goes on: to no handler, and with a value to return.
            visit.raised = event.line in handlers if event.kind == "line" else event.value is None
        if event.kind != "line":
            continue
        line = first_lines.get(event.line, event.line)
        if line == before and line in several:
            continue  # another line of the same statement
        if visit is not None:
            visit.after, visit.next_line = dict(variables), line
        started = Visit(event.frame, dict(variables))
        running[event.frame] = line, started
        visits.setdefault(line, Visits()).each.append(started)
    for frame, (_, visit) in running.items():
        visit.after = known[frame]
    return visits


def _body(body: list[ast.stmt], plain: bool) -> Iterator[tuple[ast.stmt, bool, int | None]]:
    """Statements of one function, nested blocks included, nested definitions not, with `plain_path` and `following`."""
    for node, following in zip_longest(body, body[1:]):
        yield node, plain, following.lineno if following else None
        if isinstance(node, _DEFINITIONS):
            continue
        inside = plain and not isinstance(node, ast.With | ast.AsyncWith) and not getattr(node, "finalbody", [])
        for name in ("body", "orelse", "finalbody"):
            yield from _body(getattr(node, name, []), inside)
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from _body(part.body, inside)


def _can_be_asked(node: ast.stmt) -> bool:
    if isinstance(node, _NEVER_ASKED) or (isinstance(node, ast.AnnAssign) and node.value is None):
        return False
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return False
    if isinstance(node, ast.If | ast.While) and isinstance(node.test, ast.Constant):
        return False
    waits = (ast.Yield, ast.YieldFrom, ast.Await)
    return _last_line(node) == node.lineno and not any(isinstance(part, waits) for part in _own_parts(node))


def _own_parts(node: ast.stmt) -> Iterator[ast.AST]:
    """Nodes of the statement itself, without those of the statements in its blocks."""
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        yield part
        waiting += [child for child in ast.iter_child_nodes(part) if not isinstance(child, ast.stmt)]


def _last_line(node: ast.stmt) -> int:
    """The last line of a statement, of its header where it has blocks."""
    ends = [getattr(part, "end_lineno", None) for part in _own_parts(node) if part is not node]
    if hasattr(node, "body") or isinstance(node, ast.Match):
        return max([node.lineno, *(end for end in ends if end is not None)])
    return node.end_lineno or node.lineno


def _variables(node: ast.stmt) -> tuple[str, ...]:
    """Names whose value after the statement is worth asking for."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = list(node.targets)
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Return) and node.value is not None:
        targets = [node.value]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        targets = [node.value.func]
    names: dict[str, None] = {}
    for target in targets:
        for part in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            while isinstance(part, ast.Attribute | ast.Subscript | ast.Starred):
                part = part.value
            if isinstance(part, ast.Name):
                names[part.id] = None
    return tuple(names)


def _first_lines(tree: ast.Module) -> dict[int, int]:
    """Each further line of a statement (of its header where it has blocks) -> its first line."""
    first: dict[int, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not isinstance(node, _DEFINITIONS | ast.Try | ast.TryStar | ast.Match):
            for line in range(node.lineno + 1, _last_line(node) + 1):
                first[line] = max(first.get(line, 0), node.lineno)
    return first
