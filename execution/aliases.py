"""Which names of a function may stand for objects that they share, by syntax alone: what changes with what."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator

from execution.definitions import CONTAINER_METHODS, PURE_METHODS, Definitions, called

SAME, PART, HOLDS, LINKED = "same", "part", "holds", "linked"
_ITEMS_OF = frozenset({"next", "iter", "enumerate", "zip", "reversed", "getattr"})
_READS = frozenset({"get", "keys", "values", "items"})


class Aliases:
    """Relations of a scope's names, whatever the order of its statements: the same object, or one part of another."""

    def __init__(self, scope: ast.AST, known: Definitions) -> None:
        self.known = known
        self.same: dict[str, set[str]] = defaultdict(set)
        self.wholes: dict[str, set[str]] = defaultdict(set)
        self.parts: dict[str, set[str]] = defaultdict(set)
        for node in ast.walk(scope):
            self._read(node)

    def changed_with(self, names: Iterable[str], deep: bool) -> set[str]:
        """The names whose value changes where the objects of `names` do: the objects alone, or also (`deep`) what is
        in them."""
        waiting = [(name, deep) for name in names]
        found = set(waiting)
        while waiting:
            name, deep = waiting.pop()
            near = {(other, deep) for other in self.same[name]} | {(whole, True) for whole in self.wholes[name]}
            if deep:
                near |= {(part, True) for part in self.parts[name]}
            waiting += near - found
            found |= near
        return {name for name, _ in found}

    def shared(self, node: ast.AST) -> Iterator[tuple[str, str]]:
        """(name, how): the value of an expression may be the name's object (SAME), in it (PART), or have it in itself
        (HOLDS)."""
        match node:
            case ast.Name():
                yield node.id, SAME
            case ast.Subscript(slice=ast.Slice()):
                return
            case ast.Subscript() | ast.Attribute():
                yield from _as(PART, self.shared(node.value))
            case ast.NamedExpr():
                yield node.target.id, SAME
                yield from self.shared(node.value)
            case ast.Starred() | ast.Await():
                yield from self.shared(node.value)
            case ast.IfExp():
                yield from (*self.shared(node.body), *self.shared(node.orelse))
            case ast.BoolOp():
                yield from (entry for value in node.values for entry in self.shared(value))
            case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
                items = node.values if isinstance(node, ast.Dict) else node.elts
                yield from (entry for item in items for entry in _as(HOLDS, self.shared(item)))
            case ast.ListComp(elt=element) | ast.SetComp(elt=element) | ast.GeneratorExp(elt=element):
                yield from self._comprehended(node, element)
            case ast.DictComp():
                yield from self._comprehended(node, node.value)
            case ast.Call():
                yield from self._called(node)

    def _comprehended(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, element: ast.expr
    ) -> Iterator[tuple[str, str]]:
        if found := list(self.shared(element)):
            yield from _as(LINKED, found)
            yield from (entry for each in node.generators for entry in _as(LINKED, self.shared(each.iter)))

    def _called(self, node: ast.Call) -> Iterator[tuple[str, str]]:
        name = called(node)
        arguments = [entry for each in arguments_of(node) for entry in self.shared(each)]
        if name == "super":
            yield "self", SAME
        elif isinstance(node.func, ast.Attribute):
            if name in self.known.num_parameters or name not in PURE_METHODS or name in _READS:
                yield from _as(PART, self.shared(node.func.value))
                yield from _as(LINKED, arguments)
        elif name in self.known.classes:
            yield from _as(HOLDS, arguments)
        elif name in _ITEMS_OF:
            yield from _as(PART, arguments)
        elif self.known.function(node) or not self.known.changes_nothing(node):
            yield from _as(LINKED, arguments)

    def _read(self, node: ast.AST) -> None:
        match node:
            case ast.Assign():
                for target in node.targets:
                    self._assign(target, node.value)
            case ast.AnnAssign(value=ast.expr() as value) | ast.NamedExpr(value=value):
                self._assign(node.target, value)
            case ast.AugAssign():
                for name, _ in self.shared(node.target):
                    self._relate(name, _as(HOLDS, self.shared(node.value)))
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self._bind(node.target, list(_as(PART, self.shared(node.iter))))
            case ast.withitem(optional_vars=ast.expr() as target):
                self._bind(target, list(_as(LINKED, self.shared(node.context_expr))))
            case ast.Match():
                names = [part.name for part in ast.walk(node) if isinstance(part, ast.MatchAs | ast.MatchStar)]
                for name in filter(None, names):
                    self._relate(name, self.shared(node.subject))
            case ast.Call(func=ast.Attribute() as function) if function.attr in CONTAINER_METHODS - PURE_METHODS:
                inside = [entry for each in arguments_of(node) for entry in _as(HOLDS, self.shared(each))]
                for name, _ in self.shared(function.value):
                    self._relate(name, inside)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        pairs = None
        if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            several = any(isinstance(each, ast.Starred) for each in (*target.elts, *value.elts))
            pairs = None if several else zip(target.elts, value.elts, strict=False)
        if pairs is None:
            self._bind(target, list(self.shared(value)))
        for one, other in pairs or ():
            self._assign(one, other)

    def _bind(self, target: ast.expr, found: list[tuple[str, str]]) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for each in target.elts:
                self._bind(each, list(_as(PART, found)))
        elif isinstance(target, ast.Starred):
            self._bind(target.value, found)
        elif isinstance(target, ast.Name):
            self._relate(target.id, found)
        else:
            for name, _ in self.shared(target):
                self._relate(name, _as(HOLDS, found))

    def _relate(self, name: str, found: Iterable[tuple[str, str]]) -> None:
        for other, how in found:
            if how == SAME:
                self.same[name].add(other)
                self.same[other].add(name)
            if how in (PART, LINKED):
                self.wholes[name].add(other)
                self.parts[other].add(name)
            if how in (HOLDS, LINKED):
                self.wholes[other].add(name)
                self.parts[name].add(other)


def arguments_of(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def _as(wanted: str, found: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What is so related, seen through one more step: an item of it (PART), or a container around it (HOLDS)."""
    for name, how in found:
        yield name, wanted if how in (SAME, wanted) else LINKED
