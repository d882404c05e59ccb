"""Items of CRUXEval and LiveCodeBench execution: what each form asks, and how its judge takes answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation import cruxeval
from evaluation.completion_items import cruxeval_items, livecodebench_items, livecodebench_program
from evaluation.cruxeval import CruxevalRow
from evaluation.harness import row_id
from evaluation.items import FORMS, Item
from evaluation.jails import Jails
from evaluation.livecodebench_execution import ExecutionRow
from evaluation.scorers.completions import OFFICIAL_LIMITS
from evaluation.scorers.livecodebench import PACKAGES
from execution.observe import observe
from execution.sandbox import Sandbox, open_sandbox
from execution.traces import SetAside, Trace

SOURCE = "def f(a, b):\n    total = a + b\n    total = total * 2\n    return total\n"
ROW = CruxevalRow("sample_x", SOURCE, "1, 2", "6")
STATES = ("total: 3", "total: 6", "total: 6")
STEPS = "".join(f"<print>{state}</print>" for state in STATES)


SAMPLE = ExecutionRow(
    "sample_y",
    7,
    "best",
    "def best(nums: List[int]) -> int:\n    top = max(nums)\n    return top + gcd(4, 6)\n",
    "best(nums = [3, 5])",
    "7",
    "2023-05-28",
    "easy",
)


@pytest.fixture(scope="module")
def jails() -> Iterator[Jails]:
    with Jails("local") as opened:
        yield opened


@pytest.fixture(scope="module")
def trace(sandboxes: tuple[Sandbox, Sandbox]) -> Trace:
    [outcome] = observe([ROW.program], sandboxes)
    assert isinstance(outcome, Trace)
    return outcome


def only(items: list[Item], task: str) -> Item:
    [item] = [item for item in items if item.task == task]
    return item


def item(trace: Trace, form: str, task: str, row: CruxevalRow = ROW) -> Item:
    return only(cruxeval_items([row], [trace], form, "instruct"), task)  # type: ignore[arg-type]


def verdicts(item: Item, text: str, jails: Jails) -> tuple[bool | None, bool | None]:
    assert item.judge is not None
    judged = item.judge(text, jails)
    assert judged.official is not None
    return judged.strict.correct, judged.official.correct


def test_every_form_of_a_row_has_its_own_id_and_names_the_program_and_the_row(trace: Trace) -> None:
    items = [one for form in FORMS for one in cruxeval_items([ROW], [trace], form, "instruct")]  # type: ignore[arg-type]
    assert len({row_id(one) for one in items}) == 8
    assert {one.cluster for one in items} == {ROW.program.source_id}
    assert {(one.task, one.expected) for one in items} == {("output", ("6",)), ("input", ())}
    assert {one.pair for one in items} == {"sample_x"}


def test_steps_show_anchors_and_plain_does_not(trace: Trace) -> None:
    assert "print(f'total: {total}')" in item(trace, "steps", "output").prompt
    assert "print" not in item(trace, "plain", "output").prompt


@pytest.mark.parametrize("task", ["output", "input"])
@pytest.mark.parametrize(("form", "last", "limit"), [("direct", "[ANSWER]\n", 512), ("cot", "[THOUGHT]\n", 1536)])
def test_published_prompts_end_in_an_open_tag_and_name_the_stop(
    trace: Trace, form: str, last: str, limit: int, task: str
) -> None:
    asked = item(trace, form, task)
    assert asked.prompt.endswith(f"\n[/PYTHON]\n{last}")
    assert asked.prompt.count("[PYTHON]") == asked.prompt.count("[/PYTHON]")
    assert asked.prompt.count(last.strip()) - asked.prompt.count(last.strip().replace("[", "[/")) == 1
    assert (asked.stop, asked.max_new_tokens) == (("[/ANSWER]",), limit)
    question = "assert f(1, 2) == ??" if task == "output" else "assert f(??) == 6"
    assert f"{SOURCE}{question}\n" in asked.prompt


def test_an_output_in_steps_is_judged_at_every_step_and_by_both_rules(trace: Trace, jails: Jails) -> None:
    asked = item(trace, "steps", "output")
    assert asked.judge is not None
    predicted = ("total: 3", "total: 5", "total: 6")
    steps = "".join(f"<print>{state}</print>" for state in predicted)
    judged = asked.judge(f"{steps}<answer>6</answer>", jails)
    assert judged.official is not None
    assert (judged.strict.correct, judged.official.correct) == (True, True)
    assert judged.step_correct == (True, False, True)
    assert (judged.true_states, judged.predicted_states, judged.answer) == (STATES, predicted, "6")


@pytest.mark.parametrize(
    ("text", "strict", "official"),
    [
        (f"{STEPS}<answer>6</answer>", True, True),
        (f"{STEPS}<answer>6.0</answer>", False, True),  # equal by ==
        (f"{STEPS}<answer>1 or True</answer>", False, True),  # the published rule runs it
        (f"{STEPS}<answer>f(1, 2)</answer>", False, False),  # it skips the call itself: nothing is left to count
        (f"{STEPS}<answer>7</answer>", False, False),
        ("<answer>6</answer>", False, True),  # no steps: the format gate
        (STEPS, False, False),
        (f"{STEPS}<answer>6</answer><answer>7</answer>", False, True),
    ],
)
def test_strict_and_official_part_where_the_published_rule_is_lenient(
    trace: Trace, jails: Jails, text: str, strict: bool, official: bool
) -> None:
    assert verdicts(item(trace, "steps", "output"), text, jails) == (strict, official)


@pytest.mark.parametrize(
    ("text", "strict", "official"),
    [
        ("<input>2, 1</input><answer>6</answer>", True, True),
        ("<input>f(2, 1)</input><answer>6</answer>", True, True),
        ("<input>b=1, a=2</input><answer>6</answer>", True, True),
        ("<input>int('2'), 1</input><answer>6</answer>", False, True),
        ("<input>2, 2</input><answer>6</answer>", False, False),
        ("<answer>6</answer>", False, False),
    ],
)
def test_an_input_is_run_on_the_original_and_judged_by_both_rules(
    trace: Trace, jails: Jails, text: str, strict: bool, official: bool
) -> None:
    assert verdicts(item(trace, "plain", "input"), text, jails) == (strict, official)


@pytest.mark.parametrize(
    ("form", "task", "text", "strict", "official"),
    [
        ("direct", "output", "assert f(1, 2) == 6\n", True, True),
        ("direct", "output", "6", True, True),
        ("direct", "output", "```\nassert f(1, 2) == 6\n```", False, False),
        ("direct", "output", "assert f(2, 2) == 6", False, True),
        ("cot", "output", "3, twice 3\n[/THOUGHT]\n[ANSWER]\nassert f(1, 2) == 6\n", True, True),
        ("cot", "output", "3, twice 3\n[/THOUGHT]", False, False),
        ("direct", "input", "assert f(3, 0) == 6\n", True, True),
        ("direct", "input", "3, 0", False, False),
        ("direct", "input", "6 or f(", False, False),
        ("cot", "input", "[/THOUGHT]\n[ANSWER]\nf(3, 0)\n", True, True),
    ],
)
def test_published_forms_are_cut_and_judged_by_both_rules(
    trace: Trace, jails: Jails, form: str, task: str, text: str, strict: bool, official: bool
) -> None:
    assert verdicts(item(trace, form, task), text, jails) == (strict, official)


def test_an_answer_that_does_not_end_is_a_timeout_and_wrong(trace: Trace) -> None:
    asked = item(trace, "direct", "output")
    assert asked.judge is not None
    with Jails("bubblewrap") as jails:
        judged = asked.judge("6 if [x for x in iter(int, 1)] else 7", jails)
    assert judged.official is not None
    assert (judged.official.correct, judged.official.reason) == (False, "timeout")
    assert judged.strict.reason == "not_literal"


def test_a_row_without_a_trace_is_left_out_of_steps_with_the_reason_and_asked_in_other_forms(trace: Trace) -> None:
    set_aside = SetAside(ROW.program, "too_many_states")
    other = CruxevalRow("sample_z", SOURCE, "1, 2", "7")  # the published output is not what we saw
    for row, outcomes, reason in (
        (ROW, [], "not_traced"),
        (ROW, [set_aside], "too_many_states"),
        (other, [trace], "truth_differs"),
    ):
        left_out = cruxeval_items([row], outcomes, "steps", "compact")
        assert [(one.left_out, one.judge, one.prompt) for one in left_out] == [(reason, None, "")] * 2
        assert all(one.judge and not one.left_out for one in cruxeval_items([row], outcomes, "plain", "compact"))


def test_livecodebench_programs_run_with_the_published_imports_that_no_prompt_shows(jails: Jails) -> None:
    with (
        open_sandbox("local", 1, OFFICIAL_LIMITS, PACKAGES) as first,
        open_sandbox("local", 2, OFFICIAL_LIMITS, PACKAGES) as second,
    ):
        traces = observe([livecodebench_program(SAMPLE)], (first, second))
    for form in FORMS:
        for asked in livecodebench_items([SAMPLE], traces, form, "instruct"):  # type: ignore[arg-type]
            assert asked.left_out == ""
            assert "import" not in asked.prompt
            steps = "<print>top: 5</print><print>return_val: 7</print>" if form == "steps" else ""
            answer = "assert best(nums = [3, 5]) == 7"
            text = {"direct": answer, "cot": f"[/THOUGHT][ANSWER]\n{answer}\n[/ANSWER]"}.get(
                form, f"<input>nums = [3, 5]</input>{steps}<answer>7</answer>"
            )
            text = text.partition("</input>")[2] if asked.task == "output" and "</input>" in text else text
            assert verdicts(asked, text, jails) == (True, True), asked.item_id


def test_the_benchmarks_truth_is_right_in_every_published_form(benchmarks: Path) -> None:
    """Every tenth row; a published input that is no literal is right officially alone."""
    rows = cruxeval.load(benchmarks)[::10]
    with Jails() as jails:
        for row in rows:
            answer = f"assert f({row.arguments}) == {row.output}"
            for form, text in (("direct", f"{answer}\n"), ("cot", f"[/THOUGHT]\n[ANSWER]\n{answer}\n")):
                for asked in cruxeval_items([row], [], form, "instruct"):  # type: ignore[arg-type]
                    assert asked.judge is not None
                    judged = asked.judge(text, jails)
                    assert judged.official is not None and judged.official.correct, asked.item_id
                    assert judged.strict.correct or judged.strict.reason == "not_literal", asked.item_id
