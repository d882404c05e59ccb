"""`stepcode score`: answers judged line by line, in their order, and messages for files that don't fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import stepcode

FUNCTION = "def double(n):\n    m = n * 2\n    if m > 9:\n        m = 9\n    return m\n"
DATA = {"task_id": "DREval/0", "entry_point": "double", "code": FUNCTION, "inputs": ["(2,)"], "outputs": ["4"]}
POINTS = [{"lineno": 2, "var": "m"}, {"lineno": 4, "var": "m"}]
TASKS = {
    "task_id": "DREval/0",
    "idx": 0,
    "tasks": [{"input_idx": 0, "task": POINTS, "output_pred": "assert double(2) == ??"}],
}
ROWS = [{"id": "sample_0", "code": "def f(n):\n    return [n]", "input": "3", "output": "[3]"}]


@pytest.fixture
def reval(tmp_path: Path) -> Path:
    written(tmp_path / "data" / "DREval_data.jsonl", [{**DATA, "test": None}])
    written(tmp_path / "data" / "DREval_tasks.jsonl", [TASKS])
    return tmp_path / "data"


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def score(*arguments: object) -> tuple[int, str, str]:
    ended = CliRunner().invoke(stepcode.app, ["score", *map(str, arguments)])
    return ended.exit_code, ended.stdout, ended.stderr


def judged(*arguments: object) -> list[dict[str, Any]]:
    code, out, err = score(*arguments, "--json")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def point(number: int, generated: str) -> dict[str, Any]:
    return {"task_id": "DREval/0", "input_idx": 0, "point": number, "generated": generated}


@pytest.mark.parametrize(
    ("task", "answers", "correct"),
    [
        ("coverage", [point(0, "YES"), point(1, "YES")], [True, False]),
        ("path", [point(0, "if m > 9:"), point(1, "-1")], [True, True]),
        ("state", [point(1, "Nil"), point(0, "4; int")], [True, True]),  # in the order of the answers
        ("output", [{"task_id": "DREval/0", "input_idx": 0, "generated": "assert double(2) == 4"}], [True]),
    ],
)
def test_each_reval_answer_has_its_line(
    reval: Path, tmp_path: Path, task: str, answers: list[dict[str, Any]], correct: list[bool]
) -> None:
    path = written(tmp_path / "answers.jsonl", answers)
    rows = judged("reval", "--data", reval, "--answers", path, "--task", task, "--form", "direct")
    assert [row["correct"] for row in rows] == correct
    assert [{name: row[name] for name in given} for row, given in zip(rows, answers, strict=True)] == answers


def test_generations_have_a_verdict_each_and_skipped_ones_none(tmp_path: Path) -> None:
    data = written(tmp_path / "rows.jsonl", ROWS)
    answers = written(tmp_path / "answers.jsonl", [{"id": "sample_0", "generations": ["[3]", "f(3)", "[3.0]"]}])
    given = ("cruxeval", "--data", data, "--answers", answers, "--direction", "output")
    [official] = judged(*given)
    assert (official["verdict_per_generation"], official["pass_at_1"]) == ([True, None, True], 1.0)
    [strict] = judged(*given, "--mode", "strict")
    assert (strict["verdict_per_generation"], strict["pass_at_1"]) == ([True, False, False], pytest.approx(1 / 3))


def test_livecodebench_brings_its_imports(tmp_path: Path) -> None:
    row = {**ROWS[0], "code": "def g(n):\n    return inf", "function_name": "g", "input": "g(n = 3)", "output": "1"}
    data = written(tmp_path / "rows.jsonl", [row])
    answers = written(tmp_path / "answers.jsonl", [{"id": "sample_0", "generations": ["1", "pd.Series([1])[0]", "2"]}])
    [scored] = judged("livecodebench", "--data", data, "--answers", answers)
    assert scored["verdict_per_generation"] == [True, True, False]


def test_code_is_judged_by_the_tests_of_its_task(tmp_path: Path) -> None:
    tests = "def check(candidate):\n    assert candidate(2) == 4\n"
    row = {"task_id": "HumanEval/0", "prompt": "def double(n):\n", "test": tests, "entry_point": "double"}
    data = written(tmp_path / "rows.jsonl", [row])
    generations = [
        "    return n * 2",
        "    return n",
        "    return n *",
        "    import sys; sys.exit(0)",
        "    while 1: pass",
    ]
    answers = written(tmp_path / "answers.jsonl", [{"id": "HumanEval/0", "generations": generations}])
    [scored] = judged("humaneval", "--data", data, "--answers", answers)
    assert scored["verdict_per_generation"] == [True, False, False, False, False]
    assert scored["reasons"] == ["", "wrong", "raised", "raised", "timeout"]


def test_code_that_looks_for_its_judge_is_wrong_strictly(tmp_path: Path) -> None:
    row = {"task_id": 7, "test_setup_code": "import math", "test_list": ["assert half(4) == math.sqrt(4)"]}
    data = written(tmp_path / "rows.jsonl", [row])
    looking = "import sys\nsys._getframe()\ndef half(n):\n    return n / 2"
    answers = written(
        tmp_path / "answers.jsonl", [{"id": 7, "generations": ["def half(n):\n    return n / 2", looking]}]
    )
    given = ("mbpp", "--data", data, "--answers", answers)
    assert judged(*given)[0]["verdict_per_generation"] == [True, True]
    [strict] = judged(*given, "--mode", "strict")
    assert (strict["verdict_per_generation"], strict["reasons"]) == ([True, False], ["", "tampered"])


def test_without_json_a_table_tells_accuracy_and_reasons(reval: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "answers.jsonl", [point(0, "YES"), point(1, "perhaps")])
    given = ("--data", reval, "--answers", path, "--task", "coverage", "--form", "direct", "--mode", "strict")
    code, out, _ = score("reval", *given)
    assert code == 0 and "50.00" in out and "malformed" in out


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({**point(0, "YES"), "task_id": "DREval/9"}, "no such program"),
        ({**point(0, "YES"), "input_idx": 3}, "nothing about this input"),
        (point(7, "YES"), "point 7 of 2"),
        ({"task_id": "DREval/0", "input_idx": 0, "point": 0}, "line 1 of"),
    ],
)
def test_an_answer_that_fits_no_question_is_named(
    reval: Path, tmp_path: Path, answer: dict[str, Any], message: str
) -> None:
    path = written(tmp_path / "answers.jsonl", [answer])
    code, out, err = score("reval", "--data", reval, "--answers", path, "--task", "coverage", "--form", "direct")
    assert code == 1 and message in err and not out


def test_an_answer_given_twice_is_refused(reval: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "answers.jsonl", [point(0, "YES"), point(0, "NO")])
    code, _, err = score("reval", "--data", reval, "--answers", path, "--task", "coverage", "--form", "direct")
    assert code == 1 and "twice" in err


def test_consistency_takes_the_four_tasks_together(reval: Path, tmp_path: Path) -> None:
    answers = {
        "coverage": [point(0, "YES"), point(1, "NO")],
        "state": [point(0, "4; int"), point(1, "Nil")],
        "path": [point(0, "if m > 9:"), point(1, "m = 9")],
        "output": [{"task_id": "DREval/0", "input_idx": 0, "generated": "assert double(2) == 4"}],
    }
    files = {task: written(tmp_path / f"{task}.jsonl", rows) for task, rows in answers.items()}
    options = [part for task, path in files.items() for part in (f"--{task}", path)]
    # Point 0 is right in all four: 1; point 1 is wrong in its path and right in the output: 0.
    code, out, err = score("consistency", "--data", reval, "--form", "direct", *options)
    assert (code, out.strip()) == (0, "consistency 50.00 over 2 points"), err
