"""Anchors put in by text give the very bytecode that the syntax tree gives, or are left to it."""

from __future__ import annotations

import ast
import dis
import warnings
from types import CodeType

import pytest

from benchmarks.soak_programs import case
from execution.splice import spliced_call, spliced_program
from execution.tracer import _replace_anchors

MARKER = "\0secret"
ANCHORED = "def f(x):\n    y = [x]\n    print(f'y: {y}')\n    if x:\n        print(f'x: {x}')\n    return y\n"


def by_tree(source: str, anchor_lines: tuple[int, ...]) -> CodeType:
    tree = compile(source, "<program>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    warnings.simplefilter("ignore", SyntaxWarning)  # a text is called; the jail ignores this too
    _replace_anchors(tree, {line: position for position, line in enumerate(anchor_lines)}, MARKER)
    return compile(tree, "<program>", "exec", dont_inherit=True)


def essence(code: CodeType) -> list[tuple[object, ...]]:
    """The instructions with their values and lines; nested code follows. Columns differ, and unused constants."""
    rows: list[tuple[object, ...]] = []
    nested = []
    for one in dis.get_instructions(code):
        is_code = isinstance(one.argval, CodeType)
        rows.append((one.offset, one.opname, "code" if is_code else one.argval, one.starts_line))
        if is_code:
            nested.append(essence(one.argval))
    return [*rows, *(row for inner in nested for row in inner)]


def test_the_text_gives_the_bytecode_of_the_tree() -> None:
    spliced = spliced_program(ANCHORED, "<program>", (3, 5), MARKER)
    assert spliced is not None and essence(spliced) == essence(by_tree(ANCHORED, (3, 5)))


def test_the_text_gives_the_bytecode_of_the_tree_for_synthesised_programs_and_examples() -> None:
    compared = 0
    for job in (case(index).jobs[0] for index in range(0, 120, 2)):
        spliced = spliced_program(job.source, "<program>", job.anchor_lines, MARKER)
        assert spliced is not None, job.source
        assert essence(spliced) == essence(by_tree(job.source, job.anchor_lines))
        compared += len(job.anchor_lines)
    assert compared > 100


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = '''\nprint(f'x: {1}')\n'''", (2,)),  # inside a string
        ("print('x')", (1,)),
        ("x = 1; print(f'x: {x}')", (1,)),
        ("x = 1\r\nprint(f'x: {x}')", (2,)),
        ("print(f'x: {1}')", (2,)),  # no such line
        ("print(f'x: {1}'", (1,)),
    ],
)
def test_what_is_not_plain_is_left_to_the_tree(source: str, lines: tuple[int, ...]) -> None:
    assert spliced_program(source, "<program>", lines, MARKER) is None


@pytest.mark.parametrize("call", ["f(3)", " f ([1, 'a'], k={'b': 2}) ", "f()", "f(*[1], **{'k': 2})", "f('#')"])
def test_a_plain_call_passes_its_function_and_arguments_to_the_marker(call: str) -> None:
    code = spliced_call(call, "<call>", MARKER)
    assert code is not None
    constants = tuple(recorder if one == MARKER else one for one in code.co_consts)
    seen = eval(code.replace(co_consts=constants), {"f": "function"})
    assert seen == eval(call.strip(), {"f": lambda *given, **named: (("function", *given), named)})


def recorder(*given: object, **named: object) -> tuple[tuple[object, ...], dict[str, object]]:
    return given, named


@pytest.mark.parametrize(
    "call", ["f(1) + g(2)", "f(1)(2)", "f(g(1))", "a.f(1)", "f", "f[0]", "f(x for x in y)", "f(3", "not f(1)", "f(')')"]
)
def test_a_call_that_is_not_plain_is_left_to_the_tree(call: str) -> None:
    assert spliced_call(call, "<call>", MARKER) is None
