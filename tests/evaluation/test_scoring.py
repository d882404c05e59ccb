"""Strict scoring: what earns a step and an answer, and a catalogue of attempts that earn nothing."""

from __future__ import annotations

import pytest

from evaluation.inputs import InputError, literal_call
from evaluation.questions import Question
from evaluation.responses import parse_response
from evaluation.scoring import REASONS, Scored, score_answer, score_input, score_output, state_matches
from execution.limits import Limits
from execution.sandbox import Job, Observation, Sandbox, Verdict, open_sandbox
from execution.traces import Trace
from tests.evaluation.conftest import Tracer

SOURCE = """
def f(n, names=()):
    doubled = n * 2
    if n > 10:
        label = 'big'
        doubled = doubled + 1
    result = [doubled, len(names)]
    return result
"""


@pytest.fixture(scope="module")
def trace(trace_of: Tracer) -> Trace:
    return trace_of(SOURCE, "f(3, names=['a'])")


def response_text(states: list[str], answer: str, committed: str | None = None) -> str:
    blocks = [] if committed is None else [f"<reasoning>i</reasoning><input>{committed}</input>"]
    blocks += [f"<reasoning>r</reasoning><print>{state}</print>" for state in states]
    return "".join(blocks) + f"<reasoning>so</reasoning><answer>{answer}</answer>"


def output_score(trace: Trace, states: list[str], answer: str, **options: bool) -> Scored:
    return score_output(parse_response(response_text(states, answer), "output"), trace, **options)


def input_score(trace: Trace, sandbox: Sandbox, committed: str, states: list[str], **options: bool) -> Scored:
    text = response_text(states, "[6, 1]", committed)
    return score_input(parse_response(text, "input"), trace, sandbox, **options)


STATES = ["doubled: 6", "result: [6, 1]", "result: [6, 1]"]


def test_the_trace_has_the_states_that_these_tests_count_on(trace: Trace) -> None:
    assert [state.text for state in trace.states] == STATES
    assert trace.result == "[6, 1]"


def test_a_right_response_is_right_in_every_step_and_at_the_end(trace: Trace) -> None:
    scored = output_score(trace, STATES, "[6, 1]")
    assert scored.step_correct == (True, True, True)
    assert scored.final_correct is True
    assert scored.all_correct
    assert scored.reason == "right"
    assert len(scored.spans) == len(scored.anchor_keys or ()) == 3


def test_steps_are_judged_one_by_one_by_position(trace: Trace) -> None:
    assert output_score(trace, ["doubled: 7", STATES[1], "result: [6,1]"], "[6, 1]").step_correct == (
        False,
        True,
        True,
    )
    shifted = output_score(trace, [STATES[1], STATES[0], STATES[2]], "[6, 1]")
    assert shifted.step_correct == (False, False, True)
    assert shifted.final_correct is True


def test_missing_blocks_are_wrong_steps_and_the_format_gate_takes_the_answer(trace: Trace) -> None:
    gated = output_score(trace, STATES[:2], "[6, 1]")
    assert gated.step_correct == (True, True, False)
    assert (gated.final_correct, gated.reason) == (False, "wrong_number_of_steps")
    assert output_score(trace, STATES[:2], "[6, 1]", format_gate=False).final_correct is True


def test_surplus_blocks_do_not_add_steps_and_the_format_gate_takes_the_answer(trace: Trace) -> None:
    scored = output_score(trace, [*STATES, "extra: 1"], "[6, 1]")
    assert scored.step_correct == (True, True, True)
    assert scored.final_correct is False


def test_without_anchors_only_the_answer_is_judged(trace: Trace) -> None:
    scored = output_score(trace, [], "[6, 1]", anchored=False)
    assert scored.step_correct == ()
    assert scored.final_correct is True


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("f(3, names=['a'])", "not_literal"),  # echoes the call
        ("[3 * 2, 1]", "not_literal"),
        ("result", "not_literal"),
        ("[6, 1] or True", "not_literal"),
        ("[6, 1], 'message'", "wrong"),  # a tuple
        ("__import__('os').getcwd()", "not_literal"),
        ("[6, 1]\nassert True", "not_literal"),
        ("f(3) == f(3)", "not_literal"),
        ("type('E', (), {'__eq__': lambda s, o: True})()", "not_literal"),
        ("", "not_literal"),
        ("[6.0, 1]", "wrong"),
        ("[6, True]", "wrong"),
        ("(6, 1)", "wrong"),
        ("'[6, 1]'", "wrong"),
        ("pass", "not_literal"),
        ("??", "not_literal"),
    ],
)
def test_what_is_no_equal_literal_earns_nothing(trace: Trace, answer: str, reason: str) -> None:
    scored = output_score(trace, STATES, answer)
    assert (scored.final_correct, scored.reason, scored.judged) == (False, reason, True)


