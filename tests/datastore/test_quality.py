"""The suite for traces: good data passes, and every one of its rules fails on data that breaks it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pyarrow.parquet
import pytest

from datastore.quality import QualityError, QualityReport, load_suite, validate

NUM_ROWS = 40
SUITE = load_suite("traces")


def key(kind: str, row: int) -> str:
    return hashlib.sha256(f"{kind}{row}".encode()).hexdigest()[:32]


def trace(**changes: Any) -> str:
    good = {
        "program": {"source": "def f(x): ...", "call": "f(1)", "origin": "", "level": None},
        "instrumented": "",
        "states": [{"anchor": 0, "name": "x", "text": "x: 1"}],
        "result": "1",
        "exception": None,
        "events": [],
        "versions": {"python": "3.11.7"},
    }
    return json.dumps({**good, **changes})


def good_frame() -> pandas.DataFrame:
    """Rows like those of the collected traces; odd rows are real programs, even ones synthesised."""
    rows = [
        {
            "program_id": key("program", row),
            "source_id": key("source", row // 2),
            "source": "def f(x):\n    y = x + 1\n    return y",
            "call": f"f({row})",
            "origin": "examples/f.py:1" if row % 2 else "synthesis:level=1,seed=7",
            "level": None if row % 2 else 1 + row % 6,
            "instrumented": "def f(x):\n    y = x + 1\n    print(f'y: {y}')\n    return y",
            "num_states": 1 + row % 3,
            "states": json.dumps([[0, "y", f"y: {row + 1}"]] * (1 + row % 3)),
            "result": str(row + 1),
            "result_type": "int",
            "entry_point": None if row % 5 == 0 else "f",
            "band": ("easy", "hard")[row % 2],
            "trace_id": key("trace", row),
            "trace": trace(),
        }
        for row in range(NUM_ROWS)
    ]
    return pandas.DataFrame(rows).astype({"level": "Int64", "num_states": "Int64"})


def put(column: str, value: Any, rows: slice = slice(3, 4)) -> Callable[[pandas.DataFrame], pandas.DataFrame]:
    """A way to break a frame: set these rows of a column."""

    def broken(frame: pandas.DataFrame) -> pandas.DataFrame:
        changed = frame.astype({column: object})
        changed.iloc[rows, changed.columns.get_loc(column)] = value
        return changed.astype({column: frame[column].dtype})

    return broken


NOT_NULL = [
    rule["kwargs"]["column"] for rule in SUITE["expectations"] if rule["type"] == "expect_column_values_to_not_be_null"
]

# description of the rule -> data that breaks it
BROKEN: list[tuple[str, Callable[[pandas.DataFrame], pandas.DataFrame]]] = [
    ("there are enough traces", lambda frame: frame.iloc[:0]),
    ("every column that training", lambda frame: frame.drop(columns="entry_point")),
    *[(f"every trace has a {column}", put(column, None)) for column in NOT_NULL],
    ("one trace for each program", put("program_id", key("program", 0))),
    ("no trace comes twice", put("trace_id", key("trace", 0))),
    ("program_id is a content identity", put("program_id", "f" * 31)),
    ("source_id is a content identity", put("source_id", "F" * 32)),
    ("trace_id is a content identity", put("trace_id", "g" * 32)),
    ("difficulty is 1 to 6", put("level", 0)),
    ("difficulty is 1 to 6", put("level", 7)),
    ("1 to 10 states", put("num_states", 0)),
    ("1 to 10 states", put("num_states", 11)),
    ("a stated share of traces", put("num_states", 1, slice(0, 29))),
    ("states is a JSON list", put("states", '[[0, "y", ')),
    ("states is a JSON list", put("states", "[]")),
    ("states is a JSON list", put("states", '[["0", "y", "y: 1"]]')),
    ("states is a JSON list", put("states", '[[0, "y"]]')),
    ("states is a JSON list", put("states", '[[0, "y", "y: 1", "more"]]')),
    ("num_states counts the states", put("num_states", 10)),
    ("num_states counts the states", put("states", '{"a": 1}')),
    ("trace is a whole trace", put("trace", "not JSON")),
    ("trace is a whole trace", put("trace", trace(exception=["ValueError", "no"]))),
    ("trace is a whole trace", put("trace", trace(versions={}))),
    ("the instrumented source prints", put("instrumented", "def f(x):\n    return x + 1")),
    ("a source is neither empty", put("source", "")),
    ("a source is neither empty", put("source", "x" * 20_001)),
    ("a call is neither empty", put("call", "")),
    ("a result is neither empty", put("result", "x" * 20_001)),
    ("result_type is the name of a type", put("result_type", "<class 'int'>")),
    ("entry_point is a name", put("entry_point", "f(1)")),
    ("origin tells where", put("origin", "")),
    ("bands are few", lambda frame: frame.assign(band=frame["program_id"])),
    ("results differ", put("result", "True", slice(0, 21))),
]


def only(description: str) -> dict[str, Any]:
    whole_words = re.compile(rf"{re.escape(description)}(?!\w)")
    rules = [rule for rule in SUITE["expectations"] if whole_words.match(rule["description"])]
    assert len(rules) == 1, f"{len(rules)} rules are described by {description!r}"
    return {**SUITE, "expectations": rules}


def test_good_traces_pass_every_rule() -> None:
    report = validate(good_frame(), SUITE)
    assert report.failed == ()
    assert (report.success, report.num_rows, len(report.checks)) == (True, NUM_ROWS, len(SUITE["expectations"]))
    assert [check.description for check in report.checks] == [rule["description"] for rule in SUITE["expectations"]]


def test_every_rule_of_the_suite_has_data_that_breaks_it() -> None:
    tried = [only(description)["expectations"][0] for description, _ in BROKEN]
    assert [rule["description"] for rule in SUITE["expectations"] if rule not in tried] == []


@pytest.mark.parametrize(("description", "break_it"), BROKEN)
def test_data_that_breaks_a_rule_fails_it(
    description: str, break_it: Callable[[pandas.DataFrame], pandas.DataFrame]
) -> None:
    suite = only(description)
    assert validate(good_frame(), suite).success
    (check,) = validate(break_it(good_frame()), suite).checks
    assert (check.success, check.exception) == (False, None)
    assert check.unexpected_count or check.observed is not None


def test_a_failed_check_tells_column_count_and_examples() -> None:
    report = validate(put("level", 9, slice(3, 5))(good_frame()), SUITE)
    (check,) = report.failed
    assert not report.success
    assert (check.expectation, check.column) == ("expect_column_values_to_be_between", "level")
    assert (check.unexpected_count, check.num_rows, check.examples) == (2, NUM_ROWS, ("9", "9"))
    assert check.kwargs == {"column": "level", "min_value": 1, "max_value": 6}


def test_long_values_are_cut_in_examples() -> None:
    (check,) = validate(put("states", "x" * 1000)(good_frame()), only("states is a JSON list")).checks
    assert check.examples == ("x" * 200 + "…",)


def test_a_rule_that_cannot_be_evaluated_fails_and_says_why() -> None:
    report = validate(good_frame().drop(columns="call"), only("a call is neither empty"))
    assert not report.success
    assert report.checks[0].exception == 'Error: The column "call" in BatchData does not exist.'


def test_parameters_override_the_suites_own() -> None:
    suite = only("there are enough traces")
    assert validate(good_frame(), suite, {"min_rows": NUM_ROWS}).success
    (check,) = validate(good_frame(), suite, {"min_rows": NUM_ROWS + 1}).checks
    assert (check.success, check.observed) == (False, NUM_ROWS)
    with pytest.raises(QualityError, match=r"no parameter 'min_row' .*it has: min_rows"):
        validate(good_frame(), suite, {"min_row": 1})


def test_the_frame_survives_parquet_and_the_checks_do_not_change_it(tmp_path: Path) -> None:
    good_frame().to_parquet(tmp_path / "traces.parquet")
    frame = pandas.read_parquet(tmp_path / "traces.parquet")
    before = frame.copy(deep=True)
    assert validate(frame, SUITE).success
    pandas.testing.assert_frame_equal(frame, before)


def test_a_column_that_may_be_empty_may_be_wholly_empty(tmp_path: Path) -> None:
    """Only real programs, none called by a plain name: written by Arrow with a schema, read without."""
    schema = pyarrow.schema([("level", pyarrow.int64()), ("entry_point", pyarrow.string())])
    empty = pyarrow.table({"level": [None] * NUM_ROWS, "entry_point": [None] * NUM_ROWS}, schema=schema)
    pyarrow.parquet.write_table(empty, tmp_path / "empty.parquet")
    frame = pandas.concat(
        [good_frame().drop(columns=empty.column_names), pandas.read_parquet(tmp_path / "empty.parquet")], axis=1
    )
    assert validate(frame, SUITE).failed == ()


def test_a_report_survives_json() -> None:
    report = validate(put("level", 9)(good_frame()), SUITE)
    assert QualityReport.from_json(report.to_json()) == report


def test_no_progress_bar_and_no_other_word_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    validate(good_frame(), SUITE)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ([], "a suite is an object"),
        ({"name": "x", "expectations": []}, "must be a list that is not empty"),
        ({"name": "x", "expectations": [{"type": "t"}]}, "expectation 0: an object with exactly"),
        ({"name": "x", "more": 1, "expectations": [{}]}, "a suite is an object"),
        ({"name": "x", "expectations": [{"type": "expect_magic", "kwargs": {}, "description": ""}]}, "expect_magic"),
        (
            {
                "name": "x",
                "expectations": [
                    {"type": "expect_column_values_to_be_unique", "kwargs": {"colum": "call"}, "description": ""}
                ],
            },
            "'x' cannot be run",
        ),
    ],
)
def test_a_malformed_suite_is_an_error_of_its_own(suite: Any, message: str) -> None:
    with pytest.raises(QualityError, match=message):
        validate(good_frame(), suite)


def test_suites_load_from_files_and_unknown_names_say_which_there_are(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(SUITE))
    assert load_suite(tmp_path / "mine.json") == SUITE
    with pytest.raises(QualityError, match=r"one of: traces"):
        load_suite("trace")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(QualityError, match=r"bad\.json: not JSON"):
        load_suite(tmp_path / "bad.json")
