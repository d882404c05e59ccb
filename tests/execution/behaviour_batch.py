"""Runs programs with and without anchors and tells where they behave differently. Trusted programs only.

Reads a JSON list of {"id", "source", "call", "tests"} from standard input, writes a JSON list of
{"id", "same", "original", "instrumented", "num_states"}. `call` is evaluated (value, arguments after it), `tests`
is executed. Both under a limit of CPU time per program. Anchors go to a sink; the program's own prints are compared.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import signal
import sys
import unittest
from collections.abc import Callable
from typing import Any

from execution.anchors import instrument

SECONDS = 10


class Hung(BaseException):
    """The program took too much CPU time."""


def outcome(code: Any, row: dict[str, Any], sink: Callable[..., None]) -> list[Any]:
    """What can be seen of one run: value or exception, arguments after the call, printed text."""
    names: dict[str, Any] = {"__name__": "program", "_sink": sink}
    printed = io.StringIO()
    seen: list[Any] = []
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        with contextlib.redirect_stdout(printed):
            exec(code, names)
            if row.get("call"):
                name, _, rest = row["call"].partition("(")
                arguments: tuple[Any, ...] = eval(f"(lambda *a: a)({rest}", names)
                seen.append(repr(names[name](*arguments)))
                seen.append(repr(arguments))
            if row.get("tests"):
                exec(row["tests"], names)
                seen.append(_unit_tests(names))
    except (Exception, Hung) as error:  # noqa: BLE001 - what a program raises is what is compared
        seen.append([type(error).__name__, str(error)])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return [*seen, printed.getvalue()]


def _unit_tests(names: dict[str, Any]) -> list[Any]:
    cases = [value for value in names.values() if isinstance(value, type) and issubclass(value, unittest.TestCase)]
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in cases)
    result = unittest.TestResult()
    suite.run(result)
    return [result.testsRun, sorted(str(test) for test, _ in result.failures + result.errors)]


def compile_anchored(source: str) -> Any:
    placed = instrument(source)
    tree = ast.parse(placed.source)
    lines = set(placed.anchor_lines)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and node.lineno in lines:
            assert isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
            node.value.func.id = "_sink"
    return compile(tree, "program", "exec")


def main() -> None:
    signal.signal(signal.SIGPROF, _hang)
    results = []
    for row in json.load(sys.stdin):
        states: list[str] = []
        original = outcome(compile(row["source"], "program", "exec"), row, states.append)
        instrumented = outcome(compile_anchored(row["source"]), row, states.append)
        results.append(
            {
                "id": row["id"],
                "same": original == instrumented,
                "original": original,
                "instrumented": instrumented,
                "num_states": len(states),
            }
        )
    json.dump(results, sys.stdout)


def _hang(number: int, frame: object) -> None:
    raise Hung(number)


if __name__ == "__main__":
    main()
