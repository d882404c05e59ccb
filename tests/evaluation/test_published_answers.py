"""What is cut out of a response by the published rules, and what our own strict reading takes."""

from __future__ import annotations

import pytest

from evaluation.published_answers import (
    cut_cruxeval,
    cut_livecodebench,
    cut_livecodebench_input,
    strict_answer,
    strict_input,
    strict_output,
)


@pytest.mark.parametrize(
    ("response", "generation"),
    [
        ("assert f(3) == 4\n", "4"),
        ("assert f(3) == 4\n[/ANSWER]\nassert f(3) == 5", "4"),
        (" 4 ", "4"),
        ("assert f(1) == 2 == 3", "2"),  # between the first and the second
        ("so f(3) == [1,\n 2]", "[1,\n 2]"),
        ("```\nassert f(3) == 4\n```", "4\n```"),  # fences are not handled
        ("", ""),
    ],
)
def test_cruxevals_direct_output_is_what_follows_the_equality(response: str, generation: str) -> None:
    assert cut_cruxeval(response, "output", "direct") == generation


def test_cruxevals_chain_of_thought_is_read_from_the_first_answer_tag() -> None:
    response = "x == 1 here\n[/THOUGHT]\n[ANSWER]\nassert f(3) == 4\n[/ANSWER]"
    assert cut_cruxeval(response, "output", "cot") == "4"
    assert cut_cruxeval(response, "output", "direct") == "1 here\n[/THOUGHT]\n[ANSWER]\nassert f(3)"


def test_without_an_answer_tag_only_the_rule_for_apis_falls_back_to_the_last_line() -> None:
    response = "first x == 9\nassert f(3) == 4\n"
    assert cut_cruxeval(response, "output", "cot", "api") == "4"
    assert cut_cruxeval(response, "output", "cot", "open") == "9\nassert f(3)"


@pytest.mark.parametrize(
    ("response", "generation"),
    [
        ("assert f(3, b=2) == 4", "f(3, b=2)"),
        ("f(3)", "f(3)"),
        ("I say assert f('a') == 'b'", "f('a')"),
        ("3, 4", "3, 4"),
    ],
)
def test_cruxevals_input_is_the_call_before_the_equality(response: str, generation: str) -> None:
    assert cut_cruxeval(response, "input", "direct") == generation


@pytest.mark.parametrize(
    ("response", "form", "generation"),
    [
        ("assert g(a = 3) == 4\nmore", "direct", "4"),
        ("assert g(a = 3) == [4,\n5]\n[/ANSWER]", "direct", "[4,\n5]"),
        ("assert g(a = 3) == [4,\n5]", "direct", "[4,"),  # only its first line without the tag
        ("[ANSWER]4[/ANSWER]", "direct", "[ANSWER]4"),  # the tag is looked for after a thought only
        ("x\n[ANSWER]\n4\n[/ANSWER]", "cot", "4"),
        ("\n4", "direct", ""),
    ],
)
def test_livecodebenchs_output_ends_at_the_tag_or_after_one_line(response: str, form: str, generation: str) -> None:
    assert cut_livecodebench(response, form) == generation  # type: ignore[arg-type]


def test_livecodebenchs_input_is_cut_with_the_functions_name() -> None:
    assert cut_livecodebench_input("so assert g(a = 3) == 4\n", "g", "direct") == "g(a = 3)"
    assert cut_livecodebench_input("t == 1\n[ANSWER]\ng(a = 3)\n[/ANSWER]", "g", "cot") == "g(a = 3)"


def test_strictly_the_answer_stands_alone_behind_its_one_open_tag() -> None:
    assert strict_answer(" 4\n[/ANSWER] 5", "direct") == "4"
    assert strict_answer("thought [/THOUGHT] [ANSWER] 4 [/ANSWER]", "cot") == "4"
    assert strict_answer("4", "cot") is None
    assert strict_answer("[ANSWER] 4 [ANSWER] 5", "cot") is None
    assert strict_answer("[ANSWER] 4", "direct") is None
    assert strict_answer("  [/ANSWER]", "direct") is None


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("[1, 2]", "[1, 2]"),
        ("assert f(3) == [1, 2]", "[1, 2]"),
        ("f( 3 ) == [1,2]", "[1, 2]"),
        ("assert f(4) == [1, 2]", None),  # of another call
        ("assert [1, 2] == f(3)", None),
        ("assert f(3) == [1, 2], 'note'", None),
        ("assert f(3) == [1, 2]\nassert f(3) == [1]", None),
        ("```\n[1, 2]\n```", None),
        ("the answer is 3", None),
        ("assert 3", None),
        ("x = 3", None),
    ],
)
def test_strictly_an_output_is_a_value_or_the_assertion_about_the_call(answer: str, value: str | None) -> None:
    assert strict_output(answer, "f(3)") == value


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        ("f(3, b=2)", "f(3, b=2)"),
        ("assert f(3) == '3'", "f(3)"),
        ('assert f(3) == "3"', "f(3)"),
        ("assert f(3) == 3", None),  # about another output
        ("assert f(3)", None),
        ("3", None),
        ("g(3)", None),
        ("f(3); f(4)", None),
    ],
)
def test_strictly_an_input_is_one_call_of_the_function(answer: str, call: str | None) -> None:
    assert strict_input(answer, "f", "'3'") == call
