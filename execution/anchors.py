"""Place print anchors by rule, and keep the line map between the original and the instrumented program.

The rules are those of arXiv 2605.11922, §3.2 and appendix A; where the paper asks a language model, this reads
the syntax tree and edits the text. Never inside a loop body; after each assignment or update in module or
function scope; what a loop changes once after the loop; before each `return` its value. Every anchor is
`print(f'NAME: {NAME}')` on a line of its own. Departure: a value without a
stable text (see `execution.printable`) is left out, with the reason.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import count

from execution.flow import Flow, Placement
from execution.layout import Layout, same_program
from execution.scopes import FunctionNode, Scope, open_scope, run_by_printing, words

INSTRUMENTOR_VERSION = "2"

# Methods that an anchor itself may call, or whose calls depend on the hash order.
_RUN_BY_PRINTING = words("__repr__ __str__ __format__ __del__ __hash__ __eq__ __getattr__ __getattribute__ __class__")


@dataclass(frozen=True)
class Anchor:
    """One print anchor. kind: assign, update, walrus, loop, with or return.

    `line` is the original line of the statement it belongs to, `instrumented_line` its own; both 1-based.
    """

    index: int
    name: str
    kind: str
    line: int
    instrumented_line: int


@dataclass(frozen=True)
class Instrumented:
    """The program with anchors. `line_map` takes each original line to its line in `source`, both 1-based.

    `left_out` holds (original line, reason) for what the rules would anchor and safety forbids; line 0 stands
    for the whole file.
    """

    source: str
    anchors: tuple[Anchor, ...]
    line_map: dict[int, int]
    left_out: tuple[tuple[int, str], ...] = ()

    @property
    def anchor_lines(self) -> tuple[int, ...]:
        return tuple(anchor.instrumented_line for anchor in self.anchors)

    @property
    def original_lines(self) -> dict[int, int]:
        """The line map the other way: instrumented line to original line; anchor lines have none."""
        return {instrumented: original for original, instrumented in self.line_map.items()}


def instrument(source: str, without: Collection[tuple[int, str]] = ()) -> Instrumented:
    """The program with its anchors; `without` names (original line, name) of anchors to leave out.

    Raises SyntaxError where `source` is no Python 3.11 module. What cannot be anchored safely stays as it was.
    """
    tree = parse(source)
    try:
        placements, left_out = place(tree)
    except RecursionError:
        placements, left_out = [], [(0, "no anchor: expressions are nested too deep to be read")]
    kept = [given for given in placements if (given.line, given.name) not in without]
    left_out += [(given.line, f"{given.name}: asked for") for given in placements if given not in kept]
    layout = Layout(source)
    edited = layout.add(tree, kept)
    try:
        understood = same_program(tree, parse(edited.text), edited)
    except SyntaxError:
        understood = False
    if not understood:
        left_out = [(0, "no anchor: lines cannot be added to this text without changing the program")]
        edited = layout.add(tree, ())
    anchors = tuple(
        Anchor(index, given.name, given.kind, given.line, line)
        for index, (given, line) in enumerate(zip(edited.placed, edited.lines, strict=True))
    )
    return Instrumented(edited.text, anchors, edited.line_map, tuple(sorted(left_out)))


def parse(source: str) -> ast.Module:
    """The syntax tree; SyntaxError also for null bytes and for nesting that the parser gives up on."""
    try:
        return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(f"the parser gives up: {error or type(error).__name__}") from error


def place(tree: ast.Module) -> tuple[list[Placement], list[tuple[int, str]]]:
    """The anchors of all scopes by rule, and what is left out: (original line, reason)."""
    placements: list[Placement] = []
    left_out: list[tuple[int, str]] = []
    names, never_certain = _names(tree)
    return_name = next(name for name in _return_names() if name not in names)
    printing: frozenset[str] = frozenset()
    stack: list[tuple[ast.Module | FunctionNode, Scope | None, bool]] = [(tree, None, False)]
    while stack:
        node, outer, is_method = stack.pop()
        scope = open_scope(node, outer, is_method)
        if outer is None and scope.unknown:
            printing = run_by_printing(tree)
        flow = Flow(scope, return_name, never_certain)
        flow.run()
        left_out += flow.left_out
        reason = _not_here(scope, printing)
        if not reason:
            placements += flow.placements
        elif flow.placements:
            left_out.append((getattr(node, "lineno", 0), reason))
        stack += [(inner, scope, method) for inner, method in flow.nested]
    return placements, left_out


def _names(tree: ast.Module) -> tuple[set[str], frozenset[str]]:
    """All names of the program, and those that another scope may delete."""
    names: set[str] = set()
    declared: set[str] = set()
    deleted: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=context):
                names.add(name)
                if isinstance(context, ast.Del):
                    deleted.add(name)
            case ast.arg(arg=name):
                names.add(name)
            case ast.Global(names=given) | ast.Nonlocal(names=given):
                declared.update(given)
                names.update(given)
            case ast.alias(name=name, asname=other):
                names.add(other or name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.add(name)
            case ast.MatchMapping(rest=str(name)):
                names.add(name)
    return names, frozenset(declared & deleted)


def _return_names() -> Iterator[str]:
    yield "return_val"
    for number in count(2):
        yield f"return_val_{number}"


def _not_here(scope: Scope, printing: frozenset[str]) -> str:
    """Why no anchor may stand in this scope, or ""."""
    reason = scope.shadows_print()
    if reason:
        return f"no anchor: {reason}"
    if isinstance(scope.node, ast.Module):
        return ""
    if scope.node.name in printing or (scope.is_method and scope.node.name in _RUN_BY_PRINTING):
        return f"no anchor: {scope.node.name} may run when a value is printed, compared or looked up"
    return ""
