"""Reduces an expression to its value in steps that a reader can follow, over literals only.

`x * 2 + y` with x = 4, y = 3 gives the stages `4 * 2 + 3`, `8 + 3`, `11`. Each stage replaces every operation whose
operands are literals by its value. Only pure operations of built-in types are carried out, bounded in size; all
else is left as it stands. What a call of the program's own function returned is told by the caller.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from execution.values import canonical

MAX_VALUE_CHARS = 60  # a longer value stays under its name
MAX_RESULT_CHARS = 200
MAX_ELEMENTS = 8  # of a comprehension that is written out
MAX_STAGES = 12

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (abs, len, min, max, sum, sorted, int, float, str, bool, round, ord, chr, divmod, any, all)
} | {"list": list, "tuple": tuple, "dict": dict, "set": set}
# Iterators over literals: values inside an expression, never shown by themselves.
_ITERABLES: dict[str, Callable[..., Iterable[Any]]] = {
    "range": range,
    "enumerate": lambda items, start=0: list(enumerate(items, start)),
    "zip": lambda *items: list(zip(*items, strict=False)),
    "reversed": lambda items: list(reversed(items)),
}
_METHODS: dict[type, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in (
        (
            str,
            "upper lower strip lstrip rstrip split rsplit join replace startswith endswith find rfind index rindex"
            " count isalpha isdigit isalnum isupper islower isspace istitle isnumeric isdecimal title capitalize"
            " swapcase zfill center ljust rjust partition rpartition removeprefix removesuffix splitlines",
        ),
        (list, "index count copy"),
        (tuple, "index count"),
        (dict, "get copy"),
    )
}
_VIEWS = frozenset({"items", "keys", "values"})
_KEYWORDS = frozenset({"reverse", "default", "start", "maxsplit", "sep"})
# Sets are unordered: only what does not depend on their order is worked out.
_ORDER_FREE = frozenset({"len", "min", "max", "sum", "sorted", "any", "all", "set", "bool"})
_FAILS = (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError, MemoryError)


class _Stuck(Exception):
    """This operation is not worked out."""


def literal(value: object) -> ast.expr:
    """The syntax tree of a literal value's canonical text; ValueError where it has none, or a long one."""
    _, text, is_literal = canonical(value)
    if not is_literal or len(text) > MAX_RESULT_CHARS:
        raise ValueError("no short literal")
    return ast.parse(text, mode="eval").body


def is_value(node: ast.expr) -> bool:
    """Whether the node is a literal, with nothing left to work out."""
    match node:
        case ast.Constant():
            return node.value is not Ellipsis
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            return True
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return all(is_value(element) for element in elements)
        case ast.Dict(keys=keys, values=values):
            return all(key is not None and is_value(key) for key in keys) and all(map(is_value, values))
        case ast.Call(func=ast.Name(id="set"), args=[], keywords=[]):
            return True
    return False


@dataclass(frozen=True)
class Returned:
    """A call of the program's own function that has come back: its literal arguments by name, and its value."""

    function: str
    arguments: Mapping[str, object]
    value: object


