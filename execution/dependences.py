"""Data dependences between print anchors: whose value is used, directly or through others, to compute whose.

Read from the syntax tree of the instrumented program, without running it. Names carry the anchors that their value
may come from; a test carries its anchors to what its branches set, one that leaves a loop to all that the loop sets.
Arguments flow into parameters, returned and yielded values back into calls, what a function puts into an argument back
into it, of all calls together. Approximations, each on the side of one flow too many: branches and rounds of a loop
are united, functions of one name are one, a call of unknown code may change its object and its arguments, names
assigned from one another share their changes, a container is one value, a name of an outer scope has all the values
that it has anywhere, what stands in a `try` may depend on all of it.

Not seen, so that a flow may be missing: outer values used by what Python calls by itself (`__add__`, `__next__`);
objects that a function stores in another, or that a copy, or another result of a builtin function, still shares with
what it was made from; an outer name's object that is changed elsewhere under that name and read here under another; an
exception that a `with` swallows; `exec`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from execution.aliases import Aliases
from execution.definitions import parameters
from execution.value_flow import ANY, NOTHING, Anchors, Place, ValueFlow, grow

_IN_PLACE = ast.Add | ast.Sub | ast.Mult | ast.BitOr | ast.BitAnd | ast.BitXor


@lru_cache(maxsize=4096)
def influences(instrumented: str, anchor_lines: tuple[int, ...]) -> frozenset[tuple[int, int]]:
    """Pairs (i, j) of anchors (indexes into `anchor_lines`): the value printed at j may depend on the one at i.

    An anchor of a function that is called again may depend on itself. All pairs where expressions are nested too deep
    to be read. SyntaxError where the text is no Python module.
    """
    tree = ast.parse(instrumented)
    reader = _Reader(tree, {line: index for index, line in enumerate(anchor_lines)})
    try:
        reader.read()
    except RecursionError:
        return frozenset((i, j) for i in range(len(anchor_lines)) for j in range(len(anchor_lines)))
    return frozenset((source, target) for target, sources in reader.found.items() for source in sources)


class _Reader(ValueFlow):
    """Reads statements; the whole program again until a round adds nothing."""

    def __init__(self, tree: ast.Module, anchors: dict[int, int]) -> None:
        super().__init__(tree)
        self.tree = tree
        self.anchors = anchors
        self.found: dict[int, Anchors] = {}
        self.aliases: dict[ast.AST, Aliases] = {}

    def read(self) -> None:
        before = -1
        while (now := self.size() + sum(map(len, self.found.values()))) != before:
            before = now
            self.block(self.tree.body, Place({}, self.aliases_in(self.tree)))

    def aliases_in(self, scope: ast.AST) -> Aliases:
        if scope not in self.aliases:
            self.aliases[scope] = Aliases(scope, self.known)
        return self.aliases[scope]

    def block(self, body: Iterable[ast.stmt], place: Place) -> None:
        for node in body:
            read: Callable[[Any, Place], None] | None = getattr(self, f"read_{type(node).__name__}", None)
            if read is not None:
                read(node, place)

    # -- definitions

    def read_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: Place) -> None:
        defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        loose = self.values(defaults, place)
        if node.name in self.known.passed_around:
            loose |= self.given.get(ANY, NOTHING)
        if node.name in self.known.implicit:
            loose |= frozenset(self.anchors.values())
        grow(self.returned, node.name, self.values(node.decorator_list, place))
        names = tuple(parameters(node.args))
        tests = self.called.get(node.name, NOTHING)
        inner = Place({}, self.aliases_in(node), tests, node.name, names)
        for position, name in enumerate(names):
            self.set_name(name, loose | self.given.get((node.name, position), NOTHING), inner)
        self.block(node.body, inner)

    read_AsyncFunctionDef = read_FunctionDef

    def read_ClassDef(self, node: ast.ClassDef, place: Place) -> None:
        inner = place.beside()
        self.block(node.body, inner)
        own = NOTHING.union(*(anchors for name, anchors in inner.names.items() if place.names.get(name) != anchors))
        self.set_name(node.name, own | self.values([*node.bases, *node.decorator_list], place), place)

    # -- simple statements

    def read_Assign(self, node: ast.Assign, place: Place) -> None:
        self.assign(node.targets, self.value(node.value, place), place)

    def read_AnnAssign(self, node: ast.AnnAssign, place: Place) -> None:
        if node.value is not None:
            self.assign([node.target], self.value(node.value, place), place)

    def read_AugAssign(self, node: ast.AugAssign, place: Place) -> None:
        anchors = self.value(node.target, place) | self.value(node.value, place)
        if isinstance(node.op, _IN_PLACE) and not isinstance(node.value, ast.Constant):  # of a list, a set
            self.change([node.target], anchors, place, deep=not isinstance(node.target, ast.Name))
        self.assign([node.target], anchors, place)

    def read_Delete(self, node: ast.Delete, place: Place) -> None:
        for target in node.targets:
            if not isinstance(target, ast.Name):
                self.assign([target], NOTHING, place)

    def read_Return(self, node: ast.Return | ast.Raise | ast.Assert, place: Place) -> None:
        grow(self.returned, place.function, self.values(ast.iter_child_nodes(node), place) | place.tests)
        tests = self.value(node.test, place) if isinstance(node, ast.Assert) else NOTHING
        grow(self.ended, place.function, place.tests | tests)

    read_Raise = read_Assert = read_Return

    def read_Break(self, node: ast.Break | ast.Continue, place: Place) -> None:
        grow(place.left, "", place.tests)

    read_Continue = read_Break

    def read_Expr(self, node: ast.Expr, place: Place) -> None:
        anchor = self.anchors.get(node.lineno)
        if anchor is None:
            self.value(node.value, place)
            return
        names = {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name) and part.id != "print"}
        used = place.tests.union(*(self.look_up(name, place) for name in names))
        grow(self.found, anchor, used)
        for name in names:
            self.set_name(name, used | {anchor}, place)

    # -- blocks

    def read_If(self, node: ast.If, place: Place) -> None:
        self.either([node.body, node.orelse], place.under(self.value(node.test, place)))

    def read_While(self, node: ast.While, place: Place) -> None:
        self.loop([], node.test, node, place)

    def read_For(self, node: ast.For | ast.AsyncFor, place: Place) -> None:
        self.loop([node.target], node.iter, node, place)

    read_AsyncFor = read_For

    def read_With(self, node: ast.With | ast.AsyncWith, place: Place) -> None:
        for item in node.items:
            entered = self.value(item.context_expr, place)
            if item.optional_vars is not None:
                self.assign([item.optional_vars], entered, place)
        self.block(node.body, place)

    read_AsyncWith = read_With

    def read_Try(self, node: ast.Try | ast.TryStar, place: Place) -> None:
        first, last = node.body[0].lineno, node.body[-1].end_lineno or 0
        printed = frozenset(anchor for line, anchor in self.anchors.items() if first <= line <= last)
        tried = place.under(printed | self.values(node.body, place.beside()))
        self.either([[*node.body, *node.orelse]], tried)
        for handler in node.handlers:
            if handler.name:
                self.set_name(handler.name, tried.tests, tried)
        self.either([handler.body for handler in node.handlers], tried)
        self.block(node.finalbody, tried)

    read_TryStar = read_Try

    def read_Match(self, node: ast.Match, place: Place) -> None:
        subject = self.value(node.subject, place)
        decided = place.under(subject)
        for case in node.cases:
            for part in ast.walk(case.pattern):
                if isinstance(part, ast.MatchAs | ast.MatchStar) and part.name:
                    self.set_name(part.name, decided.tests | place.names.get(part.name, NOTHING), decided)
            decided = decided.under(self.value(case.guard, decided))
        self.either([case.body for case in node.cases], decided)

    def either(self, blocks: Iterable[Sequence[ast.stmt]], place: Place) -> None:
        """Each block from the same start; afterwards a name carries what it has at any end, or had at the start."""
        ends = []
        for body in blocks:
            end = place.beside()
            self.block(body, end)
            ends.append(end.names)
        for name, anchors in [entry for end in ends for entry in end.items()]:
            grow(place.names, name, anchors)

    def loop(
        self, targets: list[ast.expr], header: ast.expr, node: ast.For | ast.AsyncFor | ast.While, place: Place
    ) -> None:
        left: dict[str, Anchors] = {}
        before: object = None
        while (now := (dict(place.names), dict(left))) != before:
            before = now
            start = replace(place.beside(), left=left)
            decided = self.value(header, start) | left.get("", NOTHING)
            end = start.under(decided)
            self.assign(targets, decided, end)
            self.block(node.body, end)
            for name, anchors in end.names.items():
                grow(place.names, name, anchors)
        self.either([node.orelse], place.under(decided))
