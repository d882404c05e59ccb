"""Judges of REval's items: one answer from a response in any form, judged strictly, officially and frame by frame.

"direct" and "cot" are judged as published (`evaluation.scorers`). In "steps" and "plain" the answer block's text,
stripped, is judged by the same rules as if it were a direct answer. In "steps" the printed lines are judged too, and,
strictly, an answer counts only with as many printed lines as the run has, as in CRUXEval's and LiveCodeBench's items.

A path answer of "steps" is the text of a line of the listing with anchors. It stands for every original line that is
shown with that text; of a `return` split in two, either half stands for it. An anchor stands for no line: the prompt
says to pass over it, so it is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evaluation.items import Form, Judge, Judged
from evaluation.jails import Jails
from evaluation.responses import Response, parse_response
from evaluation.reval import Pair, RevalRow
from evaluation.reval_runs import Stepwise
from evaluation.reval_truth import PACKAGES, TRUTH_LIMITS, PointTruth
from evaluation.scorers import reval as published
from evaluation.scorers.judgement import MALFORMED, Judgement, Mode
from evaluation.scorers.reval import NO_LINE, UNUSABLE, Cut, cut_answer, judge_coverage, judge_path, path_lines
from evaluation.scorers.reval_output import judge_output
from evaluation.scorers.reval_state import judge_state
from evaluation.scoring import steps_correct
from evaluation.verdicts import MISSING_ANSWER, WRONG_NUMBER_OF_STEPS, said, why_no_answer
from execution.sandbox import Sandbox

_Verdict = Callable[[str, published.Form, Mode, Sandbox], Judgement]


@dataclass(frozen=True)
class Asked:
    """What the items of one input and form share. `steps` is None but for the form "steps"."""

    row: RevalRow
    pair: Pair
    form: Form
    steps: Stepwise | None = None

    @property
    def listing(self) -> str:
        """The program's lines as the item shows them."""
        return self.row.source if self.steps is None else self.steps.source


def point_judge(asked: Asked, task: str, truth: PointTruth, frame: PointTruth | None) -> Judge:
    """The judge of a coverage, state or path item; `frame` is the frames' own truth where it is known."""
    verdict = _point_verdict(asked, task, truth)
    by_frame = _point_verdict(asked, task, frame) if frame is not None and task != "coverage" else None
    return _judge(asked, task, verdict, by_frame)


def output_judge(asked: Asked) -> Judge:
    """The judge of an output item: of a function the answer is the returned value in "steps" and "plain", else the
    completed lines."""
    row, pair = asked.row, asked.pair

    def verdict(text: str, form: published.Form, mode: Mode, sandbox: Sandbox) -> Judgement:
        if asked.form in ("steps", "plain") and row.test is None and not text.startswith("assert "):
            before, _, after = pair.output_prediction.rpartition("??")
            text = f"{before}{text}{after}"
        return judge_output(text, form, row, pair, mode, sandbox)

    return _judge(asked, "output", verdict, None)


def _point_verdict(asked: Asked, task: str, truth: PointTruth) -> _Verdict:
    def coverage(text: str, form: published.Form, mode: Mode, sandbox: Sandbox) -> Judgement:
        return judge_coverage(text, form, truth, mode)

    def state(text: str, form: published.Form, mode: Mode, sandbox: Sandbox) -> Judgement:
        return judge_state(text, form, truth, mode, sandbox)

    def path(text: str, form: published.Form, mode: Mode, sandbox: Sandbox) -> Judgement:
        if asked.steps is None:
            return judge_path(text, form, truth, asked.row.source, mode)
        found = _original_lines(path_lines(Cut(text), asked.steps.source, mode), asked.steps)
        return Judgement.of(not found.isdisjoint(truth.next_lines), MALFORMED if found == {UNUSABLE} else "wrong")

    return {"coverage": coverage, "state": state, "path": path}[task]


def _original_lines(found: set[int], steps: Stepwise) -> set[int]:
    if found in ({NO_LINE}, {UNUSABLE}):
        return found
    originals = {line for number in found if (line := steps.original_line(number)) is not None}
    return originals or {UNUSABLE}


def _judge(asked: Asked, task: str, verdict: _Verdict, by_frame: _Verdict | None) -> Judge:
    if asked.form == "direct" or asked.form == "cot":
        return _published_judge(asked.form, verdict, by_frame)

    def judge(text: str, jails: Jails) -> Judged:
        response = parse_response(text, task, stepwise=asked.steps is not None)
        states = () if asked.steps is None else asked.steps.states
        sandbox = jails.get(TRUTH_LIMITS, PACKAGES)
        answer = None if response.answer is None else response.answer.strip()
        official = Judgement(False, MISSING_ANSWER)
        if answer is not None:
            official = verdict(answer, "direct", "official", sandbox)
        return Judged(
            strict=_strict(response, verdict, states, asked, sandbox),
            official=official,
            frame_aware=None if by_frame is None else _strict(response, by_frame, states, asked, sandbox),
            answer=answer,
            step_correct=steps_correct(response.steps, states),
            true_states=states,
            predicted_states=said(response),
            faults=response.faults,
        )

    return judge


def _strict(
    response: Response, verdict: _Verdict, states: tuple[str, ...], asked: Asked, sandbox: Sandbox
) -> Judgement:
    refused = why_no_answer(response)
    if refused or response.answer is None:
        return Judgement(False, refused)
    judgement = verdict(response.answer.strip(), "direct", "strict", sandbox)
    if judgement.correct and asked.steps is not None and len(response.steps) != len(states):
        return Judgement(False, WRONG_NUMBER_OF_STEPS)
    return judgement


def _published_judge(form: published.Form, verdict: _Verdict, by_frame: _Verdict | None) -> Judge:
    def judge(text: str, jails: Jails) -> Judged:
        sandbox = jails.get(TRUTH_LIMITS, PACKAGES)
        cut = cut_answer(text, form).text
        return Judged(
            strict=verdict(text, form, "strict", sandbox),
            official=verdict(text, form, "official", sandbox),
            frame_aware=None if by_frame is None else by_frame(text, form, "strict", sandbox),
            answer=None if cut is None else cut.strip(),
        )

    return judge
