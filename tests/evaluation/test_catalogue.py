"""Loaders of all benchmarks, in every form of file they come in; what the catalogue says of a folder."""

from __future__ import annotations

import base64
import datetime
import gzip
import hashlib
import json
import os
import pickle
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation import catalogue, cruxeval, evalplus, humaneval, livecodebench_code, livecodebench_execution, mbpp
from evaluation.benchmark_files import BenchmarkError, sha256_of
from evaluation.evalplus_inputs import restored
from evaluation.plain_pickle import PlainPickleError, plain_loads

CRUX = {"id": "sample_0", "code": "def f(a):\n    return a", "input": "1", "output": "1"}
EXECUTION = {
    "question_id": 7,
    "id": "sample_3",
    "function_name": "twice",
    "code": "def twice(n: int) -> int:\n    return 2 * n",
    "input": "twice(n = 4)",
    "output": "8",
    "numsteps": 2,
    "problem_id": [1],
    "contest_id": "weekly",
    "contest_date": "2023-05-28T00:00:00",
    "difficulty": "Easy",
}
HUMANEVAL = {
    "task_id": "HumanEval/900",
    "prompt": 'def inc(n):\n    """One more."""\n',
    "entry_point": "inc",
    "canonical_solution": "    return n + 1\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
}
MBPP = {
    "task_id": 12,
    "text": "Write a function to add one.",
    "code": "def inc(n):\r\n    return n + 1",
    "test_list": ["assert inc(1) == 2"],
    "test_setup_code": "",
    "challenge_test_list": [],
}
SANITIZED = {
    "task_id": 12,
    "prompt": "Add one.",
    "code": "def inc(n):\n    return n + 1",
    "test_imports": ["import math"],
    "test_list": ["assert inc(1) == 2"],
    "source_file": "a",
}
PLUS = {
    "task_id": "Mbpp/2",
    "prompt": '"""\nShared items.\nassert shared((1,), (1,)) == (1,)\n"""\n',
    "entry_point": "shared",
    "canonical_solution": "def shared(a, b):\n    return tuple(set(a) & set(b))\n",
    "base_input": [[[1], [1]]],
    "plus_input": [[[1, 2], [2]]],
    "atol": 0,
    "contract": "",
    "assertion": "",
}
PROBLEM = {
    "question_title": "Sum",
    "question_content": "Add them.",
    "platform": "atcoder",
    "question_id": "abc1",
    "contest_id": "abc",
    "contest_date": "2024-05-01T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": json.dumps([{"input": "1 2", "output": "3", "testtype": "stdin"}]),
    "metadata": "{}",
}


def packed(tests: list[dict[str, str]]) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


PROBLEM["private_test_cases"] = packed([{"input": "5 5", "output": "10", "testtype": "stdin"}])


