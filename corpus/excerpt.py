"""Excerpts: the part of a module that a call needs, in the module's own words."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Module:
    """A parsed module, asked for excerpts. Tests, asserts and the `__main__` part belong to none of them."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self._lines = text.splitlines(keepends=True)
        self._text = text
        self._statements = [node for node in tree.body if not _is_left_out(node)]
        self._binds = [set(_bound(node)) for node in self._statements]
        self._changes = [set(_changed(node)) for node in self._statements]
        self._reads = [set(_read(node)) for node in self._statements]

    @property
    def names(self) -> set[str]:
        """What the module binds at its top level."""
        return set().union(*self._binds)

    def excerpt(self, names: Iterable[str]) -> str:
        """The definitions, imports and constants that `names` need, and what these need, in the original order."""
        wanted = set(names)
        kept: set[int] = {place for place, node in enumerate(self._statements) if _is_always_kept(node)}
        while True:
            more = {
                place
                for place in range(len(self._statements))
                if place not in kept and (self._binds[place] | self._changes[place]) & wanted
            }
            if not more:
                break
            kept |= more
            wanted |= set().union(*(self._reads[place] for place in more))
        return self._joined([self._statements[place] for place in sorted(kept)])

    def _joined(self, statements: list[ast.stmt]) -> str:
        """The statements' own text; definitions stand two lines apart, the rest one under the other."""
        text = ""
        previous: ast.stmt | None = None
        for node in statements:
            if previous is not None:
                apart = isinstance(node, _DEFINITIONS) or isinstance(previous, _DEFINITIONS)
                blank = not apart and _is_import(previous) and not _is_import(node)
                text += "\n\n\n" if apart else "\n\n" if blank else "\n"
            text += self._own_text(node)
            previous = node
        return text + "\n" if text else ""

    def _own_text(self, node: ast.stmt) -> str:
        decorators = node.decorator_list if isinstance(node, _DEFINITIONS) else []
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        body = ast.get_source_segment(self._text, node) or ""
        return "".join(self._lines[first - 1 : node.lineno - 1]) + body + self._comment_after(node)

    def _comment_after(self, node: ast.stmt) -> str:
        """What stands after the statement on its last line, where that is a comment."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        after = self._lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode().rstrip()
        return after if after.lstrip().startswith("#") else ""


def names_in(node: ast.AST) -> set[str]:
    """Every name that a piece of syntax reads."""
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _is_left_out(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if isinstance(node, ast.FunctionDef) and is_test(node):
        return True
    if isinstance(node, ast.If) and "__name__" in names_in(node.test):
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_test(node: ast.FunctionDef) -> bool:
    """`def test_…()` without parameters."""
    given = node.args
    return node.name.startswith("test_") and not (given.args or given.posonlyargs or given.kwonlyargs)


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _is_always_kept(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and (
        node.module == "__future__" or any(alias.name == "*" for alias in node.names)
    )


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is loaded: not the bodies of functions, classes and lambdas."""
    stack = [node]
    while stack:
        inner = stack.pop()
        yield inner
        if not isinstance(inner, (*_DEFINITIONS, ast.Lambda)):
            stack += ast.iter_child_nodes(inner)


def _bound(node: ast.stmt) -> Iterator[str]:
    for inner in _outside_functions(node):
        match inner:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield inner.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.split(".")[0] for alias in inner.names)
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield inner.id


def _changed(node: ast.stmt) -> Iterator[str]:
    """Names whose objects the statement may change: `table[k] = v`, `table.append(v)`, `fill(table)`."""
    for inner in _outside_functions(node):
        match inner:
            case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
                yield from _root(inner.value)
            case ast.Expr(value=ast.Call() as call):
                if isinstance(call.func, ast.Attribute):
                    yield from _root(call.func.value)
                for given in (*call.args, *(keyword.value for keyword in call.keywords)):
                    yield from _root(given)


def _root(node: ast.AST) -> Iterator[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def _read(node: ast.stmt) -> Iterator[str]:
    yield from names_in(node)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Global):
            yield from inner.names