@pytest.mark.parametrize("answer", ["[6,1]", " [6, 1] ", "[6, 1]  # comment", "[\n6,\n1]", "[0x6, 1]"])
def test_an_equal_literal_is_right_however_it_is_written(trace: Trace, answer: str) -> None:
    assert output_score(trace, STATES, answer).final_correct is True


@pytest.mark.parametrize(
    "text",
    [
        response_text(STATES, "[6, 1]") + "<answer>[7, 1]</answer>",  # two answers
        response_text(STATES, "[6, 1]").removesuffix("</answer>"),  # cut off
        response_text(STATES, "[6, 1]").replace("answer>", "Answer>"),
    ],
)
def test_an_answer_that_is_not_committed_once_earns_nothing(trace: Trace, text: str) -> None:
    assert score_output(parse_response(text, "output"), trace).final_correct is False


def test_an_unclosed_step_is_wrong_even_if_its_text_is_right(trace: Trace) -> None:
    text = response_text(STATES, "[6, 1]").replace("result: [6, 1]</print>", "result: [6, 1]", 1)
    assert score_output(parse_response(text, "output"), trace).step_correct == (True, False, True)


@pytest.mark.parametrize(
    ("predicted", "truth", "same"),
    [
        ("x: 5", "x: 5", True),
        ("\n x: 5\n", "x: 5", True),
        ("x:5", "x: 5", True),
        ("x: 5", "y: 5", False),
        ("x: 5.0", "x: 5", False),
        ("x: True", "x: 1", False),
        ("x: 2 + 3", "x: 5", False),
        ("x: {x}", "x: 5", False),
        ("x: {2: 1, 1: 2}", "x: {1: 2, 2: 1}", True),
        ("x: [1,2]", "x: [1, 2]", True),
        ("s: (1, 2)", "s: 1, 2", False),  # the truth may be the text "1, 2"
        ("s: hello", "s: hello", True),
        ("s: 'hello'", "s: hello", False),
        ("s: hello ", "s: hello", False),
        ("s: a\nb", "s: a\nb", True),
        ("x 5", "x: 5", False),
        ("", "x: 5", False),
    ],
)
def test_a_state_is_its_text_or_the_same_name_and_an_equal_literal(predicted: str, truth: str, same: bool) -> None:
    assert state_matches(predicted, truth) is same


def test_the_original_input_is_right_with_its_own_states(trace: Trace, sandbox: Sandbox) -> None:
    scored = input_score(trace, sandbox, "3, names=['a']", STATES)
    assert scored.all_correct
    assert scored.anchor_keys == tuple(str(state.anchor) for state in trace.states)


def test_another_valid_input_is_right(trace: Trace, sandbox: Sandbox) -> None:
    assert input_score(trace, sandbox, "3, [None]", STATES).all_correct


def test_steps_are_judged_by_the_run_on_the_committed_input(trace: Trace, sandbox: Sandbox) -> None:
    states = ["doubled: 22", "label: big", "doubled: 23", "result: [23, 0]", "result: [23, 0]"]
    scored = input_score(trace, sandbox, "11", states)
    assert scored.step_correct == (True,) * 5
    assert (scored.final_correct, scored.reason) == (False, "wrong")
    assert scored.anchor_keys != tuple(str(state.anchor) for state in trace.states)
    stale = input_score(trace, sandbox, "11", STATES)
    assert stale.step_correct == (False,) * 5


