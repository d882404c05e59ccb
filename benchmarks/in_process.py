"""Running programs in this process, without any isolation: bare, and traced as ExecVerify does."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

_FILE = "<program>"


def bare(source: str, call: str) -> Any:
    """The call's value; the ceiling of what any way of running programs can reach."""
    namespace: dict[str, Any] = {}
    exec(compile(source, _FILE, "exec"), namespace)
    return eval(call, namespace)


def traced(source: str, call: str) -> tuple[Any, list[tuple[int, dict[str, str]]]]:
    """The call's value, and for each line event the line and `repr` of all locals (arXiv 2603.11226, §3.3).

    The program's own `__repr__` runs here, an endless loop hangs, `os._exit` ends everything.
    """
    rows: list[tuple[int, dict[str, str]]] = []

    def trace(frame: FrameType, event: str, value: Any) -> Any:
        if frame.f_code.co_filename != _FILE:
            return None
        if event == "line":
            rows.append((frame.f_lineno, {name: repr(value) for name, value in frame.f_locals.items()}))
        return trace

    namespace: dict[str, Any] = {}
    code = compile(source, _FILE, "exec")
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        exec(code, namespace)
        result = eval(call, namespace)
    finally:
        sys.settrace(before)
    return result, rows
