"""Forward analysis of one scope: which names are certainly bound where, and so where anchors may stand.

A state maps each name that is certainly bound to the reason why its value is not shown ("" where it may be).
`None` stands for a point that is never reached. Joins keep what holds on every path; a loop may run zero
times; a `with` may swallow an exception; a handler may be entered after any statement of its `try` body.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from execution.changes import MERGING_METHODS, Change, certain_walrus, changes, mutated_name, target_changes
from execution.printable import State, of_annotation, taken_out, why_not
from execution.scopes import (
    INSTANCE,
    FunctionNode,
    Scope,
    arguments_of,
    functions_of_class,
    own_nodes,
)


@dataclass(frozen=True)
class Placement:
    """One anchor to place. where: "before" or "after" `statement`, or "bind" (a return's value is named first)."""

    statement: ast.stmt
    where: str
    name: str
    kind: str
    line: int


@dataclass
class _Loop:
    breaks: list[State] = field(default_factory=list)
    continues: list[State] = field(default_factory=list)


def join(states: Iterable[State | None]) -> State | None:
    """What is bound on every path; a reason not to show a value on one path holds for the joined one."""
    reached = [state for state in states if state is not None]
    if not reached:
        return None
    joined = reached[0]
    for state in reached[1:]:
        joined = {name: joined[name] or state[name] for name in joined if name in state}
    return joined


class Flow:
    """Walks the statements of one scope; `placements` and `left_out` are what it finds, `nested` the functions."""

    def __init__(self, scope: Scope, return_name: str, never_certain: frozenset[str] = frozenset()) -> None:
        self.scope = scope
        self.return_name = return_name
        self.never_certain = never_certain
        self.placements: list[Placement] = []
        self.left_out: list[tuple[int, str]] = []
        self.nested: list[tuple[FunctionNode, bool]] = []  # function, whether it is a method
        self._quiet = 0  # inside a loop body or a second pass: nothing is placed
        self._loops: list[_Loop] = []
        self._watchers: list[list[State | None]] = []

    def run(self) -> None:
        self.block(self.scope.node.body, self._entry())

    def _entry(self) -> State:
        node = self.scope.node
        if not isinstance(node, FunctionNode):
            return {}
        state = {given.arg: of_annotation(given.annotation, self.scope) for given in arguments_of(node)}
        if self.scope.is_method and node.args.args and "staticmethod" not in _decorators(node):
            state[node.args.args[0].arg] = INSTANCE
        return state

    # Statements

    def block(self, statements: Sequence[ast.stmt], state: State | None) -> State | None:
        self._watch(state)
        for statement in statements:
            if state is None:
                break
            state = self._statement(statement, state)
            self._watch(state)
        return state

    def _watch(self, state: State | None) -> None:
        for seen in self._watchers:
            seen.append(state)

    def _statement(self, statement: ast.stmt, state: State) -> State | None:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return self._definition(statement, state)
            case ast.If():
                state = self._evaluate(statement.test, state)
                return join([self.block(statement.body, state), self.block(statement.orelse, state)])
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(statement, state)
            case ast.Try() | ast.TryStar():
                return self._try(statement, state)
            case ast.With() | ast.AsyncWith():
                return self._with(statement, state)
            case ast.Match():
                return self._match(statement, state)
            case ast.Return():
                self._return(statement, state)
                return None
            case ast.Raise():
                return None
            case ast.Break():
                self._loops[-1].breaks.append(state)
                return None
            case ast.Continue():
                self._loops[-1].continues.append(state)
                return None
        return self._simple(statement, state)

    def _definition(self, statement: FunctionNode | ast.ClassDef, state: State) -> State:
        if self._quiet:
            self._leave(statement, f"{statement.name} is defined inside a loop", even_quiet=True)
        elif isinstance(statement, ast.ClassDef):
            self.nested.extend((method, True) for method in functions_of_class(statement))
        else:
            self.nested.append((statement, False))
        return self._bind(statement.name, self.scope.values.get(statement.name, ""), state)

    def _simple(self, statement: ast.stmt, state: State) -> State:
        found = changes([statement], self.scope)
        after = dict(state)
        for own in own_nodes([statement]):
            if isinstance(own, ast.NamedExpr) and own.target.id in state:
                after = self._bind(own.target.id, why_not(own.value, state, self.scope), after)
        for expression in ast.iter_child_nodes(statement):
            if isinstance(expression, ast.expr):
                after = self._evaluate(expression, after)
        after = self._bound_by(statement, state, after)
        self._taint(found, after)
        self._place_changes(statement, found, after, "after")
        return after

    def _bound_by(self, statement: ast.stmt, before: State, after: State) -> State:
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    after = self._assign(target, value, before, after)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                after = self._assign(target, value, before, after)
            case ast.AugAssign(target=target, value=value):
                reason = why_not(ast.BinOp(target, statement.op, value), before, self.scope)
                after = self._assign_reason(target, reason, after)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    local = alias.asname or alias.name.partition(".")[0]
                    after = self._bind(local, self.scope.values.get(local, ""), after)
            case ast.Expr(value=ast.Call() as call):
                name = mutated_name(call, self.scope)
                if name in self.scope.bound:
                    after.setdefault(name, self.scope.unknown)  # the call has just looked it up
            case ast.Delete():
                after = _without(after, _deleted([statement]))
        return after

    def _taint(self, found: list[Change], state: State) -> None:
        """What is put into a container makes the container's text as unfit as its own."""
        for change in found:
            if change.call is None or change.name not in state or state[change.name]:
                continue
            merging = isinstance(change.call.func, ast.Attribute) and change.call.func.attr in MERGING_METHODS
            for argument in change.call.args:
                reason = why_not(argument, state, self.scope)
                state[change.name] = state[change.name] or (taken_out(reason) if merging else reason)

    def _evaluate(self, expression: ast.expr, state: State) -> State:
        """The state after a header's expression: its certain walrus targets are bound."""
        for walrus in certain_walrus(expression):
            state = self._bind(walrus.target.id, why_not(walrus.value, state, self.scope), state)
        return state

    # Assignment

    def _assign(self, target: ast.expr, value: ast.expr, before: State, after: State) -> State:
        if (
            isinstance(target, ast.Tuple | ast.List)
            and isinstance(value, ast.Tuple | ast.List)
            and len(target.elts) == len(value.elts)
            and not any(isinstance(part, ast.Starred) for part in [*target.elts, *value.elts])
        ):
            for part, given in zip(target.elts, value.elts, strict=True):
                after = self._assign(part, given, before, after)
            return after
        return self._assign_reason(target, why_not(value, before, self.scope), after)

    def _assign_reason(self, target: ast.expr, reason: str, state: State) -> State:
        if isinstance(target, ast.Name):
            return self._bind(target.id, reason, state)
        if isinstance(target, ast.Tuple | ast.List | ast.Starred):
            reason = taken_out(reason)
        for change in target_changes(target):
            if change.kind == "assign":
                state = self._bind(change.name, reason, state)
            elif change.name in self.scope.bound:  # `d[k] = v` has looked d up, and now holds v
                state = {**state, change.name: state.get(change.name, self.scope.unknown) or reason}
        return state

    def _bind(self, name: str, reason: str, state: State) -> State:
        if name in self.scope.with_attributes and not reason and name in self.scope.bound:
            reason = INSTANCE
        return {**state, name: reason}

    # Compound statements

    def _loop(self, statement: ast.For | ast.AsyncFor | ast.While, state: State) -> State | None:
        header = statement.test if isinstance(statement, ast.While) else statement.iter
        self._quiet += 1
        head = state if isinstance(statement, ast.While) else self._evaluate(header, state)
        while True:
            loop = _Loop()
            self._loops.append(loop)
            entry = self._evaluate(header, head)
            if not isinstance(statement, ast.While):
                reason = taken_out(why_not(statement.iter, state, self.scope))
                entry = self._assign_reason(statement.target, reason, entry)
            end = self.block(statement.body, entry)
            self._loops.pop()
            following = join([head, end, *loop.continues])
            if following is None or following == head:
                break
            head = following
        self._quiet -= 1
        endless = isinstance(statement, ast.While) and isinstance(header, ast.Constant) and bool(header.value)
        exhausted = None if endless else self._evaluate(header, head)
        after = join([self.block(statement.orelse, exhausted), *loop.breaks])
        if after is not None:
            found = changes([header, *statement.body], self.scope)
            if not isinstance(statement, ast.While):
                found = [*target_changes(statement.target), *found]
            self._place_changes(statement, found, after, "after", "loop")
        return after

    def _try(self, statement: ast.Try | ast.TryStar, state: State) -> State | None:
        anywhere: list[State | None] = []
        self._watchers.append(anywhere)
        exits = [(loop, len(loop.breaks), len(loop.continues)) for loop in self._loops[-1:]]
        in_body: list[State | None] = []
        self._watchers.append(in_body)
        end = self.block(statement.body, state)
        self._watchers.pop()
        ends = [self.block(statement.orelse, end) if end is not None else None]
        for handler in statement.handlers:
            entry = join(in_body)
            if entry is not None and handler.name:
                entry = _without(entry, {handler.name})
            ends.append(self.block(handler.body, entry))
        self._watchers.pop()
        after = join(ends)
        if not statement.finalbody:
            return after
        gone = _deleted(statement.finalbody)
        for loop, num_breaks, num_continues in exits:
            loop.breaks[num_breaks:] = [_without(left, gone) for left in loop.breaks[num_breaks:]]
            loop.continues[num_continues:] = [_without(left, gone) for left in loop.continues[num_continues:]]
        self.block(statement.finalbody, join(anywhere))
        self._quiet += 1
        after = self.block(statement.finalbody, after) if after is not None else None
        self._quiet -= 1
        return after

    def _with(self, statement: ast.With | ast.AsyncWith, state: State) -> State | None:
        seen: list[State | None] = [state]
        entry = state
        for item in statement.items:
            entry = self._evaluate(item.context_expr, entry)
            if item.optional_vars is not None:
                reason = why_not(item.context_expr, entry, self.scope)
                entry = self._assign_reason(item.optional_vars, reason, entry)
        targets = [item for item in statement.items if item.optional_vars is not None]
        found = [change for item in targets for change in target_changes(item.optional_vars)]  # type: ignore[arg-type]
        self._place_changes(statement.body[0], found, entry, "before", "with", statement.lineno)
        self._watchers.append(seen)
        end = self.block(statement.body, entry)
        self._watchers.pop()
        return join([end, *seen])  # the context manager may swallow an exception

    def _match(self, statement: ast.Match, state: State) -> State | None:
        state = self._evaluate(statement.subject, state)
        ends: list[State | None] = []
        irrefutable = False
        for case in statement.cases:
            entry = dict(state)
            for node in ast.walk(case.pattern):
                name = getattr(node, "name", None) or getattr(node, "rest", None)
                if isinstance(name, str):
                    entry = self._bind(name, self.scope.unknown, entry)
            if case.guard is not None:
                entry = self._evaluate(case.guard, entry)
            ends.append(self.block(case.body, entry))
            irrefutable |= case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
        return join(ends if irrefutable else [*ends, state])

    # Placing

    def _place_changes(
        self,
        statement: ast.stmt,
        found: Iterable[Change],
        state: State,
        where: str,
        kind: str = "",
        line: int = 0,
    ) -> None:
        if self._quiet:
            return
        shown: list[str] = []
        for change in found:
            name = change.name
            if name in shown or name == "_" or name.startswith("__"):
                continue
            if name not in state or name in self.never_certain:
                reason = f"{name} is not certainly bound here"
            elif state[name] or _of_attributes(name, self.scope):
                reason = f"{name}: {state[name] or _of_attributes(name, self.scope)}"
            else:
                shown.append(name)
                self.placements.append(Placement(statement, where, name, kind or change.kind, line or statement.lineno))
                continue
            self._leave(statement, reason)

    def _return(self, statement: ast.Return, state: State) -> None:
        value = statement.value
        if self._quiet or value is None:
            return
        reason = why_not(value, state, self.scope)
        if reason:
            self._leave(statement, f"the returned value: {reason}")
        elif isinstance(value, ast.Name) and value.id in state and not value.id.startswith("__"):
            self.placements.append(Placement(statement, "before", value.id, "return", statement.lineno))
        elif self.scope.looks_at_frames:
            self._leave(statement, "the function looks at its own names: a new one might change what it does")
        else:
            self.placements.append(Placement(statement, "bind", self.return_name, "return", statement.lineno))

    def _leave(self, statement: ast.stmt, reason: str, even_quiet: bool = False) -> None:
        entry = (statement.lineno, reason)
        if (even_quiet or not self._quiet) and entry not in self.left_out:
            self.left_out.append(entry)


def _of_attributes(name: str, scope: Scope) -> str:
    return INSTANCE if name in scope.with_attributes and name in scope.bound else ""


def _without(state: State, gone: set[str]) -> State:
    return {name: reason for name, reason in state.items() if name not in gone}


def _decorators(node: FunctionNode) -> set[str]:
    return {decorator.id for decorator in node.decorator_list if isinstance(decorator, ast.Name)}


def _deleted(statements: Sequence[ast.stmt]) -> set[str]:
    nodes = own_nodes(statements)
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del)}