class Reducer:
    """Works out expressions of one statement.

    `known`: names and their literal values; `returned`: the program's own calls made by the statement; `rebound`:
    names that the program binds, which therefore stand for no built-in function.
    """

    def __init__(
        self,
        known: Mapping[str, object],
        returned: Iterable[Returned] = (),
        rebound: frozenset[str] = frozenset(),
    ) -> None:
        self.known = known
        self.returned = list(returned)
        self.rebound = rebound

    def stages(self, expression: ast.expr) -> list[ast.expr]:
        """The expression with its values put in, then each stage of working it out; the last may be no literal."""
        node = _Substitution(self.known).put(expression)
        found = [node]
        while len(found) < MAX_STAGES and not is_value(found[-1]):
            following = self._step(found[-1])
            if following is found[-1]:
                break
            found.append(following)
        return found

    def _step(self, node: ast.expr) -> ast.expr:
        if is_value(node) or isinstance(node, ast.Lambda):
            return node
        if isinstance(node, ast.BoolOp):
            return self._boolean(node)
        if isinstance(node, ast.IfExp):
            test = self._step(node.test)
            if test is not node.test:
                return ast.IfExp(test, node.body, node.orelse)
            return (node.body if _value(test) else node.orelse) if is_value(test) else node
        if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
            return self._comprehension(node)
        following = _with_children(node, self._step)
        if following is not node:
            return following
        try:
            return literal(self._evaluate(node))
        except (*_FAILS, _Stuck, SyntaxError):
            return node

    def _boolean(self, node: ast.BoolOp) -> ast.expr:
        first = self._step(node.values[0])
        if first is not node.values[0]:
            return ast.BoolOp(node.op, [first, *node.values[1:]])
        if not is_value(first):
            return node
        if bool(_value(first)) == isinstance(node.op, ast.Or):
            return first
        rest = node.values[1:]
        return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> ast.expr:
        """A short comprehension written out, element by element."""
        if len(node.generators) != 1 or node.generators[0].is_async:
            return node
        generator = node.generators[0]
        source = self._step(generator.iter)
        if source is not generator.iter:
            part = ast.comprehension(generator.target, source, generator.ifs, 0)
            return type(node)(node.elt, [part])
        try:
            items = _ordered(self._value(source))
        except (*_FAILS, _Stuck):
            return node
        if len(items) > MAX_ELEMENTS:
            return node
        elements: list[ast.expr] = []
        for item in items:
            bound = _unpacked(generator.target, item)
            if bound is None:
                return node
            inner = Reducer(bound, (), self.rebound)
            verdicts = [inner.stages(test)[-1] for test in generator.ifs]
            if not all(is_value(verdict) for verdict in verdicts):
                return node
            if all(_value(verdict) for verdict in verdicts):
                elements.append(_Substitution(bound).put(node.elt))
        return ast.Set(elements) if isinstance(node, ast.SetComp) and elements else ast.List(elements, ast.Load())

    def _evaluate(self, node: ast.expr) -> object:
        match node:
            case ast.BinOp(left=left, op=operation, right=right):
                first, second = self._value(left), self._value(right)
                _check_size(operation, first, second)
                return _BINARY[type(operation)](first, second)
            case ast.UnaryOp(op=unary, operand=operand):
                return _UNARY[type(unary)](self._value(operand))
            case ast.Compare(left=left, ops=operations, comparators=others):
                values = [self._value(part) for part in (left, *others)]
                identity = any(isinstance(operation, ast.Is | ast.IsNot) for operation in operations)
                if identity and not any(value is None or isinstance(value, bool) for value in values):
                    raise _Stuck
                triples = zip(values, operations, values[1:], strict=False)
                return all(_COMPARE[type(operation)](one, other) for one, operation, other in triples)
            case ast.Subscript(value=container, slice=ast.Slice(lower=lower, upper=upper, step=step)):
                bounds = [None if part is None else self._value(part) for part in (lower, upper, step)]
                return self._value(container)[slice(*bounds)]
            case ast.Subscript(value=container, slice=index):
                return self._value(container)[self._value(index)]
            case ast.Call():
                return self._call(node)
        raise _Stuck

    def _call(self, node: ast.Call) -> object:
        arguments = [self._value(argument) for argument in node.args]
        keywords = {str(keyword.arg): self._value(keyword.value) for keyword in node.keywords}
        if isinstance(node.func, ast.Name) and node.func.id in self.rebound:
            return self._own_call(node.func.id, arguments, keywords)
        unordered = any(isinstance(argument, set | frozenset) for argument in arguments)
        if not keywords.keys() <= _KEYWORDS:
            raise _Stuck
        if isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            if unordered and node.func.id not in _ORDER_FREE:
                raise _Stuck
            return _FUNCTIONS[node.func.id](*arguments, **keywords)
        if isinstance(node.func, ast.Attribute) and not unordered:
            receiver = self._value(node.func.value)
            if node.func.attr in _METHODS.get(type(receiver), ()):
                if node.func.attr in {"center", "ljust", "rjust", "zfill"} and arguments[0] > MAX_RESULT_CHARS:
                    raise _Stuck
                return getattr(receiver, node.func.attr)(*arguments, **keywords)
        raise _Stuck

    def _own_call(self, name: str, arguments: list[Any], keywords: dict[str, Any]) -> object:
        """What the program's own function gave for these very arguments."""
        for place, call in enumerate(self.returned):
            given = list(call.arguments.values())[: len(arguments)]
            same_names = all(call.arguments.get(key, _Stuck) == value for key, value in keywords.items())
            if call.function == name and given == arguments and same_names:
                del self.returned[place]
                return call.value
        raise _Stuck

    def _value(self, node: ast.expr) -> Any:
        """The value of a literal, or of an iterator over literals."""
        if is_value(node):
            return _value(node)
        match node:
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if (
                name in _ITERABLES and name not in self.rebound
            ):
                given = [self._value(argument) for argument in arguments]
                if name != "range":
                    given = [_ordered(item) for item in given]
                return _ITERABLES[name](*given)
            case ast.Call(func=ast.Attribute(value=receiver, attr=name), args=[]) if name in _VIEWS:
                found = self._value(receiver)
                if isinstance(found, dict):
                    return list(getattr(found, name)())
        raise _Stuck


