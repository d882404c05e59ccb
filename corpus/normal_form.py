"""Normal form of a program: what is left when names of locals, layout, comments and docstrings don't count."""

from __future__ import annotations

import ast
import io
import tokenize

_LAYOUT = frozenset(
    {
        tokenize.ENCODING,
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)


def normal_source(source: str) -> str:
    """The program with every name that it binds itself renamed by order of appearance (`v0`, `v1` …).

    Constants, built-in names, attributes, imported names and keyword names of foreign calls stay. Annotations and
    docstrings go. A text that is no Python 3.11 is returned with runs of blanks made one.
    """
    try:
        tree = ast.parse(source)
        renamed = _Renaming(tree).visit(tree)
        return ast.unparse(ast.fix_missing_locations(renamed))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return " ".join(source.split())


def normal_tokens(source: str) -> list[str]:
    """The tokens of the normal form, without layout."""
    return tokens(normal_source(source))


def tokens(source: str) -> list[str]:
    """Python's tokens without comments and layout; words and signs where the text does not tokenise."""
    try:
        return [
            token.string
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type not in _LAYOUT
        ]
    except (tokenize.TokenError, SyntaxError, ValueError):
        return source.split()


def _bound_names(tree: ast.Module) -> set[str]:
    """Names of functions, classes, parameters and variables that the program binds; not attributes, not imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.arg():
                names.add(node.arg)
            case ast.Name(ctx=ast.Store() | ast.Del()):
                names.add(node.id)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.add(name)
    return names


def _method_names(tree: ast.Module) -> set[str]:
    return {
        inner.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for inner in node.body
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and not inner.name.startswith("__")
    }


class _Renaming(ast.NodeTransformer):
    def __init__(self, tree: ast.Module) -> None:
        self.names = _bound_names(tree)
        self.methods = _method_names(tree)
        self.given: dict[str, str] = {}

    def _new(self, name: str) -> str:
        if name not in self.names:
            return name
        return self.given.setdefault(name, f"v{len(self.given)}")

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.name = self._new(node.name)
        node.returns = None
        node.body = _without_docstring(node.body)
        return self.generic_visit(node)

    visit_FunctionDef = _function
    visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self._new(node.name)
        node.body = _without_docstring(node.body)
        return self.generic_visit(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = _without_docstring(node.body)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg, node.annotation = self._new(node.arg), None
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._new(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.value = self.visit(node.value)
        if node.attr in self.methods:
            node.attr = self._new(node.attr)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in self.names:
            for given in node.keywords:
                given.arg = self._new(given.arg) if given.arg else None
        return self.generic_visit(node)

    def _scope(self, node: ast.Global | ast.Nonlocal) -> ast.AST:
        node.names = [self._new(name) for name in node.names]
        return node

    visit_Global = _scope
    visit_Nonlocal = _scope

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = self._new(node.name) if node.name else None
        return self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> ast.AST:
        node.name = self._new(node.name) if node.name else None
        return self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> ast.AST:
        node.name = self._new(node.name) if node.name else None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest or [ast.Pass()]
    return body
