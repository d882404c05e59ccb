"""Walks a trace's line events statement by statement, and says after which statement each state was printed.

Line events come from the original program, states from the instrumented one. They are put together through the
anchors: an anchor fires when its statement is done (a loop's, when the loop is left), and the next state's anchor
tells which one it is. Where the two do not fit, `Walk.aligned` is False and nothing is claimed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from execution.anchors import Anchor, instrument
from execution.scopes import blocks_of
from execution.traces import Event, State, Trace

Shown = tuple[str, str]  # type name, canonical text
_INNER = ("<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>", "<lambda>")


@dataclass(frozen=True)
class Call:
    """A call of one of the program's own functions: its arguments as shown when it began, and what it returned."""

    function: str
    arguments: dict[str, Shown]
    value: Shown | None


@dataclass
class Done:
    """One statement (or line of several) that has been executed.

    `verdict` is that of a condition, or whether a loop goes round once more, None for other statements.
    `states` are the states printed right after it, `raised` the exception that ended it.
    """

    line: int
    statements: tuple[ast.stmt, ...]
    function: str
    frame: int
    before: dict[str, Shown]
    after: dict[str, Shown]
    calls: list[Call]
    verdict: bool | None = None
    returned: Shown | None = None
    raised: Shown | None = None
    states: list[State] = field(default_factory=list)
    loops: tuple[ast.stmt, ...] = ()


@dataclass
class Entered:
    """A frame of one of the program's own functions has begun."""

    function: str
    depth: int
    arguments: dict[str, Shown]


@dataclass
class _Frame:
    function: str
    serial: int
    depth: int
    names: dict[str, Shown]
    arguments: dict[str, Shown]
    line: int | None = None  # of the statement under way
    before: dict[str, Shown] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    raised: Shown | None = None


class Lines:
    """Which statements stand on a line, and in which loops."""

    def __init__(self, tree: ast.Module) -> None:
        self.statements: dict[int, list[ast.stmt]] = {}
        self.loops: dict[int, tuple[ast.stmt, ...]] = {}
        self._add(tree.body, ())

    def _add(self, block: list[ast.stmt], loops: tuple[ast.stmt, ...]) -> None:
        for statement in block:
            inner = blocks_of(statement)
            own = loops
            if isinstance(statement, ast.For | ast.AsyncFor | ast.While):
                own = (*loops, statement)
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                own = ()
            last = statement.end_lineno or statement.lineno
            if inner:
                last = max(statement.lineno, min(block[0].lineno for block in inner) - 1)
            first = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", ()))])
            for line in range(first, last + 1):
                self.statements.setdefault(line, []).append(statement)
                self.loops.setdefault(line, own)
            for handler in getattr(statement, "handlers", ()) or getattr(statement, "cases", ()):
                for line in range(getattr(handler, "lineno", handler.body[0].lineno), handler.body[0].lineno):
                    self.loops.setdefault(line, own)
            for inner_block in inner:
                self._add(inner_block, own)

    def of(self, line: int) -> tuple[ast.stmt, ...]:
        return tuple(self.statements.get(line, ()))


