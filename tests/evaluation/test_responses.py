"""The response parser: the form, every fault, and texts made to break it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.prompts import TAGS, TASKS
from evaluation.responses import AMBIGUOUS, FAULTS, Span, parse_response

GOOD = (
    "<reasoning>2 + 3</reasoning><print>x: 5</print>\n"
    "<reasoning>twice</reasoning><print>y: 10</print><reasoning>so</reasoning><answer>10</answer>"
)


def test_a_response_in_form_gives_steps_spans_and_answer_without_faults() -> None:
    response = parse_response(GOOD, "output")
    assert [step.text for step in response.steps] == ["x: 5", "y: 10"]
    assert [step.reasoning for step in response.steps] == ["2 + 3", "twice"]
    assert response.answer == "10"
    assert response.reasoning == "so"
    assert response.faults == ()
    first, second = (step.span for step in response.steps)
    assert GOOD[first.start : first.end] == "<reasoning>2 + 3</reasoning><print>x: 5</print>"
    assert GOOD[second.start : second.end] == "\n<reasoning>twice</reasoning><print>y: 10</print>"
    assert response.answer_span == Span(second.end, len(GOOD))


def test_input_prediction_commits_first_and_its_first_step_starts_after_the_input() -> None:
    text = "<reasoning>guess</reasoning><input>3</input><reasoning>r</reasoning><print>x: 3</print><answer>3</answer>"
    response = parse_response(text, "input")
    assert response.input == "3"
    assert response.input_span == Span(0, text.index("</input>") + len("</input>"))
    assert response.steps[0].span.start == response.input_span.end
    assert response.faults == ()


@pytest.mark.parametrize(
    ("task", "text", "faults"),
    [
        ("output", "", {"missing_answer"}),
        ("output", "42", {"missing_answer", "text_outside_blocks"}),
        ("output", "<answer>1</answer> indeed", {"text_after_answer"}),
        ("output", "<answer>1</answer><answer>2</answer>", {"duplicate_answer", "text_after_answer"}),
        ("output", "<answer>1</answer><print>x: 1</print>", {"text_after_answer"}),
        ("output", "<answer>1", {"unclosed_answer"}),
        ("output", "<print>x: 1<answer>1</answer>", {"unclosed_print"}),
        ("output", "<print>x: 1</reasoning><answer>1</answer>", {"unclosed_print", "stray_tag"}),
        ("output", "<reasoning>a<print>x: 1</print><answer>1</answer>", {"unclosed_reasoning"}),
        ("output", "</print><answer>1</answer>", {"stray_tag"}),
        ("output", "so <print>x: 1</print><answer>1</answer>", {"text_outside_blocks"}),
        ("output", "<input>1</input><answer>1</answer>", {"surplus_input"}),
        ("input", "<answer>1</answer>", {"missing_input"}),
        ("input", "<input>1</input><input>2</input><answer>1</answer>", {"duplicate_input"}),
        ("input", "<print>x: 1</print><input>1</input><answer>1</answer>", {"late_input"}),
        ("input", "<input>1<answer>1</answer>", {"unclosed_input"}),
        ("coverage", "<print>x: 1</print><answer>YES</answer>", {"surplus_print"}),
        ("coverage", "<answer>YES</answer>", set()),
    ],
)
def test_each_departure_from_the_form_has_its_name(task: str, text: str, faults: set[str]) -> None:
    assert set(parse_response(text, task).faults) == faults


def test_every_fault_is_explained() -> None:
    assert set(FAULTS) >= AMBIGUOUS


def test_of_two_answers_the_first_is_the_committed_one() -> None:
    assert parse_response("<answer>1</answer><answer>2</answer>", "output").answer == "1"


def test_steps_after_the_answer_are_not_read() -> None:
    assert parse_response("<answer>1</answer><print>x: 1</print>", "output").steps == ()


def test_a_block_inside_a_block_ends_the_outer_one_which_stays_in_place_unclosed() -> None:
    response = parse_response("<print>x: 1<print>y: 2</print></print><answer>1</answer>", "output")
    assert [(step.text, step.closed) for step in response.steps] == [("x: 1", False), ("y: 2", True)]


def test_a_truncated_response_keeps_its_last_step_unclosed() -> None:
    response = parse_response("<print>x: 1</print><reasoning>a</reasoning><print>y: 2", "output")
    assert [step.closed for step in response.steps] == [True, False]
    assert set(response.faults) == {"unclosed_print", "missing_answer"}


HOSTILE = st.lists(
    st.one_of(st.sampled_from([*TAGS, "<", ">", "</", "<print", "answer>", "\x00", "\n", " "]), st.text(max_size=8)),
    max_size=40,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(HOSTILE, st.sampled_from(TASKS))
def test_any_text_parses_with_ordered_spans_and_named_faults(text: str, task: str) -> None:
    response = parse_response(text, task)
    assert set(response.faults) <= set(FAULTS)
    spans = [step.span for step in response.steps]
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    for step in response.steps:
        assert step.text in text[step.span.start : step.span.end]
        assert text[step.span.start : step.span.end].endswith("</print>") == step.closed or not step.closed
    if response.answer_span is not None:
        assert all(span.end <= response.answer_span.start for span in spans)
    assert ("missing_answer" in response.faults) == (response.answer is None)
    assert (response.answer is None) == (response.answer_span is None)


@pytest.mark.parametrize("piece", ["<print>", "</print>", "<print>x</print>", "<answer>1</answer>", "<", "<<print>"])
def test_time_grows_with_the_text_and_not_with_its_square(piece: str) -> None:
    """30,000 repetitions parse in a moment: a quadratic parser would need minutes."""
    response = parse_response(piece * 30_000, "output")
    assert response.answer is None or response.answer == "1"


def test_steps_before_the_answer_to_a_question_are_no_fault_where_they_were_asked_for() -> None:
    text = "<print>x: 1</print><reasoning>so</reasoning><answer>YES</answer>"
    response = parse_response(text, "coverage", stepwise=True)
    assert ([step.text for step in response.steps], response.answer, response.faults) == (["x: 1"], "YES", ())
