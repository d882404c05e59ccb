"""Listings: what of a REval program a prompt shows: its lines, the call of a function, the test of a class.

r-eval/REval shows plain lines, numbered ones for path on functions alone, though coverage and state ask by number too;
a class is followed by the set-up of the test, as comments, and the test's own lines.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from textwrap import dedent, indent

from evaluation.reval import Pair, RevalRow


@dataclass(frozen=True)
class ShownTest:
    """The lines of one test class's own `setUp` ("" where it has none) and of its first test method, dedented."""

    set_up: str
    body: str


def call_of(row: RevalRow, pair: Pair) -> str:
    """The call of a function: `input` is a tuple's text with a comma at its end."""
    return f"{row.entry_point}{pair.input.strip()[:-2]})"


def test_text(row: RevalRow, pair: Pair) -> ShownTest:
    """What the input's test does. Test classes are counted in the order of their definition; where the module does
    not show them, the published body is all that is known."""
    assert row.test is not None
    classes = [node for node in ast.parse(row.test).body if isinstance(node, ast.ClassDef) and _is_test_case(node)]
    if pair.input_index >= len(classes):
        return ShownTest("", pair.input.strip())
    methods = [node for node in classes[pair.input_index].body if isinstance(node, ast.FunctionDef)]
    first = next((node for node in methods if node.name.startswith("test")), None)
    set_up = next((node for node in methods if node.name == "setUp"), None)
    if first is None:
        return ShownTest("", pair.input.strip())
    return ShownTest("" if set_up is None else _body(row.test, set_up), _body(row.test, first))


def numbered(source: str) -> str:
    """Each line after its number and a tab."""
    return "\n".join(f"{number}\t{line}" for number, line in enumerate(source.split("\n"), 1))


def commented(text: str) -> str:
    return indent(text, "# ", lambda _: True)


def with_test(source: str, text: ShownTest) -> str:
    """A class and the test after it."""
    before = f"\n{commented(text.set_up)}" if text.set_up else ""
    return f"{source.rstrip()}\n{before}\n{text.body}"


def _is_test_case(node: ast.ClassDef) -> bool:
    return any("TestCase" in ast.unparse(base) for base in node.bases)


def _body(module: str, node: ast.FunctionDef) -> str:
    if any(_is_text_over_lines(part) for part in ast.walk(node)):  # moving its lines would change it
        return "\n".join(ast.unparse(statement) for statement in node.body)
    lines = module.split("\n")[node.body[0].lineno - 1 : node.end_lineno]
    return dedent("\n".join(lines)).strip("\n")


def _is_text_over_lines(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant | ast.JoinedStr):
        return node.end_lineno != node.lineno
    return False
