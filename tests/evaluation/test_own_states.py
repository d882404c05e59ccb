"""Steps judged by the model's own previous states, on programs whose counterfactual is plain to see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from corpus.synthesis import synthesise
from evaluation.own_states import own_states
from evaluation.responses import Span, Step, parse_response
from execution.anchors import instrument
from execution.dependences import influences
from execution.observe import run_call
from execution.sandbox import Sandbox, open_sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox("bubblewrap") as opened:
        yield opened


def told(sandbox: Sandbox, source: str, call: str, printed: list[str]) -> list[str]:
    placed = instrument(source)
    states = run_call(placed.source, call, sandbox, placed.anchor_lines).states
    response = parse_response("".join(f"<print>{text}</print>" for text in printed), "output")
    return list(own_states(source, placed.source, call, states, response.steps, sandbox).texts)


CHAIN = "def f(x):\n    a = x + 1\n    b = a * 2\n    c = b + a\n    return c\n"


def test_what_follows_from_a_wrong_state_is_the_truth_after_it(sandbox: Sandbox) -> None:
    assert told(sandbox, CHAIN, "f(2)", ["a: 3", "b: 6", "c: 9", "c: 9"]) == ["a: 3", "b: 6", "c: 9", "c: 9"]
    # a = 4 is wrong (the truth stays 3); from there b is 8 and c 12; then b = 7 is wrong again, and c follows from it
    assert told(sandbox, CHAIN, "f(2)", ["a: 4", "b: 8", "c: 12", "c: 12"]) == ["a: 3", "b: 8", "c: 12", "c: 12"]
    assert told(sandbox, CHAIN, "f(2)", ["a: 4", "b: 7", "c: 11", "c: 5"]) == ["a: 3", "b: 8", "c: 11", "c: 11"]


def test_values_keep_their_types(sandbox: Sandbox) -> None:
    for wrong in ("a: 4.0", "a: True", "a: '4'", "a: f(2)", "a: [", "b: 4", "a"):
        assert told(sandbox, CHAIN, "f(2)", [wrong, "b: 8"])[1] == "b: 6"


def test_a_string_is_read_as_it_is_printed(sandbox: Sandbox) -> None:
    source = "def f(s):\n    a = s + 'x'\n    b = a * 2\n    return b\n"
    assert told(sandbox, source, "f('5')", ["a: 7", "b: 77"])[1] == "b: 77"
    assert told(sandbox, source, "f('5')", ["a: it's \\", "b: "])[1] == "b: it's \\it's \\"


def test_lists_change_in_place(sandbox: Sandbox) -> None:
    source = "def f(n):\n    a = [n]\n    a.append(n + 1)\n    b = sum(a)\n    return b\n"
    assert told(sandbox, source, "f(1)", ["a: [1]", "a: [1, 5]", "b: 6"])[2] == "b: 6"


U = "    u = x + 1\n"  # said wrongly, so that the program runs again


def told_last(sandbox: Sandbox, body: str, *printed: str) -> str:
    """The last own truth but that of the return, of a body after a wrong `u`."""
    return told(sandbox, f"def f(x):\n{U}{body}", "f(1)", ["u: 9", *printed])[len(printed)]


def test_a_value_that_is_said_rightly_stays_the_object_that_other_names_share(sandbox: Sandbox) -> None:
    body = "    a = [1]\n    b = a\n    b.append(2)\n    c = len(a)\n    return c\n"
    assert told_last(sandbox, body, "a: [1]", "b: [1]", "b: [1, 2]", "c: 2") == "c: 2"
    assert told_last(sandbox, body, "a: [1]", "b: [1]", "b: [1,2]", "c: 2") == "c: 2"
    # 1 and True are equal and not the same: b is set, and is a list of its own from there
    assert told_last(sandbox, body, "a: [1]", "b: [True]", "b: [True, 2]", "c: 1") == "c: 1"
    body = "    a = {1: 2, 3: 4}\n    b = a\n    b[5] = 6\n    c = len(a)\n    return c\n"
    assert told_last(sandbox, body, "a: {3: 4, 1: 2}", "b: {1: 2, 3: 4}", "b: {5: 6, 3: 4, 1: 2}", "c: 3") == "c: 3"
    assert told_last(sandbox, body, "a: {1: 2, 3: 4}", "b: {1: 2, 3: 5}", "b: {1: 2, 3: 5, 5: 6}", "c: 2") == "c: 2"


@pytest.mark.parametrize("value", ["ab ", "ab\\n", " ab", "5", '"ab"'])
def test_a_string_that_is_said_rightly_keeps_its_blanks_and_line_ends(sandbox: Sandbox, value: str) -> None:
    body = f"    s = '{value}'\n    n = len(s)\n    return n\n"
    shown = value.replace("\\n", "\n")
    truth = f"n: {len(shown)}"
    assert told_last(sandbox, body, f"s: {shown}", truth) == truth
    assert told_last(sandbox, body, f"\ns: {shown}\n", truth) == truth
    if value == "5":  # which counts as right with blanks around it, as a literal does
        assert told_last(sandbox, body, "s:  5 ", truth) == truth


def test_another_course_ends_it(sandbox: Sandbox) -> None:
    source = (
        "def f(x):\n    a = x + 1\n    if a > 5:\n        b = a * 2\n        return b\n    c = a - 1\n    return c\n"
    )
    assert told(sandbox, source, "f(9)", ["a: 1", "b: 2", "b: 2"]) == ["a: 10", "b: 20", "b: 20"]


def test_variables_of_an_outer_scope_and_repeated_anchors_stay(sandbox: Sandbox) -> None:
    source = "seen = []\n\ndef f(x):\n    seen.append(x)\n    y = len(seen)\n    return y\n"
    printed = ["seen: []", "seen: [1, 2, 3]", "y: 3", "y: 3"]
    assert told(sandbox, source, "f(1)", printed)[2] == "y: 1"
    source = "def g(x):\n    a = x + 1\n    return a\n\ndef f(x):\n    b = g(x)\n    c = g(b)\n    return c\n"
    assert told(sandbox, source, "f(1)", ["a: 7", "a: 7", "b: 7"])[2] == "b: 2"


def test_a_run_that_ends_early_leaves_the_rest_as_it_was(sandbox: Sandbox) -> None:
    source = "def f(x):\n    a = x + 1\n    b = 6 // a\n    c = b + 1\n    return c\n"
    assert told(sandbox, source, "f(1)", ["a: 0", "b: 3", "c: 4"])[:3] == ["a: 2", "b: 3", "c: 4"]


@pytest.mark.parametrize("profile", ["tiny", "general"])
def test_what_a_changed_state_changes_is_among_its_influences(sandbox: Sandbox, profile: str) -> None:
    """Each state of synthesised programs is set to another number; later states that differ must depend on it."""
    changed = without = 0
    for level in (1, 2, 3, 4, 6):
        for program in synthesise(level, 11, 12, 1, profile):
            placed = instrument(program.source)
            flows = influences(placed.source, placed.anchor_lines)
            states = run_call(placed.source, program.call, sandbox, placed.anchor_lines).states
            for place, (anchor, text) in enumerate(states):
                name, _, value = text.partition(": ")
                if not value.lstrip("-").isdigit():
                    continue
                steps = [Step("", true, Span(0, 0)) for _, true in states[:place]]
                steps.append(Step("", f"{name}: {int(value) + 3}", Span(0, 0)))
                told = own_states(program.source, placed.source, program.call, states, steps, sandbox).texts
                assert told[: place + 1] == tuple(true for _, true in states[: place + 1])
                for (later, true), other in zip(states[place + 1 :], told[place + 1 :], strict=True):
                    assert true == other or (anchor, later) in flows, program.source
                    changed += true != other
                    without += (anchor, later) not in flows
    assert changed > 20
    assert without > 20  # it is not that everything depends on everything
