"""LiveCodeBench, code generation: programs judged by their tests, public and private, until the first that fails.

Source: LiveCodeBench/LiveCodeBench, lcb_runner/evaluation/testing_util.py (arXiv 2403.07974): methods called with
JSON values, or programs that read stdin; 6 s a test. Both modes put the published imports before a program.
Departures: seconds are CPU time; outputs are compared outside the sandbox, by content; a thread's work is done when
it is started, for the sandbox has no threads.

Official keeps what makes right programs fail: module code as a function's body (`global`), a stdin that can't be
iterated over, whose buffer gives the first line again and again, no file 0, a list's tuples for lists, and no
tolerance for floats. Strict gives a real stdin in a module called `__main__`, a new `Solution` for each test, takes
tuples for lists, and numbers with a point within 1e-6. Problems with several right answers are judged by one in both.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from evaluation.jails import Jails
from evaluation.livecodebench_code import Case, ProblemRow
from evaluation.scorers.calls import CALL_LIMITS, call_all, run_job
from evaluation.scorers.judgement import (
    MALFORMED,
    RAISED,
    SANDBOX_FAILED,
    STOPPED,
    TIMEOUT,
    WRONG,
    Judgement,
    Mode,
)
from execution.limits import MEBIBYTE
from execution.sandbox import Job, Observation, Verdict

CODES = {WRONG: -2, TIMEOUT: -3, RAISED: -4}  # as the published results name reasons
TEST_S = 6.0
FUNCTIONAL_LIMITS = replace(CALL_LIMITS, cpu_s=300.0, wall_s=1500.0)
STDIN_LIMITS = replace(
    CALL_LIMITS, cpu_s=TEST_S, wall_s=5 * TEST_S, output_bytes=16 * MEBIBYTE, files_bytes=256 * MEBIBYTE
)
TOLERANCE = 1e-6
_PIPE_BYTES = 60_000  # what a pipe holds while nobody reads
_PLAIN = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json"),
)
PRELUDE = "\n".join(
    [
        *(f"from {name} import *" for name in (*_PLAIN, "builtins", "typing")),
        *(f"import {name}" for name in _PLAIN),
        "sys.setrecursionlimit(50000)\n",
    ]
)
_FUTURE = re.compile(r"^from __future__ import [^\n(]+$", re.MULTILINE)
_NO_THREADS = """
import threading
threading.Thread.start = lambda self: self.run()
threading.Thread.join = lambda self, timeout=None: None
"""

_STRICT_STDIN = r"""
import io, os, sys, types
def main(prelude, program, given):
    data = given.encode("utf-8", "surrogatepass")
    if len(data) <= _PIPE_BYTES:
        ours, theirs = os.pipe()
        os.write(theirs, data)
        os.close(theirs)
    else:
        with open("/tmp/stdin", "wb") as file: file.write(data)
        ours = os.open("/tmp/stdin", os.O_RDONLY)
    os.dup2(ours, 0)
    os.close(ours)
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    exec(prelude, module.__dict__)
    exec(compile(program, "<program>", "exec"), module.__dict__)
"""
_OFFICIAL_STDIN = r"""
import io, sys, types
from unittest.mock import mock_open, patch
class Buffer:
    def __init__(self, given): self.given = given.encode("utf-8", "surrogatepass")
    def read(self, *args): return self.given
    def readline(self, *args): return self.given.split(b"\n")[0] + b"\n"
class Stdin:
    def __init__(self, given):
        lines = iter(given.split("\n"))
        self.buffer, self.text = Buffer(given), io.StringIO(given)
        self.read, self.readlines = lambda *args: given, lambda *args: given.split("\n")
        self.readline = lambda *args: next(lines)
    def __getattr__(self, name): return getattr(self.text, name)
def main(program, given):
    module = types.ModuleType("tmp_sol")
    exec(program, module.__dict__)
    real, sys.stdout, sys.stdin = sys.stdout, io.StringIO(), Stdin(given)
    sys.stdout.close = lambda *args: None
    captured = sys.stdout
    with patch("builtins.open", mock_open(read_data=given)):
        try: module.wrapped_function()
        except SystemExit: pass
    sys.stdout = real
    real.write(captured.getvalue())
"""


def judge_program(row: ProblemRow, program: str, mode: Mode, jails: Jails) -> Judgement:
    """The verdict on a program; its reason is that of the first test that fails. Raises BenchmarkError where the
    tests can't be read."""
    if not program.strip():
        return Judgement(False, MALFORMED)
    tests = row.tests()
    if row.entry_point is not None:
        return _functional(program, row.entry_point, tests, mode, jails)
    source = program if mode == "strict" else _as_function(program)
    if source is None:
        return Judgement(False, RAISED)
    for test in tests:
        judged = _stdin(source, test, mode, jails)
        if judged.correct is not True:
            return judged
    return Judgement(True)


