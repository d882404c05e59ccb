"""Sources: what is read, what is put aside with which reason, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.sources import Collected, SourceError, collect, collect_python, collect_rows
from execution.values import equal_literals

EXAMPLES = Path(__file__).parents[2] / "examples" / "programs"

MODULE = '''"""A module."""

from __future__ import annotations

import math
import os

BASE = 3
TABLE = {}
TABLE["two"] = 2
UNUSED = 9


# Not part of the function.
def helper(x):
    return x * BASE  # kept


@staticmethod
def triple(x):
    return helper(x)


def area(r):
    return math.floor(math.pi * r * r)


def look(name):
    return TABLE.get(name)


def test_area():
    assert area(2) == 12
    assert area(undefined) == 1


assert triple(4) == 12
assert 7 == helper(  # on two lines
    7 / 3
)
assert look("one") is None
assert look("two")
assert not look("three")
assert area(1) == area(1)
assert area(1) > 2
assert os.getpid() == 1
assert len([1]) == 1

if __name__ == "__main__":
    print(area(3))
'''


def claims(collected: Collected) -> list[tuple[str, str | None]]:
    return [(item.program.call, item.expected) for item in collected.programs]


@pytest.fixture
def module(tmp_path: Path) -> Collected:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "shop.py").write_text(MODULE)
    return collect(folder)


def test_each_assert_gives_a_call_and_the_claimed_literal(module: Collected) -> None:
    assert claims(module) == [
        ("area(2)", "12"),
        ("triple(4)", "12"),
        ("helper(7 / 3)", "7"),
        ('look("one")', "None"),
        ('look("two")', None),
        ('look("three")', None),
    ]


def test_asserts_of_another_form_are_bad_rows_with_place_and_reason(module: Collected, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "shop.py"
    lines = {row.where.removeprefix(f"{file}:"): row.why for row in module.bad}
    text = MODULE.splitlines()
    assert {text[int(line) - 1].strip(): why for line, why in lines.items()} == {
        "assert area(undefined) == 1": "undefined in the arguments is not defined at the top level of this file",
        "assert area(1) == area(1)": "the expected output is no Python literal: area(1)",
        "assert area(1) > 2": "not of the form `assert f(args) == literal`",
        "assert os.getpid() == 1": "what is called is no plain name, as in `f(3)`",
        "assert len([1]) == 1": "len is not defined in this file",
    }


def test_the_source_is_what_the_call_needs_in_its_own_words(module: Collected) -> None:
    sources = {item.program.call: item.program.source for item in module.programs}
    future = "from __future__ import annotations\n"
    assert sources["triple(4)"] == (
        future + "\nBASE = 3\n\n\ndef helper(x):\n    return x * BASE  # kept\n\n\n"
        "@staticmethod\ndef triple(x):\n    return helper(x)\n"
    )
    assert sources["area(2)"] == (future + "import math\n\n\ndef area(r):\n    return math.floor(math.pi * r * r)\n")
    assert sources['look("two")'] == (
        future + '\nTABLE = {}\nTABLE["two"] = 2\n\n\ndef look(name):\n    return TABLE.get(name)\n'
    )


def test_the_origin_is_below_the_folder_and_knows_the_line(module: Collected) -> None:
    line = MODULE.splitlines().index("assert triple(4) == 12") + 1
    assert module.programs[1].program.origin == f"mine/shop.py:{line}"


def test_files_come_in_order_and_caches_are_not_read(tmp_path: Path) -> None:
    for name in ("b.py", "a.py", "sub/c.py", ".venv/d.py", "__pycache__/e.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"def f(x):\n    return x\n\nassert f({name!r}) == {name!r}\n")
    assert [claim[1] for claim in claims(collect_python(tmp_path))] == ["'a.py'", "'b.py'", "'sub/c.py'"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"def f(:\n", "no Python 3.11"),
        (b"x = '\xff'\n", "can't be read"),
        (b"x = 1\x00\n", "no Python 3.11"),
        (b"def f():\n    return 1\n", "no assert such as"),
        (b"# coding: nonsense\n", "can't be read"),
    ],
)
def test_a_file_that_is_no_use_is_a_bad_row(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "odd.py"
    path.write_bytes(content)
    collected = collect(path)
    assert collected.programs == ()
    [row] = collected.bad
    assert row.where.startswith(str(path)) and why in row.why


CODE = "def g(x):\n    return x\n\ndef h(x, y=1):\n    return x + y\n"


def rows(path: Path, *given: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in given))
    return path


@pytest.mark.parametrize(
    ("row", "call"),
    [
        ({"code": CODE, "input": "1, y=2", "output": "3"}, "h(1, y=2)"),
        ({"code": CODE, "input": "1", "output": "1", "entry_point": "g"}, "g(1)"),
        ({"code": CODE, "input": "g(x = 4)", "output": "4", "function_name": "g"}, "g(x = 4)"),
        ({"code": "def f():\n    return 2\n" + CODE, "input": "", "output": "2"}, "f()"),
        ({"code": CODE, "input": "(1, 2), 3", "output": "0", "entry_point": None}, "h((1, 2), 3)"),
    ],
)
def test_the_called_function_of_a_row(tmp_path: Path, row: dict[str, object], call: str) -> None:
    [item] = collect(rows(tmp_path / "rows.jsonl", row)).programs
    assert (item.program.call, item.program.source, item.program.origin) == (call, row["code"], "rows.jsonl:1")
    assert item.expected == row["output"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{not json", "no JSON: "),
        ("[1, 2]", "a JSON list, not an object with code, input and output"),
        ({"code": CODE, "output": "1"}, "no field input"),
        ({"code": CODE, "input": "1", "output": None}, "no field output"),
        ({"code": CODE, "input": 1, "output": "1"}, "the field input is no string but int"),
        ({"code": "def f(:", "input": "1", "output": "1"}, "code is no Python 3.11"),
        ({"code": "x = 1", "input": "1", "output": "1"}, "code defines no function at its top level"),
        ({"code": CODE, "input": "1", "output": "1", "entry_point": "k"}, "the entry point 'k' is not defined"),
        ({"code": CODE, "input": "1), (2", "output": "1"}, "input is no argument list: 1), (2"),
        ({"code": CODE, "input": "1).x(2", "output": "1"}, "input is no argument list"),
        ({"code": CODE, "input": "1 # )", "output": "1"}, "input is no argument list"),
        ({"code": CODE, "input": "1", "output": "h(1)"}, "the expected output is no Python literal: h(1)"),
        ("[" * 100_000, "no JSON: "),
    ],
)
def test_a_row_that_is_no_use_says_where_and_why(tmp_path: Path, row: object, why: str) -> None:
    good = {"code": CODE, "input": "1", "output": "2"}
    path = rows(tmp_path / "rows.jsonl", good, "", row, good)
    collected = collect(path)
    assert len(collected.programs) == 2
    [bad] = collected.bad
    assert bad.where == f"{path}:3"
    assert bad.why.startswith(why)
    assert collected.bad_share == pytest.approx(1 / 3)


def test_a_line_that_is_no_utf_8_does_not_spoil_the_others(tmp_path: Path) -> None:
    path = rows(tmp_path / "rows.jsonl", {"code": CODE, "input": "1", "output": "2"})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b'{"code": "\xff"}\n')
    collected = collect(path)
    assert len(collected.programs) == 1
    assert collected.bad[0].why.startswith("no UTF-8")


def test_parquet_rows_are_read_like_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = {"code": [CODE, CODE], "input": ["1", None], "output": ["2", "3"], "entry_point": ["h", None], "n": [1, 2]}
    pq.write_table(pa.table(table), path)
    collected = collect(path)
    assert claims(collected) == [("h(1)", "2")]
    assert collected.bad[0].where == f"{path}:2" and collected.bad[0].why == "no field input"


def test_what_is_missing_or_empty_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    pq.write_table(pa.table({"code": ["x"], "in": ["y"]}), tmp_path / "other.parquet")
    for name, message in [
        ("nowhere", "no programs at .*nowhere: give a folder of Python files"),
        ("empty", "no Python file in .*empty: give a folder"),
        ("empty.jsonl", "empty.jsonl holds no program: give a folder"),
        ("notes.txt", "can't read programs from .*notes.txt: give a folder"),
        ("broken.parquet", "can't read .*broken.parquet as Parquet"),
        ("other.parquet", "other.parquet has no column input: it has code, in; give"),
    ]:
        with pytest.raises(SourceError, match=message):
            collect(tmp_path / name)
    with pytest.raises(SourceError, match="no file of programs"):
        collect_rows(tmp_path / "nowhere.jsonl")


def test_a_folder_of_rows_is_read_in_order(tmp_path: Path) -> None:
    rows(tmp_path / "b.jsonl", {"code": CODE, "input": "2", "output": "3"})
    rows(tmp_path / "a.jsonl", {"code": CODE, "input": "1", "output": "2"})
    assert claims(collect(tmp_path)) == [("h(1)", "2"), ("h(2)", "3")]


def test_the_examples_are_many_have_three_calls_each_and_hold() -> None:
    collected = collect(EXAMPLES)
    assert collected.bad == ()
    calls: dict[str, int] = {}
    for item in collected.programs:
        program = item.program
        namespace: dict[str, object] = {}
        exec(program.source, namespace)
        assert item.expected is not None
        assert equal_literals(repr(eval(program.call, namespace)), item.expected) is True, program.call
        calls[program.source_id] = calls.get(program.source_id, 0) + 1
    assert len(calls) >= 64
    assert min(calls.values()) >= 3
