"""Prompts: what they hold, and that every example in them is in the form that they ask for."""

from __future__ import annotations

import pytest

from evaluation.prompts import (
    BLOCKS,
    STYLES,
    TAGS,
    TASK_TAGS,
    TASKS,
    assertions_prompt,
    input_prompt,
    output_prompt,
    question_prompt,
)
from evaluation.questions import Question
from evaluation.responses import parse_response

SOURCE = "\ndef f(x):\n    y = {x: 1}\n    print(f'y: {y}')\n    return y\n\n"
QUESTION = Question("state", 3, "    y = {x: 1}", "y", ("{2: 1}; dict",), covered=True)


def test_compact_prompts_are_task_program_and_what_is_asked() -> None:
    source = SOURCE.strip()
    assert output_prompt(SOURCE, "f(2)", "compact").text == f"<task:output>\n{source}\nf(2)\n"
    assert input_prompt(SOURCE, "f", "{2: 1}", "compact").text == f"<task:input>\n{source}\nf(??) == {{2: 1}}\n"
    assert question_prompt(SOURCE, "f(2)", QUESTION, "compact").text == (
        f"<task:state>\n{source}\nf(2)\n3: y = {{x: 1}}\ny\n"
    )


def test_tags_are_all_of_the_blocks_and_tasks_each_once() -> None:
    assert len(TAGS) == len(set(TAGS)) == 2 * len(BLOCKS) + len(TASKS) + 1
    assert set(TASK_TAGS.values()) <= set(TAGS)
    assert not any(one != other and one in other for one in TAGS for other in TAGS)


@pytest.mark.parametrize("anchored", [True, False])
def test_the_example_in_an_instruction_is_in_the_form_that_the_parser_reads(anchored: bool) -> None:
    for prompt in (
        output_prompt(SOURCE, "f(2)", "instruct", anchored=anchored),
        input_prompt(SOURCE, "f", "{2: 1}", "instruct", anchored=anchored),
    ):
        example = prompt.text[prompt.text.index("The form") :].split("\n", 1)[1].strip()
        response = parse_response(example, prompt.task)
        assert response.faults == ()
        assert response.answer == "True"
        assert len(response.steps) == (1 if anchored else 0)
        assert (response.input is not None) == (prompt.task == "input")


@pytest.mark.parametrize("task", ["coverage", "state", "path"])
def test_instructions_name_the_line_and_the_form_of_the_answer(task: str) -> None:
    question = Question(task, 3, "    y = {x: 1}", "y" if task == "state" else None, (), covered=True)
    text = question_prompt(SOURCE, "f(2)", question, "instruct").text
    assert "line 3, `y = {x: 1}`" in text
    assert "f(2)" in text
    assert {"coverage": "YES or NO", "state": "Nil", "path": "-1"}[task] in text


def test_a_question_on_an_anchored_program_asks_for_its_printed_lines_too() -> None:
    question = Question("path", 2, "    y = {x: 1}", None, (), covered=True)
    plain = question_prompt(SOURCE, "f(2)", question, "instruct").text
    anchored = question_prompt(SOURCE, "f(2)", question, "instruct", anchored=True, of_test=True).text
    assert "<print>" not in plain and "passed over" not in plain and "This call is evaluated" in plain
    assert "<print>" in anchored and "passed over" in anchored and "This test is run" in anchored


def test_path_asks_across_calls_where_it_is_told_to() -> None:
    question = Question("path", 2, "    y = {x: 1}", None, (), covered=True)
    own = question_prompt(SOURCE, "f(2)", question, "instruct").text
    across = question_prompt(SOURCE, "f(2)", question, "instruct", across_calls=True).text
    assert "of the same function call" in own and "in whatever function" not in own
    assert "in whatever function" in across and "of the same function call" not in across


@pytest.mark.parametrize("anchored", [True, False])
def test_a_test_to_complete_shows_its_set_up_and_its_gaps(anchored: bool) -> None:
    asserted = "assertEqual(g.n, ??)"
    text = assertions_prompt(SOURCE, "g = G()", asserted, "instruct", anchored=anchored).text
    assert "```python\ng = G()\n```" in text and f"```python\n{asserted}\n```" in text
    assert ("<print>" in text) == anchored
    assert "prepares" not in assertions_prompt(SOURCE, "", asserted, "instruct", anchored=anchored).text
    compact = assertions_prompt(SOURCE, "g = G()", asserted, "compact", anchored=anchored).text
    assert compact == f"<task:output>\n{SOURCE.strip()}\ng = G()\n{asserted}\n"


def test_unknown_styles_and_tasks_are_refused() -> None:
    assert STYLES == ("compact", "instruct")
    with pytest.raises(ValueError, match="compact, instruct"):
        output_prompt(SOURCE, "f(2)", "verbose")
    with pytest.raises(ValueError, match="coverage, state, path"):
        question_prompt(SOURCE, "f(2)", Question("output", 3, "y", None, (), covered=True), "compact")
