"""Items of REval: truth, listings and questions in each form, and how their judges take answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from evaluation import reval
from evaluation.items import FORMS, Item, Judged
from evaluation.jails import Jails
from evaluation.reval import Pair, Point, RevalRow
from evaluation.reval_items import reval_items
from evaluation.reval_runs import RevalRuns
from execution.sandbox import Job, Observation, Sandbox, Verdict

SOURCE = """\
def f(n):
    half = n // 2
    if half > 3:
        half = 3
    for _ in range(2):
        n += half
    return n + 1
"""
FUNCTION = RevalRow(
    "Test/0",
    0,
    "f",
    SOURCE,
    None,
    (
        Pair(0, "(4,)", "9", (Point(2, "half"), Point(4, "half"), Point(6, "n"), Point(7, "n")), "assert f(4) == ??"),
        Pair(1, "(10,)", "17", (Point(4, "half"),), "assert f(10) == ??"),
    ),
)
CLASS_SOURCE = """\
class Box:
    def __init__(self, size):
        self.size = size

    def put(self, item):
        count = len(item)
        if count > self.size:
            return False
        left = self.size - count
        return left
"""
TEST = """\
import unittest

class First(unittest.TestCase):
    def setUp(self):
        self.box = Box(5)

    def test_put(self):
        left = self.box.put("abc")
        self.assertEqual(left, 2)
        self.assertFalse(self.box.put("abcdef"))
