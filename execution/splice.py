"""Inside the jail: compiles anchored programs and calls by putting a marker into their text.

The general way (`tracer.py`) goes through a syntax tree of Python objects, which costs a quarter of a whole run: a
hundred pages of memory, shared with the warm interpreter until then, are copied to build it. Here the text is changed
instead, where it is plain what that means; None sends the caller the general way. What is called in an anchor's place
is a constant, the marker, for which `tracer.put_constants` puts the recorder.
"""

from __future__ import annotations

from types import CodeType


def spliced_program(source: str, file: str, anchor_lines: tuple[int, ...], marker: str) -> CodeType | None:
    """The module's code with the constant `marker + str(position)` called in place of each anchor's `print`.

    None where a line does not begin with `print(f` or lies inside a string, and where the text does not compile or
    has carriage returns or form feeds.
    """
    if "\r" in source or "\f" in source:
        return None
    lines = source.split("\n")
    for position, number in enumerate(anchor_lines):
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        statement = line.lstrip(" \t")
        if not statement.startswith("print(f"):
            return None
        indent = line[: len(line) - len(statement)]
        lines[number - 1] = f"{indent}{_called(marker + str(position))}{statement[len('print') :]}"
    try:
        code = compile("\n".join(lines), file, "exec", dont_inherit=True)
    except SyntaxError:  # what it says is about the changed text
        return None
    return code if _num_markers(code, marker) == len(anchor_lines) else None


def spliced_call(call: str, file: str, marker: str) -> CodeType | None:
    """The code of `NAME(arguments)` as `marker(NAME, arguments)`; None where the call is not as plain as that."""
    name, _, rest = call.strip().partition("(")
    inner = rest[:-1]
    if not name.strip().isidentifier() or rest[-1:] != ")" or "(" in inner or ")" in inner:
        return None
    try:
        return compile(f"{_called(marker)}({name}, {rest}", file, "eval", dont_inherit=True)
    except SyntaxError:
        return None


def _called(marker: str) -> str:
    """An expression that is this constant; written so that calling it gives no SyntaxWarning."""
    return f"({marker!r} if 1 else 0)"


def _num_markers(code: CodeType, marker: str) -> int:
    count = 0
    for constant in code.co_consts:
        if type(constant) is str:
            count += constant.startswith(marker)
        elif type(constant) is CodeType:
            count += _num_markers(constant, marker)
    return count
