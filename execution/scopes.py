"""The scopes of a module: what each function or module scope binds, declares and calls, from its syntax tree."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

# Why the text of a value is not shown.
FUNCTION = "the text of a function, class, method or module is an address or says nothing"
INSTANCE = "the text of an object may carry an address or run the program's own code"
ITERATOR = "the text of an iterator, generator, coroutine or file is its address"
UNSURE = "it may be an object of a class here, whose text is the program's own code"
HASHED = "the text of a set depends on the hash order"
VARYING = "the value differs from run to run"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LOOK_AT_FRAMES = frozenset({"locals", "vars", "dir", "eval", "exec", "_getframe", "currentframe", "stack"})
_TEXT_METHODS = words("__repr__ __str__ __format__")
# Public methods of the built-in types: `xs.append` does not make xs an object of the program.
BUILTIN_METHODS = frozenset(
    name
    for kind in (str, bytes, bytearray, list, tuple, dict, set, frozenset, int, float)
    for name in dir(kind)
    if not name.startswith("_") and callable(getattr(kind, name))
)
# Attributes that plain values have: reading one does not make a name an object of a class.
PLAIN_ATTRIBUTES = BUILTIN_METHODS | words(
    "real imag numerator denominator year month day hour minute second microsecond days seconds start stop step"
    " maxlen shape size"
)


@dataclass
class Scope:
    """One module or function scope. `outer` is the scope whose names it sees (class scopes are passed over)."""

    node: ast.Module | FunctionNode
    outer: Scope | None
    is_method: bool = False
    bound: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)  # under `global` or `nonlocal`
    with_attributes: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)  # definitions and imports: why they are not shown
    calls: dict[str, str] = field(default_factory=dict)  # what calling one of them gives: why, or ""
    origins: dict[str, str] = field(default_factory=dict)  # imported name -> dotted path
    looks_at_frames: bool = False
    foreign_star_import: str = ""
    unknown: str = ""  # why a value of which nothing is known is not shown: UNSURE where the module makes own texts

    def chain(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def dotted(self, expression: ast.expr) -> str:
        """`itertools.chain` for `it.chain` after `import itertools as it`; "" where it is no plain path."""
        if isinstance(expression, ast.Attribute):
            head = self.dotted(expression.value)
            return f"{head}.{expression.attr}" if head else ""
        if not isinstance(expression, ast.Name):
            return ""
        for scope in self.chain():
            if expression.id in scope.origins:
                return scope.origins[expression.id]
            if expression.id in scope.bound:
                return ""
        return expression.id

    def shadows_print(self) -> str:
        """Why `print` may not be the builtin here, or ""."""
        for scope in self.chain():
            if "print" in scope.bound or (scope.outer is not None and "print" in scope.declared):
                where = "the module" if scope.outer is None else f"the function {scope.node.name}"  # type: ignore[union-attr]
                return f"{where} binds the name print"
            if scope.foreign_star_import:
                return f"a star import from {scope.foreign_star_import} may bind the name print"
        return ""


def own_nodes(roots: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of `roots` in source order that run in their own scope.

    Bodies of nested functions, lambdas and classes are passed over (the nodes themselves are given).
    Comprehensions are entered: their walrus targets and mutations belong to this scope.
    """
    stack = list(roots)[::-1]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, FunctionNode):
            stack.extend([*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)][::-1])
        elif isinstance(node, ast.ClassDef):
            stack.extend([*node.decorator_list, *node.bases][::-1])
        elif not isinstance(node, ast.Lambda):
            stack.extend(_children(node)[::-1])


def _children(node: ast.AST) -> list[ast.AST]:
    """As `ast.iter_child_nodes`, at half its cost, without the Load, Store or Del of a name: half of all nodes."""
    children: list[ast.AST] = []
    for name in node._fields:
        if name == "ctx":
            continue
        value = getattr(node, name, None)
        if type(value) is list:
            children += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            children.append(value)
    return children


def functions_of_class(node: ast.ClassDef) -> Iterator[FunctionNode]:
    """The methods of a class and of the classes nested in it, also under `if` and `try`, not in loops."""
    stack: list[ast.stmt] = node.body[::-1]
    while stack:
        statement = stack.pop()
        if isinstance(statement, FunctionNode):
            yield statement
        elif isinstance(statement, ast.ClassDef | ast.If | ast.With | ast.Try):
            for block in blocks_of(statement)[::-1]:
                stack.extend(block[::-1])


