"""Programs from the asserts of Python files: one program per assert, cut to what its call needs."""

from __future__ import annotations

import ast
import builtins
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

from corpus.collected import BadRow, CollectedProgram, Found, Unusable, literal
from corpus.excerpt import Module, is_test, names_in
from execution.anchors import parse
from execution.program import Program

MAX_FILE_BYTES = 2_000_000
_BUILTINS = frozenset(dir(builtins))


def from_file(path: Path, name: str) -> Found:
    """The programs of one file; `name` is how their origin calls it. What can't be used is a BadRow."""
    try:
        text = _python_text(path)
        tree = parse(text)
    except Unusable as error:
        yield BadRow(str(path), str(error))
        return
    except SyntaxError as error:
        yield BadRow(f"{path}:{error.lineno or 1}", f"no Python 3.11: {error.msg or error}")
        return
    asserts = list(_asserts(tree))
    module = Module(text, tree)
    if not asserts and any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body):
        yield BadRow(f"{path}:1", "no assert such as `assert f(3) == 6` in this file")
    for node in asserts:
        try:
            call, expected = _claim(node)
            yield _program(text, module, call, expected, f"{name}:{node.lineno}")
        except Unusable as error:
            yield BadRow(f"{path}:{node.lineno}", str(error))


def _python_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Unusable(f"more than {MAX_FILE_BYTES:,} bytes")
        data = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise Unusable(f"can't be read: {error}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _asserts(tree: ast.Module) -> Iterator[ast.Assert]:
    for node in tree.body:
        if isinstance(node, ast.Assert):
            yield node
        elif isinstance(node, ast.FunctionDef) and is_test(node):
            yield from (inner for inner in node.body if isinstance(inner, ast.Assert))


def _claim(node: ast.Assert) -> tuple[ast.Call, ast.expr | None]:
    """The call that an assert makes, and the literal it is claimed to give."""
    match node.test:
        case ast.Compare(left=ast.Call() as call, ops=[ast.Eq() | ast.Is()], comparators=[expected]):
            return call, expected
        case ast.Compare(left=expected, ops=[ast.Eq()], comparators=[ast.Call() as call]):
            return call, expected
        case ast.Call() as call:
            return call, None
        case ast.UnaryOp(op=ast.Not(), operand=ast.Call() as call):
            return call, None
    raise Unusable("not of the form `assert f(args) == literal`")


def _program(text: str, module: Module, call: ast.Call, expected: ast.expr | None, origin: str) -> CollectedProgram:
    if not isinstance(call.func, ast.Name):
        raise Unusable("what is called is no plain name, as in `f(3)`")
    if call.func.id not in module.names:
        raise Unusable(f"{call.func.id} is not defined in this file")
    names = names_in(call)
    if unknown := sorted(names - module.names - _bound_inside(call) - _BUILTINS):
        raise Unusable(f"{unknown[0]} in the arguments is not defined at the top level of this file")
    claimed = None if expected is None else literal(_one_line(text, expected))
    return CollectedProgram(Program(module.excerpt(names), _one_line(text, call), origin), claimed)


def _bound_inside(call: ast.Call) -> set[str]:
    """Names that comprehensions and lambdas in the arguments bind themselves."""
    stored = {node.id for node in ast.walk(call) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {node.arg for node in ast.walk(call) if isinstance(node, ast.arg)}


def _one_line(text: str, node: ast.expr) -> str:
    segment = ast.get_source_segment(text, node)
    return ast.unparse(node) if segment is None or "\n" in segment or "#" in segment else segment
