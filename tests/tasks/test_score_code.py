"""`stepcode score` on programs for EvalPlus and LiveCodeBench: one line per answer line, and messages for the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import stepcode

TASK = {
    "task_id": "HumanEval/900",
    "prompt": 'def inc(n):\n    """One more."""\n',
    "entry_point": "inc",
    "canonical_solution": "    return n + 1\n",
    "base_input": [[1]],
    "plus_input": [[-1]],
    "atol": 0,
    "contract": "",
}
RIGHT = "def inc(n): return n + 1"
BASE_ONLY = "def inc(n): return 2"
WRONG = "def inc(n): return 3"
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
    "private_test_cases": json.dumps([{"input": "2 2", "output": "4", "testtype": "stdin"}]),
    "metadata": "{}",
}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def score(*arguments: object) -> tuple[int, str, str]:
    ended = CliRunner().invoke(stepcode.app, ["score", *map(str, arguments)])
    return ended.exit_code, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("inputs", "verdicts"), [("base", [True, True, False, True]), ("plus", [True, False, False, True])]
)
def test_programs_are_judged_on_the_base_inputs_or_on_all(inputs: str, verdicts: list[bool], tmp_path: Path) -> None:
    data = written(tmp_path / "tasks.jsonl", TASK)
    programs = [RIGHT, BASE_ONLY, WRONG, RIGHT]
    answers = written(tmp_path / "answers.jsonl", {"id": "HumanEval/900", "generations": programs})
    given = ("humaneval_plus", "--data", data, "--answers", answers, "--inputs", inputs)
    code, out, err = score(*given, "--json")
    assert code == 0, err
    [row] = map(json.loads, out.splitlines())
    assert row["verdict_per_generation"] == verdicts
    assert row["pass_at_1"] == pytest.approx(sum(verdicts) / 4)
    code, out, _ = score(*given)
    assert (code, "pass@1" in out) == (0, True)


def test_programs_for_livecodebench_are_judged_by_public_and_private_tests(tmp_path: Path) -> None:
    written(tmp_path / "test.jsonl", PROBLEM)
    right, wrong = "print(sum(map(int, input().split())))", "print(3)"
    answers = written(tmp_path / "answers.jsonl", {"id": "abc1", "generations": [right, wrong]})
    code, out, err = score("livecodebench_code", "--data", tmp_path, "--answers", answers, "--json")
    assert code == 0, err
    [row] = map(json.loads, out.splitlines())
    assert (row["verdict_per_generation"], row["reasons"]) == ([True, False], ["", "wrong"])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"id": "HumanEval/1", "generations": [RIGHT]}, "'HumanEval/1' is not in"),
        ({"id": "HumanEval/900", "generations": [1]}, "a generation that is no text"),
        ({"id": "HumanEval/900"}, "no field 'generations'"),
    ],
)
def test_answers_that_do_not_fit_the_tasks_are_refused(answer: dict[str, Any], message: str, tmp_path: Path) -> None:
    data = written(tmp_path / "tasks.jsonl", TASK)
    code, _, err = score("humaneval_plus", "--data", data, "--answers", written(tmp_path / "a.jsonl", answer))
    assert code == 1
    assert message in err