"""
ASSERTED = "left = self.box.put('abc')\nassertEqual(left, ??)\nassertFalse(??)"
CLASS = RevalRow(
    "Test/1",
    1,
    "Box",
    CLASS_SOURCE,
    TEST,
    (Pair(0, "left = self.box.put('abc')\n", None, (Point(9, "left"), Point(3, "self.size")), ASSERTED),),
)
STEPS = {
    "Test/0/0": ("half: 2", "n: 8", "return_val: 9"),
    "Test/1/0": ("count: 3", "left: 2", "left: 2", "count: 6", "return_val: False"),
}
ROWS = [FUNCTION, CLASS]


@pytest.fixture(scope="module")
def jails() -> Iterator[Jails]:
    with Jails("local") as opened:
        yield opened


@pytest.fixture(scope="module")
def items(jails: Jails) -> dict[str, Item]:
    runs = RevalRuns(jails)
    made = [item for form in FORMS for item in reval_items(ROWS, form, "instruct", jails, runs=runs)]  # type: ignore[arg-type]
    by_id = {f"{item.item_id}/{item.form}": item for item in made}
    assert len(by_id) == len(made) == 4 * (3 * 7 + 3)
    return by_id


def judged(item: Item, answer: str, jails: Jails, steps: tuple[str, ...] | None = None) -> Judged:
    assert item.judge is not None
    if item.form == "direct":
        return item.judge(answer, jails)
    if item.form == "cot":
        return item.judge(f"1. so\n[/THOUGHT]\n[ANSWER]\n{answer}", jails)
    steps = _states(item, jails) if steps is None and item.form == "steps" else steps or ()
    return item.judge("".join(f"<print>{text}</print>" for text in steps) + f"<answer>\n{answer}\n</answer>", jails)


def _states(item: Item, jails: Jails) -> tuple[str, ...]:
    assert item.judge is not None
    return item.judge("", jails).true_states


def verdicts(said: Judged) -> tuple[bool | None, ...]:
    assert said.official is not None
    frame = (said.frame_aware.correct,) if said.frame_aware is not None else ()
    return (said.strict.correct, said.official.correct, *frame)


@pytest.mark.parametrize("form", FORMS)
def test_the_expected_answers_are_right_by_every_rule(items: dict[str, Item], jails: Jails, form: str) -> None:
    asked = [item for item in items.values() if item.form == form and item.task != "output"]
    assert len(asked) == 21
    for item in asked:
        for answer in item.expected:
            said = judged(item, answer, jails)
            assert verdicts(said)[:2] == (True, True), (item.item_id, answer, said)
            assert all(said.step_correct), item.item_id


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "answer", "others", "covered"),
    [
        ("Test/0/0/0/coverage", ("YES",), "NO", True),
        ("Test/0/0/1/coverage", ("NO",), "YES", False),
        ("Test/0/1/0/coverage", ("YES",), "NO", True),
        ("Test/0/0/0/state", ("2; int",), "2; float", True),
        ("Test/0/0/1/state", ("Nil",), "2; int", False),
        ("Test/0/0/2/state", ("6; int", "8; int"), "4; int", True),
        ("Test/0/0/1/path", ("-1",), "half = 3", False),
        ("Test/0/0/0/path", ("if half > 3:",), "half = 3", True),
        ("Test/1/0/0/state", ("2; int",), "3; int", True),
    ],
)
def test_questions_accept_what_the_original_program_does(
    items: dict[str, Item], jails: Jails, form: str, name: str, answer: tuple[str, ...], others: str, covered: bool
) -> None:
    item = items[f"reval/{name}/{form}"]
    assert (set(item.expected), item.covered) == (set(answer), covered)
    assert (item.task, item.pair) == (name.rpartition("/")[2], "/".join(name.split("/")[:3]))
    assert verdicts(judged(item, others, jails))[:2] == (False, False)


def test_steps_point_to_the_lines_of_the_listing_with_anchors(items: dict[str, Item]) -> None:
    asked = items["reval/Test/0/0/1/coverage/steps"].prompt
    assert "print(f'half: {half}')" in asked
    assert "Is line 5, `half = 3`, executed?" in asked
    assert "Is line 4, `half = 3`, executed?" in items["reval/Test/0/0/1/coverage/plain"].prompt


def test_a_split_return_is_asked_about_by_its_second_half_and_either_half_answers(
    items: dict[str, Item], jails: Jails
) -> None:
    asked = items["reval/Test/0/0/3/path/steps"]
    assert "right after line 12, `return return_val`, in whatever function?" in asked.prompt
    assert asked.expected == ("-1",)
    listed = items["reval/Test/1/0/0/path/steps"]  # after `left = ...` comes `return left`
    assert verdicts(judged(listed, "return left", jails)) == (True, True, True)
    loop = RevalRow("Test/2", 2, "f", SOURCE, None, (Pair(0, "(4,)", "9", (Point(5, "n"),), "assert f(4) == ??"),))
    [path] = [item for item in reval_items([loop], "steps", "compact", jails) if item.task == "path"]
    assert set(path.expected) == {"n += half", "return_val = n + 1"}
    for half in ("return_val = n + 1", "return return_val"):
        assert verdicts(judged(path, half, jails)) == (True, True, True)
    assert verdicts(judged(path, "return n + 1", jails)) == (False, False, False)  # no line that is shown


def test_an_anchor_is_no_answer_to_a_path_question(items: dict[str, Item], jails: Jails) -> None:
    said = judged(items["reval/Test/0/0/0/path/steps"], "print(f'half: {half}')", jails)
    assert verdicts(said) == (False, False, False)
    assert said.strict.reason == "malformed"


def test_steps_are_judged_and_strictly_their_number_counts(items: dict[str, Item], jails: Jails) -> None:
    item = items["reval/Test/0/0/0/coverage/steps"]
    states = STEPS["Test/0/0"]
    assert judged(item, "YES", jails).true_states == states
    wrong = judged(item, "YES", jails, (*states[:2], "return_val: 8"))
    assert (wrong.strict.correct, wrong.step_correct) == (True, (True, True, False))
    assert wrong.faults == ()
    short = judged(item, "YES", jails, states[:2])
    assert verdicts(short) == (False, True)
    assert (short.strict.reason, short.step_correct) == ("wrong_number_of_steps", (True, True, False))


def test_a_class_prints_what_its_set_up_and_its_test_reach(items: dict[str, Item], jails: Jails) -> None:
    assert _states(items["reval/Test/1/0/0/state/steps"], jails) == STEPS["Test/1/0"]


def test_plain_asks_for_no_steps_and_counts_them_as_a_fault(items: dict[str, Item], jails: Jails) -> None:
    said = judged(items["reval/Test/0/0/0/coverage/plain"], "YES", jails, ("half: 2",))
    assert (said.strict.correct, said.step_correct, said.faults) == (True, (), ("surplus_print",))


@pytest.mark.parametrize("form", ["steps", "plain"])
def test_a_functions_output_is_a_literal_and_published_as_a_completed_assertion(
    items: dict[str, Item], jails: Jails, form: str
) -> None:
    item = items[f"reval/Test/0/0/output/{form}"]
    assert item.expected == ("9",)
    assert verdicts(judged(item, "9", jails)) == (True, True)
    assert verdicts(judged(item, "8", jails)) == (False, False)
    assert verdicts(judged(item, "f(4)", jails)) == (False, True)  # what the published rule is content with
    assert verdicts(judged(item, "assert f(4) == 9", jails)) == (True, True)


@pytest.mark.parametrize("form", FORMS)
def test_a_classs_output_is_its_test_completed(items: dict[str, Item], jails: Jails, form: str) -> None:
    item = items[f"reval/Test/1/0/output/{form}"]
    right = "left = self.box.put('abc')\nassertEqual(left, 2)\nassertFalse(self.box.size > 9)"
    assert "assertEqual(left, ??)" in item.prompt
    assert verdicts(judged(item, right, jails)) == (False, True)  # no literal
    assert verdicts(judged(item, right.replace("self.box.size > 9", "0"), jails)) == (True, True)
    assert verdicts(judged(item, right.replace("2", "3"), jails)) == (False, False)


def test_a_response_without_a_single_answer_is_wrong_and_says_why(items: dict[str, Item], jails: Jails) -> None:
    item = items["reval/Test/0/0/0/path/plain"]
    assert item.judge is not None
    none = item.judge("if half > 3:", jails)
    assert (verdicts(none), none.strict.reason, none.answer) == ((False, False, False), "missing_answer", None)
    two = item.judge("<answer>if half > 3:</answer><answer>-1</answer>", jails)
    assert (verdicts(two), two.strict.reason) == ((False, True, False), "ambiguous")
    thought = items["reval/Test/0/0/0/path/cot"]
    assert thought.judge is not None
    assert verdicts(thought.judge("if half > 3:", jails)) == (False, False, False)


def test_path_is_judged_by_frames_too_where_the_published_truth_mixes_them(jails: Jails) -> None:
    source = "def g(n):\n    m = n + 1\n    return m\n\ndef f(n):\n    k = g(n)\n    return k\n"
    row = RevalRow("Test/3", 3, "f", source, None, (Pair(0, "(1,)", "2", (Point(6, "k"),), "assert f(1) == ??"),))
    for form in FORMS:
        _, state, path = reval_items([row], form, "compact", jails, tasks=("coverage", "state", "path"))  # type: ignore[arg-type]
        assert (state.expected, path.expected) == (("Nil",), ("m = n + 1",))
        assert verdicts(judged(state, "Nil", jails)) == (True, True, False)
        assert verdicts(judged(state, "2; int", jails)) == (False, False, True)
        assert verdicts(judged(path, "m = n + 1", jails)) == (True, True, False)
        assert verdicts(judged(path, "return k", jails)) == (False, False, True)


def test_what_cannot_be_shown_with_anchors_is_left_out_of_steps_alone(jails: Jails) -> None:
    def reasons(source: str, **given: int) -> set[str]:
        row = RevalRow("Test/4", 4, "f", source, None, (Pair(0, "(4,)", "1", (Point(1, "n"),), "assert f(4) == ??"),))
        assert {item.left_out for item in reval_items([row], "plain", "compact", jails)} == {""}
        left = reval_items([row], "steps", "compact", jails, **given)
        assert len(left) == 4 and all(item.judge is None and item.prompt == "" for item in left)
        return {item.left_out for item in left}

    assert reasons(SOURCE, max_states=2) == {"too_many_states"}
    assert reasons("def f(n):\n    k = list({'a', 'b', 'c', 'd', 'e', 'f'})\n    return len(k)\n") == {"seed_dependent"}


def test_a_program_that_prints_nothing_is_asked_without_steps(jails: Jails) -> None:
    row = RevalRow(
        "Test/4", 4, "f", "def f(n): pass\n", None, (Pair(0, "(4,)", "None", (Point(1, "n"),), "assert f(4) == ??"),)
    )
    made = {item.task: item for item in reval_items([row], "steps", "compact", jails)}
    assert made["coverage"].judge is not None
    assert made["coverage"].judge("<answer>YES</answer>", jails).strict.correct is True
    assert made["coverage"].judge("<print>n: 4</print><answer>YES</answer>", jails).strict.correct is False


def test_a_program_that_fails_is_left_out_of_every_form(jails: Jails) -> None:
    source = "def f(n):\n    k = n\n    raise ValueError(k)\n"
    row = RevalRow("Test/5", 5, "f", source, None, (Pair(0, "(4,)", "1", (Point(2, "k"),), "assert f(4) == ??"),))
    for form in FORMS:
        left = reval_items([row], form, "compact", jails)  # type: ignore[arg-type]
        assert [(item.left_out, item.judge) for item in left] == [("no_truth", None)] * 4


@pytest.mark.parametrize(("form", "last", "limit"), [("direct", "[ANSWER]\n", 256), ("cot", "[THOUGHT]\n", 1024)])
def test_published_prompts_list_programs_as_published(items: dict[str, Item], form: str, last: str, limit: int) -> None:
    for item in (item for item in items.values() if item.form == form):
        assert item.prompt.endswith(f"[/QUESTION]\n{last}")
        assert (item.stop, item.max_new_tokens) == (("[/ANSWER]",), limit)
    prompts = {
        name: items[f"reval/{name}/{form}"].prompt.split("[PYTHON]")[-1]
        for name in ("Test/0/0/0/coverage", "Test/0/0/0/path", "Test/1/0/0/path", "Test/1/0/output")
    }
    assert "2\t    half = n // 2\n" in prompts["Test/0/0/0/path"]
    assert "\n    half = n // 2\n" in prompts["Test/0/0/0/coverage"] and "\t" not in prompts["Test/0/0/0/coverage"]
    assert "\n# self.box = Box(5)\n" in prompts["Test/1/0/0/path"] and "\t" not in prompts["Test/1/0/0/path"]
    assert "\nself.assertEqual(left, 2)\n" in prompts["Test/1/0/0/path"]
    assert "assertEqual(left, 2)" not in prompts["Test/1/0/output"]


def test_no_run_is_made_twice_for_one_input(jails: Jails, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = type(jails.get())
    seen: list[Job] = []
    run = sandbox.run

    def counted(self: object, job: Job) -> Observation:
        seen.append(job)
        return run(self, job)  # type: ignore[arg-type]

    monkeypatch.setattr(sandbox, "run", counted)
    runs = RevalRuns(jails)
    for form in FORMS:
        reval_items([FUNCTION], form, "compact", jails, runs=runs)  # type: ignore[arg-type]
    assert len(seen) == 2 * 4  # original and anchored under two seeds, for each of two inputs


class Broken(Sandbox):
    """A sandbox that always fails."""

    name, isolated = "broken", True

    def run(self, job: Job) -> Observation:
        return Observation(Verdict.SANDBOX_FAILED)

    def run_together(self, jobs: Sequence[Job]) -> list[Observation]:
        return [self.run(job) for job in jobs]

    def close(self) -> None: ...


class BrokenJails(Jails):
    def get(self, *given: object) -> Sandbox:  # type: ignore[override]
        return Broken()


def test_a_failure_of_the_sandbox_is_no_verdict(items: dict[str, Item]) -> None:
    completed = "left = self.box.put('abc')\nassertEqual(left, 2)\nassertFalse(0)"
    for form in FORMS:
        said = judged(items[f"reval/Test/1/0/output/{form}"], completed, BrokenJails(), STEPS["Test/1/0"])
        assert verdicts(said) == (None, None)
        assert said.strict.reason == "sandbox_failed"
    [left, *_] = reval_items([CLASS], "direct", "compact", BrokenJails())
    assert (left.left_out, left.judge) == ("sandbox_failed", None)


def test_the_benchmarks_truth_is_right_in_every_form(benchmarks: Path) -> None:
    """Every tenth program: whatever answer is expected is right strictly; officially where a type has capitals or
    a value no literal it may be refused, as published."""
    rows = reval.load(benchmarks)[::10]
    with Jails() as jails:
        runs = RevalRuns(jails)
        for form in FORMS:
            for item in reval_items(rows, form, "instruct", jails, runs=runs):  # type: ignore[arg-type]
                if item.left_out or (item.task == "output" and form in ("direct", "cot")):
                    continue
                for answer in item.expected[:1]:
                    said = judged(item, answer, jails)
                    assert said.strict.correct, (item.item_id, answer, said.strict)
                    assert verdicts(said)[1] or item.task == "state", (item.item_id, answer, said.official)
