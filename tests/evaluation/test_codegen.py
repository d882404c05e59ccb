"""Items of code generation: how they are asked, what they cut out of a response, and both verdicts on it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation import evalplus, humaneval, mbpp
from evaluation.codegen import CodeForm, code_items
from evaluation.evalplus import EvalPlusRow
from evaluation.humaneval import HumanEvalRow
from evaluation.items import Item
from evaluation.jails import Jails
from evaluation.livecodebench_code import Case, ProblemRow
from evaluation.mbpp import MbppRow
from execution.limits import DEFAULT_LIMITS, Limits
from execution.sandbox import Job, Observation, Sandbox, Verdict

HUMANEVAL = HumanEvalRow(
    "HumanEval/900",
    'def inc(n):\n    """One more."""\n',
    "inc",
    "    return n + 1\n",
    "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(-1) == 0\n",
)
MBPP = MbppRow("mbpp/900", 900, "Add one.", "def inc(n):\n    return n + 1", ("assert inc(1) == 2",), ("import math",))
PLUS = EvalPlusRow(
    "HumanEval/900", "humaneval", HUMANEVAL.prompt, "inc", "    return n + 1\n", ((1,),), ((-1,), (10**30,))
)


@pytest.fixture(scope="module")
def jails() -> Iterator[Jails]:
    with Jails() as opened:
        yield opened


def problem(folder: Path, **more: Any) -> ProblemRow:
    path = folder / "test.jsonl"
    private = [{"input": "5 5", "output": "10", "testtype": "stdin"}]
    path.write_text(json.dumps({"private_test_cases": json.dumps(private)}))
    public = (Case("1 2", "3", "stdin"),)
    given = {"entry_point": None, "starter_code": "", "public_tests": public, **more}
    day = datetime.date(2024, 5, 1)
    return ProblemRow("q1", "Sum", "Add both.", "atcoder", day, difficulty="easy", path=path, offset=0, **given)


def verdicts(item: Item, text: str, jails: Jails) -> tuple[bool | None, bool | None]:
    assert item.judge is not None
    judged = item.judge(text, jails)
    assert judged.official is not None
    return judged.strict.correct, judged.official.correct


@pytest.mark.parametrize(
    ("text", "strict", "official"),
    [
        ("```python\ndef inc(n):\n    return n + 1\n```", True, True),
        ("def inc(n):\n    return n + 1\n", True, True),  # the block that the prompt opened goes on
        ("    return n + 1\n", True, True),  # the function goes on
        ("```python\ndef inc(n):\n    return n + 2\n```", False, False),
        ("```python\ndef inc(n):\n    return 1 if n == 0 else n + 1\n```\nTry `inc(1)`!", True, True),
        ("```python\nimport functools\n@functools.cache\ndef inc(n):\n    return n + 1\n```", True, False),
        ("I don't know.", False, False),
        ("", False, False),
        ("```python\ndef inc(n):\n    import os\n    os._exit(0)\n```", False, False),
    ],
)
def test_humaneval_answers(text: str, strict: bool, official: bool, jails: Jails) -> None:
    [item] = code_items([HUMANEVAL])
    assert verdicts(item, text, jails) == (strict, official)


def test_a_humaneval_test_may_use_a_helper_of_the_prompt(jails: Jails) -> None:
    prompt = 'def dec(n):\n    return n - 1\n\ndef inc(n):\n    """One more."""\n'
    row = replace(HUMANEVAL, prompt=prompt, test="def check(candidate):\n    assert candidate(dec(1)) == 1\n")
    [item] = code_items([row])
    assert verdicts(item, "def inc(n):\n    return n + 1\n", jails) == (True, True)


def test_mbpp_answers_are_judged_by_its_assertions(jails: Jails) -> None:
    [item] = code_items([MBPP], "cot")
    good = "I add one.\n```python\ndef inc(n):\n    return n + math.floor(1)\n```"
    assert verdicts(item, good, jails) == (True, True)
    assert verdicts(item, good.replace("n + ", "n - "), jails) == (False, False)
    assert "assert inc(1) == 2" in item.prompt


def test_evalplus_rows_give_a_verdict_on_the_base_inputs_and_one_on_all(jails: Jails) -> None:
    base, plus = code_items([PLUS])
    assert [(one.task, one.benchmark) for one in (base, plus)] == [
        ("code", "humaneval_plus"),
        ("code_plus", "humaneval_plus"),
    ]
    assert (base.prompt, base.cluster) == (plus.prompt, plus.cluster)
    only_base = "```python\ndef inc(n):\n    return 2\n```"
    assert verdicts(base, only_base, jails) == (True, True)
    assert verdicts(plus, only_base, jails) == (False, False)
    right = "```python\ndef inc(n):\n    return n + 1\n```"
    assert verdicts(plus, right, jails) == (True, True)
    assert verdicts(plus, "no code", jails) == (False, False)


def test_livecodebench_answers_need_a_whole_code_block_officially(tmp_path: Path, jails: Jails) -> None:
    [item] = code_items([problem(tmp_path)])
    program = "print(sum(map(int, input().split())))"
    assert verdicts(item, f"So:\n```python\n{program}\n```\n", jails) == (True, True)
    assert verdicts(item, f"So:\n```python\n{program}", jails) == (True, False)
    assert verdicts(item, "```python\nprint(3)\n```", jails) == (False, False)  # the private test


def test_livecodebench_prompts_show_the_starter_code_or_name_stdin(tmp_path: Path) -> None:
    [plain] = code_items([problem(tmp_path)])
    starter = "class Solution:\n    def add(self, a, b):\n"
    [method] = code_items([problem(tmp_path, starter_code=starter, entry_point="add")])
    assert "stdin" in plain.prompt
    assert starter in method.prompt
    assert "stdin" not in method.prompt
    assert "Add both." in plain.prompt
    assert (plain.stop, plain.max_new_tokens) == ((), 2000)


@pytest.mark.parametrize(("form", "opened"), [("direct", True), ("cot", False)])
def test_a_direct_prompt_opens_the_code_block_that_its_stop_closes(form: CodeForm, opened: bool) -> None:
    for item in code_items([HUMANEVAL, MBPP, PLUS], form):
        assert item.prompt.endswith("```python\n") is opened
        assert item.stop == (("\n```",) if opened else ())
        assert item.max_new_tokens == (768 if opened else None)
        assert item.form == form


def test_the_answer_is_not_in_the_prompt() -> None:
    for item in code_items([HUMANEVAL, MBPP, PLUS]):
        assert "n + 1" not in item.prompt


def test_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="steps"):
        code_items([HUMANEVAL], "steps")  # type: ignore[arg-type]


def test_a_sandbox_that_fails_gives_no_verdict(jails: Jails) -> None:
    class Lost(Sandbox):
        isolated, name = True, "lost"

        def run(self, job: Job) -> Observation:
            return Observation(Verdict.SANDBOX_FAILED)

        def run_together(self, jobs: Sequence[Job]) -> list[Observation]:
            return [self.run(job) for job in jobs]

        def close(self) -> None: ...

    class LostJails(Jails):
        def get(self, limits: Limits = DEFAULT_LIMITS, packages: tuple[str, ...] = ()) -> Sandbox:
            return Lost(limits=limits, packages=packages)

    good = "```python\ndef inc(n):\n    return n + 1\n```"
    for item in code_items([HUMANEVAL, PLUS]):
        assert verdicts(item, good, LostJails()) == (None, None)


@pytest.mark.slow
def test_reference_solutions_of_the_development_halves_pass(benchmarks: Path, jails: Jails) -> None:
    rows = [*humaneval.load(benchmarks)[:20], *mbpp.load_sanitized(benchmarks)[:20]]
    for row, item in zip(rows, code_items(rows), strict=True):
        assert verdicts(item, f"```python\n{row.source}\n```", jails)[0] is True, item.item_id
    plus = evalplus.load_mbpp_plus(benchmarks)[:10]
    for number, item in enumerate(code_items(plus)):
        assert verdicts(item, f"```python\n{plus[number // 2].source}\n```", jails) == (True, True), item.item_id