@pytest.mark.parametrize(
    ("committed", "reason"),
    [
        ("1 + 2, ['a']", "input_not_literal"),
        ("n", "input_not_literal"),
        ("*[3, ['a']]", "input_not_literal"),
        ("**{'n': 3, 'names': ['a']}", "input_not_literal"),
        ("3, names=['a']) or f(3", "input_not_literal"),
        ("3, ['a']) + f(1", "input_not_literal"),
        ("(f := lambda *a: [6, 1])", "input_not_literal"),
        ("__import__('os')", "input_not_literal"),
        ("3, ['a'] == f(3, ['a'])", "input_not_literal"),
        ("3, ['a']\n)\nf(1", "input_not_literal"),
        ("n=3, n=3", "input_not_literal"),
        ("lambda: 3", "input_not_literal"),
        ("??", "input_not_literal"),
        ("g(3)", "input_not_literal"),
        ("", "input_raised"),
        ("'a', 3", "input_raised"),
        ("3, 4, 5", "input_raised"),
        ("m=3", "input_raised"),
    ],
)
def test_what_is_no_literal_argument_or_raises_earns_nothing(
    trace: Trace, sandbox: Sandbox, committed: str, reason: str
) -> None:
    scored = input_score(trace, sandbox, committed, STATES)
    assert (scored.final_correct, scored.reason, scored.judged) == (False, reason, True)
    assert scored.step_correct == (False,) * 3
    assert scored.anchor_keys is not None
    assert len(scored.anchor_keys) == 3


def test_an_input_after_the_steps_is_no_commitment(trace: Trace, sandbox: Sandbox) -> None:
    text = "".join(f"<print>{state}</print>" for state in STATES) + "<input>3, ['a']</input><answer>[6, 1]</answer>"
    scored = score_input(parse_response(text, "input"), trace, sandbox)
    assert (scored.final_correct, scored.reason) == (False, "ambiguous")
    assert scored.step_correct == (False,) * 3


def test_the_whole_call_may_be_written_out_as_the_input() -> None:
    assert literal_call("f", "f(3, names=['a'])") == "f(3, names=['a'])"
    assert literal_call("f", " 3,\n names = ['a'] # comment") == "f(3, names=['a'])"
    assert literal_call("f", "") == "f()"
    assert literal_call("f", "1e999, {1, 2}, -1, 1+2j, b'x', set()") == "f(1e309, {1, 2}, -1, (1+2j), b'x', set())"


@pytest.mark.parametrize("text", ["f(f(1))", "f'{1}'", "[" * 5000 + "]" * 5000, "1" * 20_000, "\x00", "x.y", "1,,2"])
def test_hostile_inputs_are_refused_with_one_kind_of_error(text: str) -> None:
    with pytest.raises(InputError):
        literal_call("f", text)


def test_a_hanging_input_is_wrong_and_not_our_failure(trace_of: Tracer) -> None:
    source = "def f(n):\n    start = n\n    while n != 0:\n        n -= 1\n    return start\n"
    trace = trace_of(source, "f(3)")
    with open_sandbox("local", limits=Limits(cpu_s=0.3)) as strict:
        scored = score_input(parse_response("<input>-1</input><answer>3</answer>", "input"), trace, strict)
    assert (scored.final_correct, scored.reason, scored.judged) == (False, "input_timeout", True)


def test_a_run_of_too_many_states_leaves_steps_unjudged_and_judges_the_answer(
    trace_of: Tracer, sandbox: Sandbox
) -> None:
    source = "def f(n):\n    if n == 0:\n        return 0\n    rest = f(n - 1)\n    return rest * 0\n"
    trace = trace_of(source, "f(2)")
    told = "<print>rest: 0</print>" * 19  # rest and the result of nine calls, and the result of the tenth
    scored = score_input(parse_response(f"<input>9</input>{told}<answer>0</answer>", "input"), trace, sandbox)
    assert scored.final_correct is True
    assert scored.step_correct == (None,) * 10
    assert scored.judged


def test_too_many_states_are_no_way_around_the_format_gate(trace_of: Tracer, sandbox: Sandbox) -> None:
    source = "def f(n):\n    if n == 0:\n        return 0\n    rest = f(n - 1)\n    return rest * 0\n"
    trace = trace_of(source, "f(2)")
    one_block = parse_response("<input>9</input><print>rest: 0</print><answer>0</answer>", "input")
    scored = score_input(one_block, trace, sandbox)
    assert (scored.final_correct, scored.reason) == (False, "wrong_number_of_steps")
    assert score_input(one_block, trace, sandbox, format_gate=False).final_correct is True


