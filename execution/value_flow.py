"""From which anchors the value of an expression may come, and what its calls change: the part of
`execution.dependences` below statements."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from execution.aliases import Aliases, arguments_of
from execution.definitions import (
    CALLING_BUILTINS,
    CONTAINER_METHODS,
    PURE_METHODS,
    Definitions,
    called,
    parameters,
)

Anchors = frozenset[int]
NOTHING: Anchors = frozenset()
ANY = ("", 0)  # a parameter of every function that is passed around


@dataclass(frozen=True)
class Place:
    """Where a statement stands: what the names carry here, what decided that it runs, and its function.

    `left` collects what decides that the loop around it is left, or goes on, early.
    """

    names: dict[str, Anchors]
    aliases: Aliases
    tests: Anchors = NOTHING
    function: str = ""
    parameters: tuple[str, ...] = ()
    left: dict[str, Anchors] = field(default_factory=dict)

    def under(self, test: Anchors) -> Place:
        return replace(self, tests=self.tests | test)

    def beside(self) -> Place:
        """The same place with names of its own."""
        return replace(self, names=dict(self.names))


class ValueFlow:
    """What is known over all functions: it only grows."""

    def __init__(self, tree: ast.Module) -> None:
        self.known = Definitions.of(tree)
        self.returned: dict[str, Anchors] = {}
        self.ended: dict[str, Anchors] = {}  # what decides that a function ends early
        self.called: dict[str, Anchors] = {}  # what decides that it is called
        self.given: dict[tuple[str, int], Anchors] = {}  # what calls pass to a function's parameter
        self.changed: dict[tuple[str, int], Anchors] = {}  # what a function puts into a parameter's object
        self.anywhere: dict[str, Anchors] = {}  # all values of a name, in whatever scope

    def size(self) -> int:
        groups: tuple[dict[Any, Anchors], ...] = (
            self.returned,
            self.ended,
            self.called,
            self.given,
            self.changed,
            self.anywhere,
        )
        return sum(1 + len(anchors) for group in groups for anchors in group.values())

    # -- names

    def look_up(self, name: str, place: Place) -> Anchors:
        found = place.names.get(name, NOTHING)
        if name not in place.names or name in self.known.outer:
            found |= self.anywhere.get(name, NOTHING)
        return found | self.returned.get(name, NOTHING)

    def set_name(self, name: str, anchors: Anchors, place: Place) -> None:
        place.names[name] = anchors
        outer = self.ended.get(place.function, NOTHING) if name in self.known.outer else NOTHING
        grow(self.anywhere, name, anchors | outer)

    def assign(self, targets: Iterable[ast.expr], anchors: Anchors, place: Place) -> None:
        """A name that is set carries the new value alone; an object whose part is set keeps the old one beside it."""
        anchors |= place.tests
        for target in targets:
            if isinstance(target, ast.Tuple | ast.List):
                self.assign(target.elts, anchors, place)
            elif isinstance(target, ast.Starred):
                self.assign([target.value], anchors, place)
            elif isinstance(target, ast.Name):
                self.set_name(target.id, anchors, place)
            elif isinstance(target, ast.Attribute | ast.Subscript):
                added = anchors | self.value(target, place)
                self.change([target.value], added, place, deep=not isinstance(target.value, ast.Name))

    def change(self, nodes: Iterable[ast.expr], anchors: Anchors, place: Place, *, deep: bool = True) -> None:
        """The objects of these expressions take values in, and with them all names that may share these objects."""
        anchors |= place.tests
        roots = {name for node in nodes for name, _ in place.aliases.shared(node)}
        fixed = self.known.imported | self.known.num_parameters.keys()
        for name in place.aliases.changed_with(roots - fixed, deep) - fixed:
            self.set_name(name, anchors | self.look_up(name, place), place)
            if name in place.parameters:
                grow(self.changed, (place.function, place.parameters.index(name)), anchors)

    # -- expressions

    def value(self, node: ast.AST | None, place: Place) -> Anchors:
        """The anchors that an expression's value may come from."""
        match node:
            case None:
                return NOTHING
            case ast.Name():
                return self.look_up(node.id, place)
            case ast.Call():
                return self.call(node, place)
            case ast.Attribute(attr=name) if name in self.known.num_parameters:  # a property, or a bound method
                found = self.value(node.value, place)
                grow(self.given, (name, 0), found | place.tests)
                return found | self.returned.get(name, NOTHING)
            case ast.NamedExpr():
                found = self.value(node.value, place)
                self.set_name(node.target.id, found | place.tests, place)
                return found
            case ast.Yield() | ast.YieldFrom():
                found = self.value(node.value, place)
                grow(self.returned, place.function, found | place.tests)
                return found | self.given.get(ANY, NOTHING)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return self.comprehension(node, place)
            case ast.Lambda():
                inner = place.beside()
                # what it is called with is in the values of those calls; its own calls have to be told
                asks = any(isinstance(part, ast.Call) and self.known.function(part) for part in ast.walk(node.body))
                for name in parameters(node.args):
                    inner.names[name] = self.given.get(ANY, NOTHING) if asks else NOTHING
                return self.values(node.args.defaults, place) | self.value(node.body, inner)
        return self.values(ast.iter_child_nodes(node), place)

    def values(self, nodes: Iterable[ast.AST], place: Place) -> Anchors:
        return NOTHING.union(*(self.value(node, place) for node in nodes))

    def comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, place: Place
    ) -> Anchors:
        inner, own = place.beside(), set[str]()
        for each in node.generators:
            self.assign([each.target], self.value(each.iter, inner), inner)
            inner = inner.under(self.values(each.ifs, inner))
            own |= {part.id for part in ast.walk(each.target) if isinstance(part, ast.Name)}
        found = self.values(ast.iter_child_nodes(node), inner)
        place.names.update({name: anchors for name, anchors in inner.names.items() if name not in own})
        return found

    # -- calls

    def call(self, node: ast.Call, place: Place) -> Anchors:
        name = self.known.function(node)
        if not name:
            return self.foreign_call(node, place)
        found = self.own_call(name, node, place)
        return found | self.foreign_call(node, place) if name in CONTAINER_METHODS | PURE_METHODS else found

    def own_call(self, name: str, node: ast.Call, place: Place) -> Anchors:
        """A call of the program's own function: arguments by place; by keyword or star each may be any."""
        constructs = self.known.constructs(node)
        receiver = node.func.value if isinstance(node.func, ast.Attribute) and not constructs else None
        first = [receiver] if receiver is not None else [node.func] if constructs else []
        arguments = [*first, *arguments_of(node)]
        passed = [self.value(argument, place) for argument in arguments]
        loose = (
            name in self.known.loose
            or bool(node.keywords)
            or any(isinstance(argument, ast.Starred) for argument in arguments)
            or (isinstance(receiver, ast.Name) and receiver.id in self.known.classes)
        )
        every = NOTHING.union(*passed)
        ended = self.ended.get(name, NOTHING)
        grow(self.called, name, place.tests)
        if name in self.known.loose:  # its decorator may call others with them
            grow(self.given, ANY, every | place.tests)
        for position in range(self.known.num_parameters[name]):
            by_place = passed[position : position + 1]
            grow(self.given, (name, position), (every if loose else NOTHING.union(*by_place)) | place.tests)
            if (name, position) in self.changed:
                changed = arguments if loose else arguments[position : position + 1]
                self.change(changed, self.changed[name, position] | ended, place)
        found = self.returned.get(name, NOTHING)
        return found | every | self.changed.get((name, 0), NOTHING) | ended if constructs else found

    def foreign_call(self, node: ast.Call, place: Place) -> Anchors:
        """A call of code that is not here: its value comes from all that it gets; what is not known to leave its
        object and its arguments alone changes them."""
        name, arguments = called(node), arguments_of(node)
        found = self.value(node.func, place) | self.values(arguments, place)
        method = isinstance(node.func, ast.Attribute)
        if self.known.changes_nothing(node):
            if method or name in CALLING_BUILTINS | self.known.pure | self.known.classes:
                grow(self.given, ANY, found | place.tests)
            return found
        grow(self.given, ANY, found | place.tests)
        if not isinstance(node.func, ast.Attribute):
            self.change(arguments, found, place)
        elif name in CONTAINER_METHODS:
            self.change([node.func.value], found, place, deep=not isinstance(node.func.value, ast.Name))
        else:
            self.change([node.func.value, *arguments], found, place)
        return found


def grow(where: dict[Any, Anchors], key: Hashable, anchors: Anchors) -> None:
    where[key] = where.get(key, NOTHING) | anchors