def lines(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def parquet(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


@pytest.mark.parametrize("name", ["data/test-00000-of-00001.parquet", "test.parquet"])
def test_cruxeval_is_read_from_the_hubs_parquet(name: str, tmp_path: Path) -> None:
    parquet(tmp_path / "cruxeval" / name, CRUX)
    [row] = cruxeval.load(tmp_path)
    assert (row.item_id, row.arguments) == ("sample_0", "1")


def test_execution_rows_are_the_same_from_parquet_and_from_jsonl(tmp_path: Path) -> None:
    day = datetime.datetime(2023, 5, 28)
    parquet(tmp_path / "hub" / "data" / "test-00000-of-00001.parquet", {**EXECUTION, "contest_date": day})
    lines(tmp_path / "half" / "dev.jsonl", EXECUTION)
    from_hub, from_half = (livecodebench_execution.load(tmp_path / name) for name in ("hub", "half"))
    assert from_hub == from_half
    assert (from_hub[0].call, from_hub[0].contest_date, from_hub[0].difficulty) == (
        "twice(n = 4)",
        "2023-05-28",
        "easy",
    )


def test_an_execution_row_whose_input_is_another_functions_call_is_refused(tmp_path: Path) -> None:
    lines(tmp_path / "dev.jsonl", {**EXECUTION, "input": "print(4)"})
    with pytest.raises(BenchmarkError, match="no call of twice"):
        livecodebench_execution.load(tmp_path)


@pytest.mark.parametrize("name", ["HumanEval.jsonl.gz", "HumanEval.jsonl", "dev.jsonl"])
def test_humaneval_is_read_from_jsonl_gzipped_or_not(name: str, tmp_path: Path) -> None:
    lines(tmp_path / name, HUMANEVAL)
    [row] = humaneval.load(tmp_path)
    assert row.source.endswith("return n + 1\n")
    assert (row.item_id, row.entry_point) == ("HumanEval/900", "inc")


def test_humaneval_is_read_from_the_hubs_parquet(tmp_path: Path) -> None:
    parquet(tmp_path / "humaneval" / "openai_humaneval" / "test-00000-of-00001.parquet", HUMANEVAL)
    assert humaneval.load(tmp_path)[0].canonical_solution == "    return n + 1\n"


def test_a_gzip_file_cut_short_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = lines(tmp_path / "HumanEval.jsonl.gz", *({**HUMANEVAL, "task_id": str(n)} for n in range(50)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BenchmarkError, match=r"HumanEval\.jsonl\.gz can't be read"):
        humaneval.load(tmp_path)


def test_mbpp_is_read_from_jsonl_and_from_the_splits_of_the_hub(tmp_path: Path) -> None:
    lines(tmp_path / "a" / "mbpp.jsonl", MBPP, {**MBPP, "task_id": 511})
    parquet(tmp_path / "b" / "full" / "train-00000-of-00001.parquet", {**MBPP, "task_id": 511})
    parquet(tmp_path / "b" / "full" / "test-00000-of-00001.parquet", MBPP)
    rows = mbpp.load(tmp_path / "a")
    assert rows == mbpp.load(tmp_path / "b")
    assert [(row.number, row.is_test) for row in rows] == [(12, True), (511, False)]
    assert "\r" not in rows[0].source


def test_a_row_that_is_in_two_splits_is_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        parquet(tmp_path / "full" / f"{split}-00000-of-00001.parquet", MBPP)
    with pytest.raises(BenchmarkError, match="there twice"):
        mbpp.load(tmp_path)


def test_sanitized_mbpp_is_a_json_list_or_the_hubs_parquet(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "sanitized-mbpp.json").write_text(json.dumps([SANITIZED]))
    parquet(tmp_path / "b" / "sanitized" / "test-00000-of-00001.parquet", SANITIZED)
    [row] = mbpp.load_sanitized(tmp_path / "a")
    assert row == mbpp.load_sanitized(tmp_path / "b")[0]
    assert (row.set_up, row.tests) == (("import math",), ("assert inc(1) == 2",))


def test_mbpp_plus_gives_inputs_their_types_back(tmp_path: Path) -> None:
    lines(tmp_path / "MbppPlus.jsonl.gz", PLUS, {**PLUS, "task_id": "Mbpp/3", "plus_input": {}})
    first, other = evalplus.load_mbpp_plus(tmp_path)
    assert first.base_inputs == (((1,), (1,)),)
    assert other.base_inputs == (([1], [1]),)
    assert other.plus_inputs == ()


@pytest.mark.parametrize(
    ("number", "given", "expected"),
    [
        (2, [[1], [2]], [(1,), (2,)]),
        (63, [[[1, 2]]], [[(1, 2)]]),
        (75, [[[1]], 3], [[(1,)], 3]),
        (106, [[1], [2]], [[1], (2,)]),
        (115, [[[1, 1], []]], [[{1}, {}]]),
        (124, ["1.5", "2j"], [1.5, 2j]),
        (252, ["1+2j"], [1 + 2j]),
        (250, [[1], 2], [(1,), 2]),
        (259, [[[1]], [[2]]], [((1,),), ((2,),)]),
        (278, [[1, [2]]], [(1, (2,))]),
        (307, [[1], 0, 2], [(1,), 0, 2]),
        (722, [{"a": [1]}, 2], [{"a": (1,)}, 2]),
        (580, [[1, [2]]], [(1, (2,))]),
        (1, [[1]], [[1]]),
    ],
)
def test_each_kind_of_mbpp_plus_input_is_restored(number: int, given: list[Any], expected: list[Any]) -> None:
    [arguments] = restored(f"Mbpp/{number}", [given])
    assert repr(arguments) == repr(expected)


def test_mbpp_plus_inputs_of_another_form_are_refused(tmp_path: Path) -> None:
    lines(tmp_path / "dev.jsonl", {**PLUS, "base_input": [[5]]})
    with pytest.raises(BenchmarkError, match="Mbpp/2: base_input"):
        evalplus.load_mbpp_plus(tmp_path)


def test_evalplus_rows_of_the_hub_carry_one_test_program(tmp_path: Path) -> None:
    parquet(tmp_path / "humaneval_plus" / "data" / "test-00000-of-00001.parquet", HUMANEVAL)
    row = {**SANITIZED, "test": "assert inc(5) == 6"}
    parquet(tmp_path / "mbpp_plus" / "data" / "test-00000-of-00001.parquet", row)
    [human] = evalplus.load_humaneval_plus(tmp_path)
    [other] = evalplus.load_mbpp_plus(tmp_path)
    assert (human.entry_point, human.test, human.plus_inputs) == ("inc", HUMANEVAL["test"], ())
    assert (other.item_id, other.entry_point, other.test) == ("Mbpp/12", "inc", "assert inc(5) == 6")
    assert other.base_tests == ("import math", "assert inc(1) == 2")


def problems(folder: Path, *per_file: int) -> Path:
    """Files with so many problems each, a month apart."""
    number = 0
    for name, count in zip(livecodebench_code.FILES, per_file, strict=False):
        rows = []
        for _ in range(count):
            number += 1
            rows.append({**PROBLEM, "question_id": f"q{number}", "contest_date": f"2024-{number:02}-01T00:00:00"})
        lines(folder / name, *rows)
    return folder


def test_livecodebench_versions_are_files_up_to_one_alone_or_a_range(tmp_path: Path) -> None:
    problems(tmp_path, 2, 1, 3)

    def ids(version: str) -> list[str]:
        return [row.item_id for row in livecodebench_code.load(tmp_path, version)]

    assert ids("release_v1") == ["q1", "q2"]
    assert ids("release_v2") == ["q1", "q2", "q3"]
    assert ids("v3") == ["q4", "q5", "q6"]
    assert ids("v2_v3") == ["q3", "q4", "q5", "q6"]
    assert len(ids("release_latest")) == 6
    with pytest.raises(BenchmarkError, match=r"test4\.jsonl, test5\.jsonl is not in"):
        ids("release_v5")
    for wrong in ("v7", "v3_v1", "latest"):
        with pytest.raises(BenchmarkError, match=r"version|ends before"):
            ids(wrong)


def test_livecodebench_dates_are_both_included(tmp_path: Path) -> None:
    problems(tmp_path, 5)
    first, last = datetime.date(2024, 2, 1), datetime.date(2024, 4, 1)
    rows = livecodebench_code.load(tmp_path, "release_v1", first, last)
    assert [row.item_id for row in rows] == ["q2", "q3", "q4"]


def test_private_tests_come_after_public_ones_and_from_their_own_row(tmp_path: Path) -> None:
    other = {**PROBLEM, "question_id": "é2", "private_test_cases": packed([]), "metadata": '{"func_name": "add"}'}
    lines(tmp_path / "test.jsonl", other, PROBLEM)
    first, second = livecodebench_code.load(tmp_path)
    assert [test.output for test in first.tests()] == ["3"]
    assert [test.output for test in second.tests()] == ["3", "10"]
    assert (first.entry_point, second.entry_point) == ("add", None)


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch hostile_ran",)


def test_a_hostile_pickle_in_the_private_tests_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    evil = base64.b64encode(zlib.compress(pickle.dumps(Hostile()))).decode()
    lines(tmp_path / "test.jsonl", {**PROBLEM, "private_test_cases": evil})
    [row] = livecodebench_code.load(tmp_path)
    with pytest.raises(BenchmarkError, match=r"the pickle names .*system"):
        row.tests()
    assert not (tmp_path / "hostile_ran").exists()
    pickle.loads(pickle.dumps(Hostile()))  # the same pickle does run where nothing is refused
    assert (tmp_path / "hostile_ran").exists()


@pytest.mark.parametrize("value", [len, datetime.date(2024, 1, 1), ValueError("x"), slice(1), pickle.PickleBuffer])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_that_names_anything_is_refused(value: Any, protocol: int) -> None:
    with pytest.raises(PlainPickleError, match="names"):
        plain_loads(pickle.dumps(value, protocol))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_plain_values_come_through(protocol: int) -> None:
    value = {"a": [1, 2.5, None, True], "b": ("é", b"\0", {"c": -1})}
    assert plain_loads(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x80\x05.", pickle.dumps([1])[:-1]])
def test_a_broken_pickle_is_refused(data: bytes) -> None:
    with pytest.raises(PlainPickleError):
        plain_loads(data)


@pytest.mark.parametrize("text", ["!!", "AAAA", base64.b64encode(zlib.compress(b"x" * 100)[:-6]).decode(), "[1]"])
def test_private_tests_that_are_not_well_formed_are_refused(text: str) -> None:
    with pytest.raises(BenchmarkError, match="q1"):
        livecodebench_code.unpack_tests(text, "q1")


def test_private_tests_that_unpack_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livecodebench_code, "MAX_TESTS_BYTES", 1000)
    with pytest.raises(BenchmarkError, match="more than 1000 bytes"):
        livecodebench_code.unpack_tests(packed([{"input": "x" * 5000, "output": "", "testtype": "stdin"}]), "q1")


def test_the_catalogue_says_what_is_there_and_that_it_is_a_part(tmp_path: Path) -> None:
    path = lines(tmp_path / "humaneval" / "dev.jsonl", HUMANEVAL)
    (tmp_path / "mbpp").mkdir()
    [seen] = catalogue.found(tmp_path)
    assert (seen.name, seen.num_rows, seen.complete, seen.licence) == ("humaneval", 1, False, "MIT")
    assert seen.sha256 == {path: hashlib.sha256(path.read_bytes()).hexdigest()}
    assert seen.note == "1 of 164 rows"
    with pytest.raises(BenchmarkError, match="stepcode benchmarks fetch mbpp_plus"):
        catalogue.look(tmp_path, "mbpp_plus")
    with pytest.raises(BenchmarkError, match="there is no benchmark 'x'"):
        catalogue.look(tmp_path, "x")


def test_a_whole_file_of_another_size_than_published_is_noted(tmp_path: Path) -> None:
    rows = [{**HUMANEVAL, "task_id": f"HumanEval/{number}"} for number in range(164)]
    path = lines(tmp_path / "humaneval" / "HumanEval.jsonl", *rows)
    seen = catalogue.look(tmp_path, "humaneval")
    assert seen.complete
    assert seen.note == f"HumanEval.jsonl has {path.stat().st_size:,} bytes, published are 214,438"


def test_more_rows_than_the_benchmark_has_are_refused(tmp_path: Path) -> None:
    rows = [{**HUMANEVAL, "task_id": f"HumanEval/{number}"} for number in range(165)]
    lines(tmp_path / "HumanEval.jsonl", *rows)
    with pytest.raises(BenchmarkError, match="has 165 rows; humaneval has 164"):
        humaneval.load(tmp_path)


def test_what_a_download_left_behind_is_no_benchmark(tmp_path: Path) -> None:
    lines(tmp_path / "humaneval" / "HumanEval.jsonl.gz.part", HUMANEVAL)
    lines(tmp_path / "mbpp" / ".cache" / "dev.jsonl", MBPP)
    assert catalogue.present(tmp_path) == []
    assert catalogue.found(tmp_path) == []


def test_every_benchmark_says_where_it_comes_from_and_how_large_it_is() -> None:
    for name, entry in catalogue.ENTRIES.items():
        about = entry.about
        assert about.name == name
        assert about.licence
        assert about.num_rows > 100
        assert about.downloads
        assert f"stepcode benchmarks fetch {name}" in about.advice


def test_the_development_halves_are_all_found(benchmarks: Path) -> None:
    seen = {one.name: one.num_rows for one in catalogue.found(benchmarks)}
    halves = {"humaneval": 82, "mbpp": 487, "mbpp_sanitized": 201, "mbpp_plus": 178, "livecodebench_execution": 11}
    for name, half in halves.items():
        assert seen[name] in (half, catalogue.ENTRIES[name].about.num_rows)
    index = benchmarks / "livecodebench_execution" / "dev_index.jsonl"
    if index.is_file():
        verified = {row["id"]: row for row in map(json.loads, index.read_text().splitlines())}
        for row in livecodebench_execution.load(benchmarks):
            known = verified[row.item_id]
            assert (known["question_id"], known["difficulty"]) == (row.question_id, row.difficulty)
            assert known["contest_date"].startswith(row.contest_date)
    assert (
        sha256_of(benchmarks / "mbpp_plus" / "dev.jsonl")
        == hashlib.sha256((benchmarks / "mbpp_plus" / "dev.jsonl").read_bytes()).hexdigest()
    )
