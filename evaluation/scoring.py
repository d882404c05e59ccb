"""Scoring: what one response is worth against what the interpreter said, step by step and at the end.

Strict throughout: an answer is a literal, compared by value and type, and is never executed; `f(3)`, arithmetic, a
name or an assertion earn nothing. A step is right where its position, its name and its value are (arXiv 2605.11922,
eq. 8). What could not be judged for a reason of ours is None and `judged` False: it is never scored as wrong.

The paper leaves open what missing, surplus or reordered print blocks mean. Here steps are compared by position;
a missing one is wrong; with the format gate (default) the final answer counts only where the number of print blocks
is that of the truth, all of them are closed, and answer and input are committed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluation.inputs import MAX_STATES, run_input
from evaluation.questions import NIL, Question
from evaluation.responses import AMBIGUOUS, Response, Span, Step, parse_response
from execution.sandbox import Sandbox
from execution.traces import Trace
from execution.values import equal_literals, parse_literal

REASONS = {
    "right": "the final answer is right",
    "wrong": "the final answer is a usable literal and is wrong",
    "missing_answer": "there is no answer block",
    "missing_input": "there is no input block",
    "ambiguous": "more than one answer or input, one that is not closed, or an input after the steps",
    "not_literal": "the answer is no Python literal",
    "malformed_answer": "the answer to a question is not in its form (YES or NO; `value; type` or Nil)",
    "wrong_number_of_steps": "the answer is right, the number of closed print blocks is not (format gate)",
    "input_not_literal": "the input is no list of literal arguments",
    "input_raised": "the program raised on the committed input",
    "input_timeout": "the program did not end in its time on the committed input",
    "input_failed": "the program crashed or broke a limit on the committed input",
    "no_result": "the program has no literal result to compare with",
    "sandbox_failed": "our own failure: left out and counted",
}


@dataclass(frozen=True)
class Scored:
    """One response judged.

    `step_correct` has one value per true state, in the order of execution; None where that step could not be
    judged. For input prediction the true states are those of the run on the committed input; where there is no such
    run (no usable input, an exception) every predicted step is False. `anchor_keys` names the anchor of each true
    state, so that groups compare a step only where they share the truth; for output prediction it is the trace's.
    `final_correct` is None where it could not be judged; `judged` is False then. `spans` are those of the response's
    steps. `reason` is a name in REASONS. `verdict` says how the run on a committed input ended, in the words of
    `evaluation.run_verdicts`, "" where there was none.
    """

    step_correct: tuple[bool | None, ...]
    final_correct: bool | None
    faults: tuple[str, ...]
    reason: str
    spans: tuple[Span, ...] = ()
    anchor_keys: tuple[str, ...] | None = None
    judged: bool = True
    true_states: tuple[str, ...] = ()
    verdict: str = ""

    @property
    def all_correct(self) -> bool:
        return self.final_correct is True and all(correct is True for correct in self.step_correct)


def state_matches(predicted: str, truth: str) -> bool:
    """Whether a print block's text is the state `NAME: VALUE`.

    The same text, blanks before and line ends around it aside; or the same name and a literal of equal value and type
    (`[1,2]` for `[1, 2]`), where the truth is itself written as Python writes that value.
    """
    predicted = predicted.lstrip().rstrip("\r\n")
    if predicted == truth.rstrip("\r\n"):
        return True
    name, colon, value = predicted.partition(":")
    true_name, true_colon, true_value = truth.partition(": ")
    if not (colon and true_colon) or name.strip() != true_name:
        return False
    return _as_python_writes_it(true_value) and equal_literals(value, true_value) is True


def _as_python_writes_it(text: str) -> bool:
    # A printed string shows no quotes: `1, 2` may be a text, which a tuple of the same look does not equal.
    try:
        return repr(parse_literal(text)) == text
    except ValueError:
        return False


def score_output(response: Response, trace: Trace, *, format_gate: bool = True, anchored: bool = True) -> Scored:
    """Judge an output prediction. `anchored` False: the prompt asked for no steps (they stay None)."""
    states = [state.text for state in trace.states] if anchored else []
    steps = steps_correct(response.steps, states)
    final, reason = _final_literal(response, trace.result)
    if final and format_gate and anchored and not _right_number(response, len(states), len(states)):
        final, reason = False, "wrong_number_of_steps"
    return Scored(
        step_correct=steps,
        final_correct=final,
        faults=response.faults,
        reason=reason,
        spans=tuple(step.span for step in response.steps),
        anchor_keys=tuple(str(state.anchor) for state in trace.states) if anchored else (),
        judged=final is not None,
        true_states=tuple(states),
    )


def score_input(
    response: Response, trace: Trace, sandbox: Sandbox, *, format_gate: bool = True, anchored: bool = True
) -> Scored:
    """Judge an input prediction: the committed arguments are literals, the *original* function runs on them.

    Right is any input on which it returns the asked result (`trace.result`), value and type. Steps are judged by the
    states of that very run of the instrumented program; steps written before the input was committed are wrong. A run
    of more states than a trace may have gives unjudged steps; the format gate then asks for at least as many blocks as
    the run told states, so that no input is a way around the steps.
    """
    spans = tuple(step.span for step in response.steps)
    blank = Scored((), False, response.faults, "wrong", spans, ())

    def without_run(reason: str) -> Scored:
        # no more than a trace may have: a response of a thousand blocks must not size the batch
        wrong = (False,) * min(len(response.steps), MAX_STATES) if anchored else ()
        return replace(blank, step_correct=wrong, reason=reason, anchor_keys=("no run",) * len(wrong))

    if trace.result is None:
        return replace(blank, final_correct=None, reason="no_result", judged=False)
    if response.input is None:
        return without_run("missing_input")
    if "late_input" in response.faults:
        return without_run("ambiguous")
    run = run_input(trace, response.input, sandbox, anchored=anchored)
    blank = replace(blank, verdict=run.verdict)
    if run.reason == "sandbox_failed":
        unknown = (None,) * min(len(response.steps), MAX_STATES)
        keys = ("unknown",) * len(unknown)
        return replace(
            blank, step_correct=unknown, final_correct=None, reason=run.reason, anchor_keys=keys, judged=False
        )
    if run.reason:
        return without_run(run.reason)
    final = run.result is not None and equal_literals(run.result, trace.result) is True
    reason = "right" if final else "wrong"
    if final and AMBIGUOUS & set(response.faults):
        final, reason = False, "ambiguous"
    if final and format_gate and anchored:
        if response.answer is None:
            final, reason = False, "missing_answer"
        elif not _right_number(response, run.num_states, None if run.states is None else run.num_states):
            final, reason = False, "wrong_number_of_steps"
    if run.states is None:  # too many, or the anchors changed this run
        unknown = (None,) * min(len(response.steps), MAX_STATES) if anchored else ()
        keys = ("unknown",) * len(unknown)
        return replace(blank, step_correct=unknown, final_correct=final, reason=reason, anchor_keys=keys)
    states = [text for _, text in run.states]
    return replace(
        blank,
        step_correct=steps_correct(response.steps, states),
        final_correct=final,
        reason=reason,
        anchor_keys=tuple(str(anchor) for anchor, _ in run.states),
        true_states=tuple(states),
    )


def score_answer(task: str, text: str, question: Question) -> Scored:
    """Judge the answer to a question: the text of a response to `task` (of QUESTION_TASKS or VISIT_TASKS)."""
    response = parse_response(text, task)
    answer = response.answer
    if answer is None:
        right, reason = False, "missing_answer"
    elif AMBIGUOUS & set(response.faults):
        right, reason = False, "ambiguous"
    else:
        right, reason = _JUDGES[task](answer.strip(), question.accepted)
    return Scored((), right, response.faults, reason, tuple(step.span for step in response.steps), ())


def steps_correct(steps: Sequence[Step], states: Sequence[str]) -> tuple[bool, ...]:
    """Whether each true state is the predicted step in its place."""
    return tuple(
        position < len(steps) and steps[position].closed and state_matches(steps[position].text, state)
        for position, state in enumerate(states)
    )


def _right_number(response: Response, fewest: int, most: int | None) -> bool:
    """Whether there are so many print blocks, every one of them closed."""
    number = len(response.steps)
    return fewest <= number and (most is None or number <= most) and all(step.closed for step in response.steps)


def _final_literal(response: Response, result: str | None) -> tuple[bool | None, str]:
    if result is None:
        return None, "no_result"
    if response.answer is None:
        return False, "missing_answer"
    if AMBIGUOUS & set(response.faults):
        return False, "ambiguous"
    equal = equal_literals(response.answer, result)
    if equal is None:
        return (False, "not_literal") if _is_literal(result) else (None, "no_result")
    return equal, "right" if equal else "wrong"


def _is_literal(text: str) -> bool:
    try:
        parse_literal(text)
    except ValueError:
        return False
    return True


def _judge_coverage(answer: str, accepted: Sequence[str]) -> tuple[bool, str]:
    said = answer.upper()
    if said not in ("YES", "NO"):
        return False, "malformed_answer"
    return _named(said in accepted)


def _judge_state(answer: str, accepted: Sequence[str]) -> tuple[bool, str]:
    if answer.lower() == NIL.lower():
        return _named(NIL in accepted)
    value, semicolon, kind = answer.rpartition(";")
    if not semicolon or not _is_literal(value):
        return False, "malformed_answer"
    for text in accepted:
        true_value, _, true_kind = text.rpartition("; ")
        if text != NIL and kind.strip() == true_kind and equal_literals(value, true_value) is True:
            return True, "right"
    return False, "wrong"


def _judge_path(answer: str, accepted: Sequence[str]) -> tuple[bool, str]:
    if "\n" in answer or not answer:
        return False, "malformed_answer"
    return _named(answer in {text.strip() for text in accepted})


def _named(right: bool) -> tuple[bool, str]:
    return right, "right" if right else "wrong"


_JUDGES = {
    "coverage": _judge_coverage,
    "state": _judge_state,
    "path": _judge_path,
    "next_statement": _judge_path,
    "variable": _judge_state,
}