class Walk:
    """The statements that a trace's run executed, in order of completion, with the states between them."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.tree = ast.parse(trace.program.source)
        self.lines = Lines(self.tree)
        self.num_placed = 0
        placed = instrument(trace.program.source)
        self.anchors: dict[int, Anchor] = {anchor.index: anchor for anchor in placed.anchors}
        self.done: list[Done | Entered] = []
        self._frames: dict[int, _Frame] = {}
        self._stack: list[int] = []
        if placed.source == trace.instrumented and not trace.events_cut:
            for event in trace.events:
                self._take(event)
        self.aligned = bool(trace.events) and self.num_placed == len(trace.states)

    @property
    def module_names(self) -> dict[str, Shown]:
        module = next((frame for frame in self._frames.values() if frame.function == "<module>"), None)
        return module.names if module else {}

    def _take(self, event: Event) -> None:
        frame = self._frames.get(event.frame)
        if event.kind == "call":
            if frame is None:
                frame = _Frame(event.function, event.frame, event.depth, {}, dict(event.changes))
                self._frames[event.frame] = frame
                if not event.function.endswith((*_INNER, "<module>")):
                    self.done.append(Entered(_last(event.function), event.depth, dict(event.changes)))
            self._stack.append(event.frame)
        if frame is None:
            return
        frame.names = {**frame.names, **event.changes}
        for name in event.deleted:
            frame.names.pop(name, None)
        if event.kind == "line":
            self._line(frame, event.line)
        elif event.kind == "exception":
            frame.raised = event.value
        elif event.kind == "return":
            self._return(frame, event)

    def _line(self, frame: _Frame, line: int) -> None:
        if frame.function.endswith(_INNER):
            return
        if frame.line is not None:
            if self._goes_on(frame.line, line):
                return
            self._complete(frame, line, None)
        frame.line, frame.before, frame.calls = line, frame.names, []

    def _goes_on(self, line: int, following: int) -> bool:
        """Whether the next line event belongs to the same execution: a statement of several lines, a one-line loop."""
        here, there = self.lines.of(line), self.lines.of(following)
        if following == line:
            return any(isinstance(one, ast.For | ast.AsyncFor | ast.While) for one in here) and len(here) > 1
        return here == there and len(here) == 1

    def _return(self, frame: _Frame, event: Event) -> None:
        if self._stack and self._stack[-1] == event.frame:
            self._stack.pop()
        if frame.function.endswith(_INNER):
            return
        yields = any(isinstance(node, ast.Yield | ast.YieldFrom | ast.Await) for node in self._nodes(frame.line))
        if frame.line is not None and not yields:
            self._complete(frame, None, event.value)
            frame.line = None
        if self._stack and frame.function != "<module>":
            outer = self._frames[self._stack[-1]]
            while outer.function.endswith(_INNER) and len(self._stack) > 1:
                outer = self._frames[self._stack[self._stack.index(outer.serial) - 1]]
            outer.calls.append(Call(_last(frame.function), frame.arguments, event.value))

    def _nodes(self, line: int | None) -> Iterator[ast.AST]:
        for statement in self.lines.of(line) if line is not None else ():
            if not blocks_of(statement):
                yield from ast.walk(statement)

    def _complete(self, frame: _Frame, following: int | None, returned: Shown | None) -> None:
        assert frame.line is not None
        statements = self.lines.of(frame.line)
        done = Done(
            frame.line,
            statements,
            _last(frame.function),
            frame.serial,
            frame.before,
            frame.names,
            frame.calls,
            raised=frame.raised,
            loops=self.lines.loops.get(frame.line, ()),
        )
        frame.raised = None
        self.done.append(done)
        ended = following is None
        if ended and any(isinstance(one, ast.Return) for one in statements):
            done.returned = returned
        if done.raised is not None:
            return
        done.verdict = _verdict(statements, following)
        lines = {statement.lineno for statement in statements}
        self._place(done, lines, ("assign", "update", "walrus", "with", "return"))
        if ended and statements and isinstance(statements[-1], ast.Return):
            return
        left = self.lines.loops.get(following, ()) if following is not None else ()
        for loop in reversed(done.loops):
            if loop not in left:
                self._place(done, {loop.lineno}, ("loop",))

    def _place(self, done: Done, lines: set[int], kinds: tuple[str, ...]) -> None:
        seen: set[int] = set()
        while self.num_placed < len(self.trace.states):
            state = self.trace.states[self.num_placed]
            anchor = self.anchors.get(state.anchor)
            if anchor is None or anchor.line not in lines or anchor.kind not in kinds or anchor.index in seen:
                return
            seen.add(anchor.index)
            done.states.append(state)
            self.num_placed += 1


def _verdict(statements: tuple[ast.stmt, ...], following: int | None) -> bool | None:
    if len(statements) != 1:
        return None
    statement = statements[0]
    if not isinstance(statement, ast.If | ast.While | ast.For | ast.AsyncFor):
        return None
    if following is None:
        return False
    first, last = statement.body[0].lineno, statement.body[-1].end_lineno or 0
    return first <= following <= last


def _last(function: str) -> str:
    return function.rpartition(".")[2]