class BrokenSandbox(Sandbox):
    """A sandbox that always fails: our failure, never the model's."""

    isolated = True
    name = "broken"
    num_runs = 0

    def run(self, job: Job) -> Observation:
        self.num_runs += 1
        return Observation(Verdict.SANDBOX_FAILED, "no jail")

    def run_together(self, jobs: object) -> list[Observation]:
        raise AssertionError("not asked")

    def close(self) -> None: ...


def test_a_failing_sandbox_leaves_the_response_unjudged_and_is_tried_again(trace: Trace) -> None:
    broken = BrokenSandbox()
    for _ in range(2):
        scored = input_score(trace, broken, "3, ['a']", STATES)
        assert (scored.judged, scored.final_correct, scored.reason) == (False, None, "sandbox_failed")
        assert set(scored.step_correct) == {None}
    assert broken.num_runs == 4, "a failure is tried once more each time, and not remembered"


def test_the_same_committed_input_runs_once(trace: Trace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []
    run = sandbox.run

    def counted(job: Job) -> Observation:
        jobs.append(job)
        return run(job)

    monkeypatch.setattr(sandbox, "run", counted)
    for text in ("7, [1, 2]", "7,[1,2]", "f(7, [1, 2])"):
        input_score(trace, sandbox, text, STATES)
    assert len(jobs) == 2, "one run of the original and one of the instrumented program"


def question(task: str, *accepted: str) -> Question:
    return Question(task, 3, "x = 1", "x" if task == "state" else None, accepted, covered=True)


@pytest.mark.parametrize(
    ("task", "accepted", "answer", "right"),
    [
        ("coverage", ("YES",), "YES", True),
        ("coverage", ("YES",), " yes\n", True),
        ("coverage", ("YES",), "NO", False),
        ("coverage", ("YES",), "YES NO", False),
        ("coverage", ("YES",), "YES, it is", False),
        ("state", ("5; int",), "5; int", True),
        ("state", ("5; int",), "5;int", True),
        ("state", ("5; int", "7; int"), "7; int", True),
        ("state", ("5; int",), "5; float", False),
        ("state", ("5; int",), "5.0; int", False),
        ("state", ("1; int",), "True; int", False),
        ("state", ("5; int",), "2 + 3; int", False),
        ("state", ("5; int",), "x; int", False),
        ("state", ("5; int",), "5", False),
        ("state", ("5; int",), "Nil", False),
        ("state", ("Nil",), "nil", True),
        ("state", ("Nil",), "Nil; int", False),
        ("state", ("'a; b'; str",), "'a; b'; str", True),
        ("state", ("[1, 2]; list",), "[1,2]; list", True),
        ("path", ("x = 1",), "x = 1", True),
        ("path", ("x = 1", "-1"), "-1", True),
        ("path", ("x = 1",), "-1", False),
        ("path", ("x = 1",), "4", False),
        ("path", ("x = 1",), "x = 1\ny = 2", False),
        ("path", ("-1",), "", False),
    ],
)
def test_answers_to_questions(task: str, accepted: tuple[str, ...], answer: str, right: bool) -> None:
    scored = score_answer(task, f"<reasoning>r</reasoning><answer>{answer}</answer>", question(task, *accepted))
    assert scored.final_correct is right
    assert scored.reason in REASONS


def test_two_answers_to_a_question_earn_nothing() -> None:
    both = "<answer>YES</answer><answer>NO</answer>"
    assert score_answer("coverage", both, question("coverage", "YES")).final_correct is False


def test_without_anchors_printed_lines_are_no_steps(trace_of: Tracer, sandbox: Sandbox) -> None:
    trace = trace_of("def f(n):\n    m = n + 1\n    return m\n", "f(3)")
    response = parse_response("<print>m: 4</print><answer>4</answer>", "input")
    assert score_input(response, trace, sandbox, anchored=False).step_correct == ()
    assert score_input(response, trace, sandbox).step_correct == (False,)