def blocks_of(statement: ast.AST) -> list[list[ast.stmt]]:
    """The statement lists directly inside a compound statement, in source order."""
    blocks: list[list[ast.stmt]] = []
    body = getattr(statement, "body", None)
    if isinstance(body, list):
        blocks.append(body)
    for handler in getattr(statement, "handlers", ()) or getattr(statement, "cases", ()):
        blocks.append(handler.body)
    for name in ("orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list) and block:
            blocks.append(block)
    return blocks


def makes_own_texts(tree: ast.Module) -> bool:
    """Whether a class may get its own __repr__, __str__ or __format__ here: code that an anchor could run."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                found = name in _TEXT_METHODS
            case ast.Attribute(attr=name, ctx=ast.Store()):
                found = name in _TEXT_METHODS
            case _:
                continue
        if found:
            return True
    return False


def run_by_printing(tree: ast.Module) -> frozenset[str]:
    """The names of the functions here that a __repr__, __str__ or __format__ may call, itself or through others.

    By name alone: whatever such a function mentions may be called.
    """
    mentions: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode):
            found = mentions.setdefault(node.name, set())
            found.update(own.id for own in ast.walk(node) if isinstance(own, ast.Name))
            found.update(own.attr for own in ast.walk(node) if isinstance(own, ast.Attribute))
    reached: set[str] = set()
    stack = [name for name in _TEXT_METHODS if name in mentions]
    while stack:
        name = stack.pop()
        if name not in reached:
            reached.add(name)
            stack.extend(other for other in mentions[name] if other in mentions)
    return frozenset(reached)


def open_scope(node: ast.Module | FunctionNode, outer: Scope | None = None, is_method: bool = False) -> Scope:
    """Collect what the scope of `node` binds, declares, defines and imports."""
    scope = Scope(node, outer, is_method)
    if outer is not None:
        scope.unknown = outer.unknown
    elif isinstance(node, ast.Module) and makes_own_texts(node):
        scope.unknown = UNSURE
    if isinstance(node, FunctionNode):
        scope.bound.update(argument.arg for argument in arguments_of(node))
    called: set[int] = set()
    comprehended: set[int] = set()
    for own in own_nodes(node.body):
        _note(scope, own, called, comprehended)
    scope.bound -= scope.declared
    return scope


def arguments_of(node: FunctionNode) -> list[ast.arg]:
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*named, *filter(None, (arguments.vararg, arguments.kwarg))]


def _note(scope: Scope, node: ast.AST, called: set[int], comprehended: set[int]) -> None:
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            scope.looks_at_frames |= name in LOOK_AT_FRAMES
        case ast.Name(id=name):
            if id(node) not in comprehended:
                scope.bound.add(name)
        case ast.Call(func=ast.Attribute() as function):
            called.add(id(function))
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            scope.looks_at_frames |= attribute in LOOK_AT_FRAMES
            if id(node) not in called and attribute not in PLAIN_ATTRIBUTES:
                scope.with_attributes.add(name)
        case ast.comprehension(target=target):
            comprehended.update(id(part) for part in ast.walk(target))
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            scope.declared.update(names)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            scope.bound.add(name)
        case ast.MatchMapping(rest=str(name)):
            scope.bound.add(name)
        case _:
            _note_definition(scope, node)


def _note_definition(scope: Scope, node: ast.AST) -> None:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            scope.bound.add(name)
            scope.values[name] = FUNCTION
            scope.calls[name] = _what_a_call_gives(node)
        case ast.ClassDef(name=name):
            scope.bound.add(name)
            scope.values[name] = FUNCTION
            scope.calls[name] = INSTANCE
        case ast.Import(names=names):
            for alias in names:
                local = alias.asname or alias.name.partition(".")[0]
                scope.bound.add(local)
                scope.values[local] = FUNCTION
                scope.origins[local] = alias.name if alias.asname else local
        case ast.ImportFrom():
            _note_import_from(scope, node)


def _note_import_from(scope: Scope, node: ast.ImportFrom) -> None:
    for alias in node.names:
        if alias.name == "*":
            if node.level or (node.module or "").partition(".")[0] not in sys.stdlib_module_names:
                scope.foreign_star_import = "." * node.level + (node.module or "")
            continue
        local = alias.asname or alias.name
        scope.bound.add(local)
        scope.origins[local] = f"{node.module}.{alias.name}"


def _what_a_call_gives(node: FunctionNode) -> str:
    """Why the result of calling this function is not shown, as far as its own text tells; else ""."""
    if isinstance(node, ast.AsyncFunctionDef):
        return ITERATOR
    nested = {inner.name for inner in node.body if isinstance(inner, FunctionNode | ast.ClassDef)}
    reason = ""
    for own in own_nodes(node.body):
        match own:
            case ast.Yield() | ast.YieldFrom():
                return ITERATOR
            case ast.Return(value=ast.Lambda()):
                reason = FUNCTION
            case ast.Return(value=ast.Name(id=name)) if name in nested:
                reason = FUNCTION
    return reason
