"""Data dependences between print anchors: whose value is used, directly or through others, to compute whose.

Read from the syntax tree of the instrumented program, without running it. Names carry the anchors that their value
may come from; a test carries its anchors to what its branches set. Arguments flow into parameters and returned values
back into calls, of all calls together. Approximations, each on the side of one flow too many: branches and rounds of a
loop are united, a call of unknown code may change its object and its arguments, a container is one value, a name of
an outer scope has all the values that it has anywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Anchors = frozenset[int]
NOTHING: Anchors = frozenset()
_MAX_ROUNDS = 20


@lru_cache(maxsize=4096)
def influences(instrumented: str, anchor_lines: tuple[int, ...]) -> frozenset[tuple[int, int]]:
    """Pairs (i, j) of anchors (indexes into `anchor_lines`): the value printed at j may depend on the one at i.

    An anchor of a function that is called again may depend on itself. All pairs where expressions are nested too deep
    to be read. SyntaxError where the text is no Python module.
    """
    tree = ast.parse(instrumented)
    reader = _Reader(tree, {line: index for index, line in enumerate(anchor_lines)})
    try:
        reader.read(tree)
    except RecursionError:
        return frozenset((i, j) for i in range(len(anchor_lines)) for j in range(len(anchor_lines)))
    return frozenset((source, target) for target, sources in reader.found.items() for source in sources)


@dataclass(frozen=True)
class _Place:
    """Where a statement stands: what the names carry here, what decided that it runs, and its function."""

    names: dict[str, Anchors]
    tests: Anchors = NOTHING
    function: str = ""

    def under(self, test: Anchors) -> _Place:
        return _Place(self.names, self.tests | test, self.function)


class _Reader:
    """What is known over all functions: it only grows, and the program is read until a round adds nothing."""

    def __init__(self, tree: ast.Module, anchors: dict[int, int]) -> None:
        self.anchors = anchors
        self.found: dict[int, Anchors] = {}
        self.returned: dict[str, Anchors] = {}
        self.anywhere: dict[str, Anchors] = {}  # all values of a name, in whatever scope
        self.parameters = {
            node.name: _parameters(node.args)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self.given: dict[tuple[str, int], Anchors] = {}  # what calls pass to a function's parameter

    def read(self, tree: ast.Module) -> None:
        for _ in range(_MAX_ROUNDS):
            before = self.size()
            self.block(tree.body, _Place({}))
            if self.size() == before:
                break

    def size(self) -> int:
        return sum(
            len(anchors)
            for group in (self.found, self.returned, self.anywhere, self.given)
            for anchors in group.values()
        )

    def block(self, body: Iterable[ast.stmt], place: _Place) -> None:
        for node in body:
            read: Callable[[Any, _Place], None] | None = getattr(self, f"read_{type(node).__name__}", None)
            if read is not None:
                read(node, place)

    def read_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: _Place) -> None:
        inner = _Place({}, NOTHING, node.name)
        for position, name in enumerate(self.parameters[node.name]):
            self.set_name(name, self.given.get((node.name, position), NOTHING), inner)
        self.block(node.body, inner)

    read_AsyncFunctionDef = read_FunctionDef

    def read_ClassDef(self, node: ast.ClassDef, place: _Place) -> None:
        self.block(node.body, place)

    def read_Assign(self, node: ast.Assign, place: _Place) -> None:
        self.assign(node.targets, self.value(node.value, place), place)

    def read_AnnAssign(self, node: ast.AnnAssign, place: _Place) -> None:
        if node.value is not None:
            self.assign([node.target], self.value(node.value, place), place)

    def read_AugAssign(self, node: ast.AugAssign, place: _Place) -> None:
        self.assign([node.target], self.value(node.target, place) | self.value(node.value, place), place)

    def read_Return(self, node: ast.Return, place: _Place) -> None:
        _grow(self.returned, place.function, self.value(node.value, place) | place.tests)

    def read_If(self, node: ast.If, place: _Place) -> None:
        self.either([node.body, node.orelse], place.under(self.value(node.test, place)))

    def read_While(self, node: ast.While, place: _Place) -> None:
        self.loop([], node.test, node.body, place)
        self.block(node.orelse, place)

    def read_For(self, node: ast.For | ast.AsyncFor, place: _Place) -> None:
        self.loop([node.target], node.iter, node.body, place)
        self.block(node.orelse, place)

    read_AsyncFor = read_For

    def read_With(self, node: ast.With | ast.AsyncWith, place: _Place) -> None:
        for item in node.items:
            entered = self.value(item.context_expr, place)
            if item.optional_vars is not None:
                self.assign([item.optional_vars], entered, place)
        self.block(node.body, place)

    read_AsyncWith = read_With

    def read_Try(self, node: ast.Try | ast.TryStar, place: _Place) -> None:
        self.either([[*node.body, *node.orelse], *(handler.body for handler in node.handlers)], place)
        self.block(node.finalbody, place)

    read_TryStar = read_Try

    def read_Match(self, node: ast.Match, place: _Place) -> None:
        decided = place.under(self.value(node.subject, place))
        for case in node.cases:
            for part in ast.walk(case.pattern):
                if isinstance(part, ast.MatchAs | ast.MatchStar) and part.name:
                    self.set_name(part.name, decided.tests, decided)
        self.either([case.body for case in node.cases], decided)

    def read_Expr(self, node: ast.Expr, place: _Place) -> None:
        anchor = self.anchors.get(node.lineno)
        used = self.value(node.value, place) | place.tests
        if anchor is not None:
            _grow(self.found, anchor, used)
            for part in ast.walk(node.value):
                if isinstance(part, ast.Name) and part.id != "print":
                    self.set_name(part.id, used | {anchor}, place)
        elif isinstance(node.value, ast.Call):
            for name in _changed(node.value):
                self.set_name(name, used | self.look_up(name, place), place)

    def either(self, blocks: Iterable[Sequence[ast.stmt]], place: _Place) -> None:
        """Each block from the same start; afterwards a name carries what it has at any end, or had at the start."""
        ends = []
        for body in blocks:
            end = _Place(dict(place.names), place.tests, place.function)
            self.block(body, end)
            ends.append(end.names)
        for name, anchors in [entry for end in ends for entry in end.items()]:
            _grow(place.names, name, anchors)

    def loop(self, targets: list[ast.expr], header: ast.expr, body: list[ast.stmt], place: _Place) -> None:
        for _ in range(_MAX_ROUNDS):
            before = dict(place.names)
            decided = self.value(header, place)
            self.assign(targets, decided, place)
            self.either([body], place.under(decided))
            if place.names == before:
                break

    def assign(self, targets: Iterable[ast.expr], anchors: Anchors, place: _Place) -> None:
        """A name that is set carries the new value alone; one whose part is set keeps the old one beside it."""
        anchors |= place.tests
        for target in targets:
            for part in _parts(target):
                root = _root(part)
                if isinstance(part, ast.Name):
                    self.set_name(part.id, anchors, place)
                elif isinstance(root, ast.Name):
                    self.set_name(root.id, anchors | self.value(part, place), place)

    def set_name(self, name: str, anchors: Anchors, place: _Place) -> None:
        place.names[name] = anchors
        _grow(self.anywhere, name, anchors)

    def look_up(self, name: str, place: _Place) -> Anchors:
        return place.names[name] if name in place.names else self.anywhere.get(name, NOTHING)

    def value(self, node: ast.AST | None, place: _Place) -> Anchors:
        """The anchors that an expression's value may come from."""
        if node is None:
            return NOTHING
        if isinstance(node, ast.Name):
            return self.look_up(node.id, place)
        if isinstance(node, ast.Call) and (name := _called(node)) in self.parameters:
            return self.call(name, node, place)
        found = NOTHING.union(*(self.value(part, place) for part in ast.iter_child_nodes(node)))
        if isinstance(node, ast.NamedExpr):
            self.set_name(node.target.id, self.value(node.value, place) | place.tests, place)
        return found

    def call(self, name: str, node: ast.Call, place: _Place) -> Anchors:
        """A call of the program's own function: arguments by place; by keyword or star each may be any."""
        first = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        arguments = [*first, *node.args, *(keyword.value for keyword in node.keywords)]
        passed = [self.value(argument, place) for argument in arguments]
        loose = bool(node.keywords) or any(isinstance(argument, ast.Starred) for argument in node.args)
        for position in range(len(self.parameters[name])):
            by_place = position < len(passed) and not loose
            anchors = passed[position] if by_place else NOTHING.union(*passed)
            _grow(self.given, (name, position), anchors | place.tests)
        return self.returned.get(name, NOTHING)


def _grow(where: dict[Any, Anchors], key: Hashable, anchors: Anchors) -> None:
    where[key] = where.get(key, NOTHING) | anchors


def _parameters(arguments: ast.arguments) -> list[str]:
    several = [arguments.vararg, arguments.kwarg]
    plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument.arg for argument in (*plain, *several) if argument is not None]


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _parts(target: ast.expr) -> list[ast.expr]:
    """The targets in a target: those of a tuple or a list, at any depth."""
    if isinstance(target, ast.Tuple | ast.List):
        return [part for each in target.elts for part in _parts(each)]
    return _parts(target.value) if isinstance(target, ast.Starred) else [target]


def _root(target: ast.expr) -> ast.expr:
    while isinstance(target, ast.Attribute | ast.Subscript | ast.Starred):
        target = target.value
    return target


def _changed(call: ast.Call) -> list[str]:
    """Names whose object a call may change: what its method is of, and its arguments."""
    candidates = [call.func, *call.args] if isinstance(call.func, ast.Attribute) else call.args
    return [root.id for node in candidates if isinstance(root := _root(node), ast.Name)]