class _Substitution(ast.NodeTransformer):
    """Puts values in for names, except for those that an inner scope binds, called ones and long ones."""

    def __init__(self, known: Mapping[str, object]) -> None:
        self.known = known

    def put(self, expression: ast.expr) -> ast.expr:
        copied = ast.parse(ast.unparse(expression), mode="eval").body
        hidden = {
            node.id for node in ast.walk(copied) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        hidden |= {node.arg for node in ast.walk(copied) if isinstance(node, ast.arg)}
        self.known = {name: value for name, value in self.known.items() if name not in hidden}
        return self.visit(copied)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.known:
            return node
        try:
            put = literal(self.known[node.id])
        except (ValueError, SyntaxError):
            return node
        return put if len(ast.unparse(put)) <= MAX_VALUE_CHARS else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function = node.func
        node = self.generic_visit(node)  # type: ignore[assignment]
        if isinstance(function, ast.Name):
            node.func = function
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        return node  # nested quotes would not survive on Python 3.11


def _value(node: ast.expr) -> Any:
    return ast.literal_eval(node)


def _ordered(value: object) -> list[Any]:
    if isinstance(value, set | frozenset) or not isinstance(value, str | list | tuple | dict | range):
        raise _Stuck
    if len(value) > MAX_RESULT_CHARS:
        raise _Stuck
    return list(value)


def _unpacked(target: ast.expr, item: Any) -> dict[str, object] | None:
    if isinstance(target, ast.Name):
        return {target.id: item}
    if isinstance(target, ast.Tuple) and isinstance(item, tuple | list) and len(item) == len(target.elts):
        bound: dict[str, object] = {}
        for part, value in zip(target.elts, item, strict=True):
            inner = _unpacked(part, value)
            if inner is None:
                return None
            bound |= inner
        return bound
    return None


def _check_size(operation: ast.operator, first: Any, second: Any) -> None:
    if isinstance(operation, ast.Pow) and not (abs(second) <= 64 and abs(first) <= 1_000_000):
        raise _Stuck
    if isinstance(operation, ast.LShift) and second > 256:
        raise _Stuck
    if isinstance(operation, ast.Mult):
        for sequence, times in ((first, second), (second, first)):
            if isinstance(sequence, str | bytes | list | tuple) and len(sequence) * times > MAX_RESULT_CHARS:
                raise _Stuck
    if isinstance(operation, ast.Mod) and isinstance(first, str | bytes):
        raise _Stuck


def _with_children(node: ast.expr, step: Callable[[ast.expr], ast.expr]) -> ast.expr:
    """The node with each operand one step on, or the node itself where no operand moves."""
    changed: dict[str, Any] = {}
    for field, child in ast.iter_fields(node):
        if isinstance(node, ast.Call) and field == "func" and isinstance(child, ast.Attribute):
            receiver = step(child.value)
            if receiver is not child.value:
                changed[field] = ast.Attribute(receiver, child.attr, child.ctx)
        elif isinstance(child, ast.expr):
            following = step(child) if not isinstance(child, ast.Slice) else _with_children(child, step)
            if following is not child:
                changed[field] = following
        elif isinstance(child, list) and any(isinstance(part, ast.expr) for part in child):
            parts = [step(part) if isinstance(part, ast.expr) else part for part in child]
            if any(one is not other for one, other in zip(parts, child, strict=True)):
                changed[field] = parts
    if not changed:
        return node
    return type(node)(**{field: changed.get(field, child) for field, child in ast.iter_fields(node)})