def _functional(program: str, entry_point: str, tests: Sequence[Case], mode: Mode, jails: Jails) -> Judgement:
    inputs = [[json.loads(line) for line in test.input.split("\n")] for test in tests]
    expected = [json.loads(test.output) for test in tests]
    find = f"names[{entry_point!r}]"
    if "class Solution" in program:
        find = f"getattr(names['Solution'](), {entry_point!r})"
        if mode == "strict":
            find = f"lambda *given: getattr(names['Solution'](), {entry_point!r})(*given)"
    first = ""
    if mode == "strict":  # such a line must stand first, so officially a program that has one fails
        first = "".join(f"{line}\n" for line in _FUTURE.findall(program))
        program = _FUTURE.sub("", program)
    called = call_all(
        f"{first}{_NO_THREADS}{PRELUDE}\n{program}",
        inputs,
        [TEST_S] * len(inputs),
        jails.get(FUNCTIONAL_LIMITS),
        find=find,
        names="__import__('types').ModuleType('tmp_sol').__dict__",
    )
    if called.ended == "sandbox_failed":
        return Judgement(None, SANDBOX_FAILED)
    for given, right in zip(called.values, expected, strict=False):
        if not same_value(given, right, mode):
            return Judgement(False, WRONG)
    if called.ended:
        return Judgement(False, {"late": TIMEOUT, "raised": RAISED}.get(called.ended, STOPPED))
    return Judgement(True)


def same_value(given: Any, right: Any, mode: Mode) -> bool:
    """Whether a method's result is the one expected (a JSON value). Official: the outermost tuple is a list, then
    `==`."""
    if mode == "official":
        return bool((list(given) if isinstance(given, tuple) else given) == right)
    if isinstance(given, list | tuple) and isinstance(right, list):
        return len(given) == len(right) and all(same_value(a, b, mode) for a, b in zip(given, right, strict=True))
    if isinstance(given, dict) and isinstance(right, dict):
        return given.keys() == right.keys() and all(same_value(given[key], right[key], mode) for key in right)
    if isinstance(given, int | float) and isinstance(right, float):
        return math.isclose(given, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(given == right)


def _stdin(source: str, test: Case, mode: Mode, jails: Jails) -> Judgement:
    if mode == "strict":
        harness = _STRICT_STDIN.replace("_PIPE_BYTES", str(_PIPE_BYTES))
        call = f"main({PRELUDE!r}, {source!r}, {test.input!r})"
    else:
        harness, call = _OFFICIAL_STDIN, f"main({source!r}, {test.input!r})"
    large = mode == "strict" and len(test.input.encode("utf-8", "surrogatepass")) > _PIPE_BYTES
    seen = run_job(Job(f"{_NO_THREADS}{harness}\n{call}\n", "None", files=large), jails.get(STDIN_LIMITS))
    failed = _ended(seen)
    if failed is not None:
        return failed
    return Judgement.of(same_output(seen.stdout, test.output, mode))


def _ended(seen: Observation) -> Judgement | None:
    """The verdict on a run that did not end well; None where its output counts."""
    if seen.verdict is Verdict.OK:
        return None
    if seen.verdict is Verdict.SANDBOX_FAILED:
        return Judgement(None, SANDBOX_FAILED)
    if seen.verdict is Verdict.EXCEPTION:
        return None if (seen.exception or ("",))[0] == "SystemExit" else Judgement(False, RAISED)
    return Judgement(False, TIMEOUT if seen.verdict is Verdict.TIMEOUT else STOPPED)


def same_output(given: str, right: str, mode: Mode) -> bool:
    """Whether printed text is the one expected: line by line without the blanks around, unequal lines number by
    number."""
    ours = [line.strip() for line in given.strip().split("\n")]
    theirs = [line.strip() for line in right.strip().split("\n")]
    return len(ours) == len(theirs) and all(_same_line(a, b, mode) for a, b in zip(ours, theirs, strict=True))


def _same_line(given: str, right: str, mode: Mode) -> bool:
    if given == right:
        return True
    try:
        ours, theirs = ([Decimal(word) for word in line.split()] for line in (given, right))
        if mode == "official" or len(ours) != len(theirs):
            return ours == theirs
        return all(
            a == b or ("." in word and math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE))
            for a, b, word in zip(ours, theirs, right.split(), strict=True)
        )
    except (InvalidOperation, ValueError, OverflowError):
        return False


def _as_function(program: str) -> str | None:
    """The program as the published scorer runs it: imports in the module, all else in a function; the body of a last
    `if __name__ == '__main__'` always runs. None for what does not parse."""
    try:
        tree = ast.parse(program)
        if tree.body and isinstance(tree.body[-1], ast.If):
            last = tree.body[-1]
            if ast.unparse(last.test) == "__name__ == '__main__'":
                tree.body[-1:] = last.body
        imports = [one for one in tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
        rest = [one for one in tree.body if not isinstance(one, ast.Import | ast.ImportFrom)]
        nothing: Any = []
        arguments = ast.arguments(
            posonlyargs=nothing, args=nothing, kwonlyargs=nothing, kw_defaults=nothing, defaults=nothing
        )
        function = ast.FunctionDef(name="wrapped_function", args=arguments, body=rest, decorator_list=nothing, lineno=1)
        tree.body = [*imports, function]
        return f"{PRELUDE}\n{ast.unparse(tree)}\n"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
