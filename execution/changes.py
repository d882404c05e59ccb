"""Which names a statement assigns or updates: assignment targets, walrus targets, mutated receivers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from execution.scopes import Comprehension, Scope, own_nodes, words

MUTATING_METHODS = words(
    "append extend insert remove pop clear sort reverse update setdefault popitem add discard difference_update"
    " intersection_update symmetric_difference_update appendleft popleft extendleft rotate subtract move_to_end"
)
# Functions that change their first argument in place.
MUTATING_FUNCTIONS = words(
    "heapq.heappush heapq.heappop heapq.heapify heapq.heapreplace heapq.heappushpop bisect.insort"
    " bisect.insort_left bisect.insort_right random.shuffle"
)
# Of these, what the arguments hold goes into the receiver, not the arguments themselves.
MERGING_METHODS = words("extend update extendleft difference_update intersection_update subtract")


@dataclass(frozen=True)
class Change:
    """One assignment or update of `name`. kind: "assign", "update" or "walrus".

    `call` is the mutating call where there is one; `certain` is False in a part of the statement that may not run.
    """

    name: str
    kind: str
    call: ast.Call | None = None
    certain: bool = True


def changes(roots: list[ast.AST], scope: Scope) -> list[Change]:
    """The changes that the nodes of `roots` make to names of their own scope, in source order."""
    found: list[Change] = []
    hidden = {
        part.id
        for node in own_nodes(roots)
        if isinstance(node, Comprehension)
        for generator in node.generators
        for part in ast.walk(generator.target)
        if isinstance(part, ast.Name)
    }
    for node in own_nodes(roots):
        found.extend(_changes_of(node, scope, hidden))
    return found


def _changes_of(node: ast.AST, scope: Scope, hidden: set[str]) -> Iterator[Change]:
    match node:
        case ast.Assign(targets=targets):
            for target in targets:
                yield from target_changes(target)
        case ast.AnnAssign(target=target, value=ast.expr()) | ast.For(target=target) | ast.AsyncFor(target=target):
            yield from target_changes(target)
        case ast.AugAssign(target=target):
            yield from (Change(change.name, "update") for change in target_changes(target))
        case ast.NamedExpr(target=ast.Name(id=name)):
            yield Change(name, "walrus")
        case ast.withitem(optional_vars=ast.expr() as target):
            yield from target_changes(target)
        case ast.Delete(targets=targets):
            for target in targets:
                name = root_name(target)
                if isinstance(target, ast.Subscript) and name:
                    yield Change(name, "update")
        case ast.Call():
            name = mutated_name(node, scope)
            if name and name not in hidden:
                yield Change(name, "update", node)


def target_changes(target: ast.expr) -> Iterator[Change]:
    """The names that an assignment to this target changes; attributes are no names and are passed over."""
    match target:
        case ast.Name(id=name):
            yield Change(name, "assign")
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for element in elements:
                yield from target_changes(element)
        case ast.Starred(value=value):
            yield from target_changes(value)
        case ast.Subscript():
            name = root_name(target)
            if name:
                yield Change(name, "update")


def root_name(expression: ast.expr) -> str:
    """`grid` for `grid[i][j]`; "" where it is no chain of subscripts on a name."""
    while isinstance(expression, ast.Subscript):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else ""


def mutated_name(call: ast.Call, scope: Scope) -> str:
    """The name whose value this call changes in place: `xs` in `xs.append(1)`, `d` in `d[k].add(v)`; or ""."""
    function = call.func
    if isinstance(function, ast.Attribute):
        name = root_name(function.value)
        if function.attr in MUTATING_METHODS and name and name not in scope.origins:
            return name
    if call.args and scope.dotted(function) in MUTATING_FUNCTIONS:
        return root_name(call.args[0])
    return ""


def certain_walrus(expression: ast.expr) -> Iterator[ast.NamedExpr]:
    """The walrus expressions that are evaluated whenever this expression is evaluated to its end."""
    match expression:
        case ast.Lambda():
            return
        case ast.NamedExpr(value=value):
            yield from certain_walrus(value)
            yield expression
        case ast.BoolOp(values=[first, *_]):
            yield from certain_walrus(first)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield from certain_walrus(test)
            other = {walrus.target.id for walrus in certain_walrus(orelse)}
            yield from (walrus for walrus in certain_walrus(body) if walrus.target.id in other)
        case ast.Compare(left=left, comparators=[first, *_]):
            yield from certain_walrus(left)
            yield from certain_walrus(first)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from certain_walrus(expression.generators[0].iter)
        case _:
            for child in ast.iter_child_nodes(expression):
                if isinstance(child, ast.expr):
                    yield from certain_walrus(child)
                elif isinstance(child, ast.keyword):
                    yield from certain_walrus(child.value)
