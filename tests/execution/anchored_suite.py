"""Runs the standard library's own unit tests against modules that carry anchors, and against the plain ones."""

from __future__ import annotations

import ast
import importlib.util
import json
import marshal
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from execution.anchors import Instrumented, instrument

BOOT = Path(__file__).with_name("anchored_boot.py")


class NoTests(Exception):
    """This Python comes without its `test` package."""


@dataclass(frozen=True)
class Report:
    """One run of a suite. `failed` maps each failed test to its traceback; `num_shown` counts evaluated anchors."""

    num_anchors: int
    num_shown: int
    num_run: int
    failed: dict[str, str]
    seconds: float


def anchored_code(source: str, path: str) -> tuple[object, int]:
    """The code of the program with its anchors, each of which calls `_sink(NAME)`; and how many there are.

    Line numbers are taken back to the original's, since some tests compare tracebacks with the file.
    """
    placed = instrument(source)
    tree = ast.parse(placed.source)
    lines = set(placed.anchor_lines)
    original = list(accumulate((placed.original_lines.get(line, 0) for line in range(_num_lines(placed))), max))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and node.lineno in lines:
            match node.value:
                case ast.Call(
                    func=ast.Name() as function, args=[ast.JoinedStr(values=[_, ast.FormattedValue(value=name)])]
                ):
                    function.id = "_sink"
                    node.value.args = [name]
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr | ast.excepthandler | ast.arg | ast.keyword | ast.alias | ast.pattern):
            node.lineno = original[node.lineno]
            node.end_lineno = original[node.end_lineno or 0]
    return compile(tree, path, "exec", dont_inherit=True), len(lines)


def _num_lines(placed: Instrumented) -> int:
    return max([*placed.anchor_lines, *placed.line_map.values()], default=0) + 2


def run_suite(modules: list[str], tests: list[str], anchored: bool, timeout_s: float) -> Report:
    """Run `tests` in a fresh Python in which `modules` carry anchors, or not; raises NoTests and TimeoutExpired."""
    with tempfile.TemporaryDirectory(prefix="anchored-") as folder:
        code, work = Path(folder, "code"), Path(folder, "work")
        code.mkdir()
        work.mkdir()
        num_anchors = sum(_write(name, code) for name in modules) if anchored else 0
        started = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-S", "-W", "ignore", str(BOOT), str(code), *tests],
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    seconds = time.perf_counter() - started
    if ended.returncode == 77:
        raise NoTests(ended.stderr.strip())
    if ended.returncode:
        return Report(num_anchors, 0, 0, {"the run itself": ended.stderr[-2000:]}, seconds)
    found = json.loads(ended.stdout[ended.stdout.rindex('{"num_shown"') :])
    return Report(num_anchors, found["num_shown"], found["num_run"], found["failed"], seconds)


def _write(name: str, folder: Path) -> int:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    path = Path(spec.origin if spec.origin and spec.origin.endswith(".py") else _frozen(name))
    code, num_anchors = anchored_code(importlib.util.decode_source(path.read_bytes()), str(path))
    (folder / f"{name}.code").write_bytes(marshal.dumps((str(path), path.name == "__init__.py", code)))
    return num_anchors


def _frozen(name: str) -> str:
    """The file that a module frozen into the interpreter was made from."""
    return str(Path(os.__file__).with_name(f"{name}.py"))
