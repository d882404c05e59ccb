"""What `stepcode trace` and `stepcode instrument` show a person: states, events, how and where it ended."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from execution.source_file import SourceFileError
from tasks.show_trace import anchored_bytes, show_trace

GCD = "def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return a\n"
Show = Callable[..., tuple[bool, list[str]]]


@pytest.fixture
def show(tmp_path: Path) -> Show:
    """show(source, call, …) -> (whether it ended well, the lines shown)."""

    def run(source: str, call: str, **options: Any) -> tuple[bool, list[str]]:
        file = tmp_path / "a.py"
        file.write_text(source, "utf-8")
        out = Console(file=io.StringIO(), width=150)
        ended_well = show_trace(file, call, "local", out, **{"events": False, "as_json": False, **options})
        return ended_well, [line.rstrip() for line in out.file.getvalue().splitlines()]  # type: ignore[attr-defined]

    return run


def test_states_result_and_verdict_are_shown(show: Show) -> None:
    ended_well, lines = show(GCD, "gcd(12, 18)")
    assert ended_well
    assert [line.split("│")[2:4] for line in lines if line.startswith("│")] == [
        [" 4    ", " a: 6  "],
        [" 5    ", " b: 0  "],
        [" 6    ", " a: 6  "],
    ]
    assert lines[-2:] == ["result: 6  (int)", "verdict: ok  (local; WITHOUT ISOLATION)"]


def test_events_come_with_the_source_of_their_line(show: Show) -> None:
    _, lines = show(GCD, "gcd(2, 2)", events=True)
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert ["line", "1 gcd", "2", "while b:", "b = 0"] in rows
    assert ["return", "1 gcd", "4", "", "→ 2"] in rows


def test_what_raised_is_told_with_its_line_in_the_original(show: Show) -> None:
    source = """\
def g(d):
    x = 1
    return d['k']

def f():
    try:
        g({'k': 1})
        g({})
    finally:
        y = 2
"""
    ended_well, lines = show(source, "f()")
    assert not ended_well
    assert lines[-2] == "raised: KeyError: 'k' (line 3 of the original, in g)"
    _, lines = show("def f(x):\n    y = 1 // x\n    return y\n", "f(0)")
    assert lines[-2] == "raised: ZeroDivisionError: integer division or modulo by zero (line 2 of the original, in f)"
    assert "states: none, no anchor was reached" in lines
    _, lines = show(GCD, "gcd(1)")
    assert lines[-2] == "raised: TypeError: gcd() missing 1 required positional argument: 'b'"


def test_an_exception_that_was_handled_is_not_taken_for_the_one_that_ended_the_run(show: Show) -> None:
    source = "def f():\n    try:\n        x = int('a')\n    except ValueError:\n        x = 0\n    return 1 // x\n"
    assert show(source, "f()")[1][-2].endswith("(line 6 of the original, in f)")


def test_a_missing_package_is_explained(show: Show) -> None:
    _, lines = show("import no_such_package\nx = 1\n", "x")
    assert lines[-2].startswith("(in the sandbox there is the standard library")


def test_a_program_that_writes_files_is_shown_as_run_in_a_folder_of_its_own(show: Show) -> None:
    source = "def f(x):\n    with open('a.txt', 'w') as file:\n        n = file.write(x)\n    return n\n"
    ended_well, lines = show(source, "f('abc')")
    assert ended_well
    assert lines[-3].startswith("(it writes files: it was run in an empty folder") and lines[-2] == "result: 3  (int)"


def test_a_long_state_is_cut_in_the_table_and_whole_as_json(show: Show) -> None:
    source = "def f(n):\n    x = 'a' * n\n    return len(x)\n"
    assert any("(2,003 characters)" in line or "2,005 characters" in line for line in show(source, "f(2000)")[1])
    shown = json.loads("\n".join(show(source, "f(2000)", as_json=True)[1]))
    assert shown["observation"]["states"][0] == [0, "x: " + "a" * 2000]
    assert [event["kind"] for event in shown["events"]][-1] == "return"


def test_a_program_without_anchors_says_so(show: Show) -> None:
    assert any(line.startswith("states: none, no anchor could be placed") for line in show("", "1 + 1")[1])


def test_brackets_in_a_state_are_text(show: Show) -> None:
    _, lines = show("def f():\n    s = '[red]x[/red]'\n    return s\n", "f()")
    assert any("s: [red]x[/red]" in line for line in lines)
    assert lines[-2] == "result: '[red]x[/red]'  (str)"


@pytest.mark.parametrize(
    ("source", "call", "message"),
    [
        ("x = [", "1", r"a\.py, line 1: '\[' was never closed"),
        (GCD, "gcd(1,", r"the call 'gcd\(1,' is no expression"),
        (GCD, "x = 1", r"the call 'x = 1' is no expression"),
    ],
)
def test_what_does_not_parse_is_told_and_nothing_is_run(show: Show, source: str, call: str, message: str) -> None:
    with pytest.raises(SourceFileError, match=message):
        show(source, call)


def test_instrument_keeps_encoding_byte_order_mark_and_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"\xef\xbb\xbfdef f():\r\n    x = '\xc3\xa9'\r\n    return x\r\n")
    anchored = anchored_bytes(file)
    assert anchored.startswith(b"\xef\xbb\xbfdef f():\r\n    x = '\xc3\xa9'\r\n    print(f'x: {x}')\r\n")
    assert anchored.count(b"\n") == anchored.count(b"\r\n")


def test_the_commands_write_errors_to_stderr_and_end_with_status_1(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = [\n")
    for command in (["instrument", str(file)], ["trace", str(file), "--call", "1", "--json"]):
        words = [sys.executable, "-m", "stepcode", *command]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "a.py, line 1: '[' was never closed" in ended.stderr.replace("\n", "")
