"""Puts executed statements into words: short pieces that a small model can copy and compute, or English sentences.

Every piece is read from the trace or worked out over literals and held against the trace; what cannot be held
against it keeps its names instead of values. So a piece never says anything untrue.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from corpus.reduction import MAX_VALUE_CHARS, Reducer, Returned, is_value
from corpus.walk import Done, Entered, Lines, Shown, Walk
from execution.changes import MUTATING_METHODS, changes, root_name, target_changes
from execution.scopes import Scope, own_nodes
from execution.values import equal_literals, parse_literal

_LOOPS = ast.For | ast.AsyncFor | ast.While
_SILENT = (
    ast.Pass
    | ast.Break
    | ast.Continue
    | ast.Import
    | ast.ImportFrom
    | ast.FunctionDef
    | ast.AsyncFunctionDef
    | ast.ClassDef
    | ast.Global
    | ast.Nonlocal
)


class Narrator:
    """Writes the pieces of one trace. `full` gives sentences, otherwise as few tokens as possible."""

    def __init__(self, walk: Walk, full: bool) -> None:
        self.full = full
        self.module_names = _literals(_constants(walk))
        self.rebound = frozenset(_bound_names(walk.tree))
        self.single = _single_names(walk.lines)

    def entered(self, entered: Entered) -> str:
        arguments = ", ".join(f"{name}={text}" for name, (_, text) in entered.arguments.items() if _is_short(text))
        if self.full:
            return f"{entered.function} is called" + (f" with {arguments}." if arguments else ".")
        return f"{entered.function}: {arguments}" if arguments else f"{entered.function}:"

    def done(self, done: Done) -> list[str]:
        """The pieces for one executed line; `done.states` come right after them."""
        if done.raised is not None:
            kind = done.raised[0]
            return [f"{kind} is raised." if self.full else f"raises {kind}"]
        if len(done.statements) != 1:
            return self._changes(done)
        statement = done.statements[0]
        match statement:
            case ast.If(test=test) | ast.While(test=test):
                return self._condition(done, test)
            case ast.For(target=target) | ast.AsyncFor(target=target):
                return self._iteration(done, target)
            case ast.Return(value=ast.expr() as value):
                return self._return(done, value)
            case ast.Assign(value=value, targets=[target]):
                return self._assignment(done, target, value, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                return self._assignment(done, target, value, value)
            case ast.AugAssign(target=target, op=operation, value=value):
                combined = ast.BinOp(_loaded(target), operation, value)
                return self._assignment(done, target, combined, combined)
            case ast.Expr(value=ast.Call(func=ast.Attribute()) as call):
                return self._mutation(done, call)
            case ast.Expr(value=ast.Constant()):
                return []
        return [] if isinstance(statement, _SILENT) else self._changes(done)

    # Kinds of statement

    def _condition(self, done: Done, test: ast.expr) -> list[str]:
        leaves = None if self.full else self._leaves(done, test)
        if leaves is not None and leaves[1] == done.verdict:
            return leaves[0]
        stages, value = self._stages(done, test)
        if value is not None and bool(value[0]) != done.verdict:
            stages = stages[:1]
        while len(stages) > 1 and stages[-1] in {"True", "False"}:
            stages.pop()
        if self.full:
            shown = "`, `".join(dict.fromkeys([ast.unparse(test), *stages]))
            return [f"`{shown}` is {'true' if done.verdict else 'false'}."]
        return ["; ".join(stages) + f" {done.verdict}"]

    def _leaves(self, done: Done, test: ast.expr) -> tuple[list[str], bool] | None:
        """The conditions joined by `and` and `or` one by one, as far as they are evaluated, and the verdict."""
        if not isinstance(test, ast.BoolOp):
            stages, value = self._stages(done, test)
            if value is None:
                return None
            shown = [text for text in stages if text not in {"True", "False"}] or stages
            return ["; ".join(shown) + f" {bool(value[0])}"], bool(value[0])
        texts: list[str] = []
        verdict = False
        for part in test.values:
            leaf = self._leaves(done, part)
            if leaf is None:
                return None
            texts += leaf[0]
            verdict = leaf[1]
            if verdict == isinstance(test.op, ast.Or):
                break
        return texts, verdict

    def _iteration(self, done: Done, target: ast.expr) -> list[str]:
        if not done.verdict:
            return ["The loop is over."] if self.full else []
        names = [change.name for change in target_changes(target)]
        texts = [f"{name}={done.after[name][1]}" for name in names if name in done.after]
        if not texts or not all(map(_is_short, texts)):
            texts = names
        return [", ".join(texts).replace("=", " = ") + ":" if self.full else ", ".join(texts) + ":"]

    def _return(self, done: Done, value: ast.expr) -> list[str]:
        stages, _ = self._stages(done, value, done.returned)
        if isinstance(value, ast.Name):
            stages = [value.id]
        elif done.states and len(stages) > 1 and not self.full:
            stages.pop()  # the state says it
        if self.full:
            return [f"{done.function} returns " + " = ".join(_distinct([ast.unparse(value), *stages])) + "."]
        return [" = ".join(stages)]

    def _assignment(self, done: Done, target: ast.expr, value: ast.expr, shown: ast.expr) -> list[str]:
        name = target.id if isinstance(target, ast.Name) else root_name(target)
        result = done.after.get(name) if isinstance(target, ast.Name) else None
        stages, _ = self._stages(done, value, result)
        printed = any(state.name == name for state in done.states)
        if not isinstance(target, ast.Name | ast.Subscript):
            printed = bool(done.states)
        if self.full:
            left = ast.unparse(target)
            return [f"{left} = " + " = ".join(_distinct([ast.unparse(shown), *stages])) + "."]
        if printed and len(stages) > 1 and isinstance(target, ast.Name):
            stages.pop()
        text = " = ".join(stages)
        if isinstance(target, ast.Name):
            return [text if printed or name in self.single.get(done.line, ()) else f"{name} = {text}"]
        return [f"{self._put(done, target)} = {text}"]

    def _mutation(self, done: Done, call: ast.Call) -> list[str]:
        """`xs.append(2)`, with its arguments worked out, then what xs is, where no state says it."""
        assert isinstance(call.func, ast.Attribute)
        name = root_name(call.func.value)
        if not name or call.func.attr not in MUTATING_METHODS:
            return self._changes(done)
        texts = []
        for argument in call.args:
            stages, _ = self._stages(done, argument)
            texts.append(" = ".join(stages[-2:]) if len(stages) > 1 and len(call.args) == 1 else stages[-1])
        text = f"{self._put(done, call.func.value)}.{call.func.attr}({', '.join(texts)})"
        after = done.after.get(name)
        if after is not None and not any(state.name == name for state in done.states) and _is_short(after[1]):
            text += f" gives {name} = {after[1]}" if self.full else f": {after[1]}"
        return [text + "." if self.full else text]

    def _changes(self, done: Done) -> list[str]:
        """What the trace says has changed, for lines of which nothing better is known."""
        shown = [
            f"{name} = {value[1]}"
            for name, value in done.after.items()
            if done.before.get(name) != value
            and _is_short(value[1])
            and not any(state.name == name for state in done.states)
        ]
        return [text + "." if self.full else text for text in shown]

    # Values

    def _stages(
        self, done: Done, expression: ast.expr, truth: Shown | None = None
    ) -> tuple[list[str], tuple[object] | None]:
        """Texts of the stages, and the value reached, as a 1-tuple. `truth` is what it must be; where the stages do
        not come to it, the first stage is followed by the truth."""
        returned = [
            Returned(call.function, _literals(call.arguments), *_literals({"": call.value}).values())
            for call in done.calls
            if call.value is not None and _literals({"": call.value})
        ]
        known = {**self.module_names, **_literals(done.before)}
        for name in _moving(expression, self.rebound):
            known.pop(name, None)
        try:
            nodes = Reducer(known, returned, self.rebound).stages(expression)
            texts = [ast.unparse(node) for node in nodes]
        except (RecursionError, SyntaxError, ValueError):
            return [ast.unparse(expression)], None
        value = (ast.literal_eval(nodes[-1]),) if is_value(nodes[-1]) else None
        if truth is not None and (value is None or not equal_literals(texts[-1], truth[1])):
            first = texts[0] if value is None else ast.unparse(expression)
            texts = _distinct([first, truth[1]] if _is_short(truth[1]) else [first])
            value = None
        return [text for text in texts if len(text) <= 4 * MAX_VALUE_CHARS] or [ast.unparse(expression)], value

    def _put(self, done: Done, target: ast.expr) -> str:
        """A target or receiver with its index worked out: `d['a']`."""
        if isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice):
            return f"{self._put(done, target.value)}[{self._stages(done, target.slice)[0][-1]}]"
        return ast.unparse(target)


def _literals(shown: Mapping[str, Shown | None]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in shown.items():
        if value is None or len(value[1]) > 4 * MAX_VALUE_CHARS:
            continue
        try:
            found[name] = parse_literal(value[1])
        except ValueError:
            continue
    return found


def _constants(walk: Walk) -> dict[str, Shown]:
    """Module names that are bound once, to a value that never changes: what a function may take for known."""
    bound: list[str] = []
    for node in ast.walk(walk.tree):
        if isinstance(node, ast.Global):
            bound += [*node.names, *node.names]
    for node in own_nodes(walk.tree.body):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.append(node.id)
    return {
        name: shown
        for name, shown in walk.module_names.items()
        if bound.count(name) == 1 and shown[0] in {"int", "float", "str", "bool", "NoneType"}
    }


def _moving(expression: ast.expr, own: frozenset[str]) -> set[str]:
    """Names that the expression itself may change and reads more than once: their value is not one value."""
    loads = [node.id for node in ast.walk(expression) if isinstance(node, ast.Name)]
    changed = {change.name for change in changes([expression], Scope(ast.Module([], []), None))}
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id not in own):
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
            changed |= {part.id for part in parts if isinstance(part, ast.Name)}
    return {name for name in changed if loads.count(name) > 1}


def _is_short(text: str) -> bool:
    return len(text) <= 2 * MAX_VALUE_CHARS


def _distinct(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body


def _bound_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
    return names


def _single_names(lines: Lines) -> dict[int, set[str]]:
    """For each line in a loop the only name that the innermost loop changes, if it is one: it needs no naming."""
    found: dict[int, set[str]] = {}
    scope = Scope(ast.Module([], []), None)
    names: dict[int, set[str]] = {}
    for line, loops in lines.loops.items():
        if not loops:
            continue
        loop = loops[-1]
        if id(loop) not in names:
            assert isinstance(loop, _LOOPS)
            names[id(loop)] = {change.name for change in changes(list(loop.body), scope)}
        if len(names[id(loop)]) == 1:
            found[line] = names[id(loop)]
    return found
