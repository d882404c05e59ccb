"""Items of CRUXEval and LiveCodeBench execution: complete `call == ??` or `f(??) == output`, in each form.

"steps" shows the program with print anchors and asks for every printed line; "plain" is the same words about the
original program (arXiv 2605.11922, table 7); "direct" and "cot" are the published questions. Whatever the form, one
answer is cut out and judged strictly and by the published scorer (`evaluation.scorers.completions`).

"plain", "direct" and "cot" ask about every row, "steps" about those that have a trace; a row without is an item left
out, with the reason. So figures of two forms are compared on the items that both could ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evaluation import cruxeval
from evaluation.completion_questions import (
    Question,
    livecodebench_program,
    of_cruxeval,
    of_livecodebench,
)
from evaluation.items import Form, Item, Judge, Judged
from evaluation.jails import Jails
from evaluation.livecodebench_execution import ExecutionRow
from evaluation.prompts import input_prompt, output_prompt
from evaluation.published_answers import strict_answer, strict_input, strict_output
from evaluation.published_prompts import PublishedForm
from evaluation.responses import parse_response
from evaluation.reval_runs import NO_ANCHORS
from evaluation.scorers.completions import OFFICIAL_LIMITS, Direction
from evaluation.scorers.judgement import MALFORMED, Judgement
from evaluation.scoring import score_input, score_output
from evaluation.verdicts import MISSING_ANSWER, of_scored, official_completion, said, strict_completion
from execution.sandbox import Sandbox
from execution.traces import SetAside, Trace
from execution.values import equal_literals

__all__ = ["DIRECTIONS", "cruxeval_items", "livecodebench_items", "livecodebench_program"]

DIRECTIONS: tuple[Direction, ...] = ("output", "input")


def cruxeval_items(
    rows: Sequence[cruxeval.CruxevalRow],
    traces: Iterable[Trace | SetAside],
    form: Form,
    style: str,
    directions: Sequence[Direction] = DIRECTIONS,
) -> list[Item]:
    """CRUXEval's two tasks. `traces` of `row.program` are needed for "steps" alone."""
    return _items([of_cruxeval(row) for row in rows], traces, form, style, directions)


def livecodebench_items(
    rows: Sequence[ExecutionRow],
    traces: Iterable[Trace | SetAside],
    form: Form,
    style: str,
    directions: Sequence[Direction] = DIRECTIONS,
) -> list[Item]:
    """Output prediction, and input prediction, which LiveCodeBench does not have: judged as the data's author does,
    by CRUXEval's rule. `traces` of `livecodebench_program(row)`, seen where numpy and pandas are, for "steps" alone."""
    return _items([of_livecodebench(row) for row in rows], traces, form, style, directions)


def _items(
    questions: Sequence[Question],
    traces: Iterable[Trace | SetAside],
    form: Form,
    style: str,
    directions: Sequence[Direction],
) -> list[Item]:
    outcomes = {outcome.program.program_id: outcome for outcome in traces} if form == "steps" else {}
    return [
        _item(asked, direction, form, style, outcomes.get(asked.program.program_id))
        for asked in questions
        for direction in directions
    ]


def _item(asked: Question, direction: Direction, form: Form, style: str, outcome: Trace | SetAside | None) -> Item:
    stop: tuple[str, ...] = ()
    limit: int | None = None
    judge: Judge | None
    left_out = ""
    if form in ("direct", "cot"):
        prompt = asked.published(direction, form)
        text, stop, limit = prompt.text, prompt.stop, prompt.max_new_tokens
        judge = _published_judge(asked, direction, form)
    elif form == "plain" or _prints_nothing(outcome) or (isinstance(outcome, Trace) and _agrees(outcome, asked)):
        trace = outcome if isinstance(outcome, Trace) else _without_steps(asked)
        text = _prompt(asked, trace, direction, style, anchored=form == "steps")
        judge = _judge(asked, trace, direction, anchored=form == "steps")
    else:
        text, judge, left_out = "", None, _why_left_out(outcome)
    return Item(
        item_id=f"{asked.benchmark}/{asked.item_id}/{direction}",
        cluster=asked.program.source_id,
        benchmark=asked.benchmark,
        task=direction,
        form=form,
        prompt=text,
        judge=judge,
        expected=(asked.completion.output,) if direction == "output" else (),
        left_out=left_out,
        stop=stop,
        max_new_tokens=limit,
        pair=asked.item_id,
    )


def _prints_nothing(outcome: Trace | SetAside | None) -> bool:
    """A program without an anchor to reach has no steps, and is asked like the others."""
    return isinstance(outcome, SetAside) and outcome.reason == NO_ANCHORS


def _agrees(trace: Trace, asked: Question) -> bool:
    return equal_literals(trace.result or "", asked.completion.output) is True


def _why_left_out(outcome: Trace | SetAside | None) -> str:
    if outcome is None:
        return "not_traced"
    return outcome.reason if isinstance(outcome, SetAside) else "truth_differs"


def _without_steps(asked: Question) -> Trace:
    """What a judge of the answer alone needs to know of a run: the published result."""
    return Trace(asked.program, asked.program.source, (), asked.completion.output, None, None, "", (), True, {})


def _prompt(asked: Question, trace: Trace, direction: Direction, style: str, *, anchored: bool) -> str:
    hidden = asked.program.source.removesuffix(asked.shown)  # imports that the published prompt does not show either
    shown = trace.instrumented.removeprefix(hidden) if anchored else asked.shown
    if direction == "output":
        return output_prompt(shown, asked.completion.call, style, anchored=anchored).text
    return input_prompt(shown, asked.completion.entry_point, asked.completion.output, style, anchored=anchored).text


def _judge(asked: Question, trace: Trace, direction: Direction, *, anchored: bool) -> Judge:
    def judge(text: str, jails: Jails) -> Judged:
        response = parse_response(text, direction)
        if direction == "output":
            scored, answer = score_output(response, trace, anchored=anchored), response.answer
        else:
            sandbox = jails.get(asked.limits, asked.packages)
            scored = score_input(response, trace, sandbox, anchored=anchored)
            answer = response.input
        official = Judgement(False, MISSING_ANSWER)
        if answer is not None:
            given = answer.strip() if direction == "output" else _as_call(answer, asked.completion.entry_point)
            official = official_completion(asked.completion, given, direction, _official_jail(asked, jails))
        return Judged(
            of_scored(scored),
            official,
            answer=answer,
            step_correct=scored.step_correct,
            true_states=scored.true_states,
            predicted_states=said(response),
            faults=response.faults,
        )

    return judge


def _as_call(arguments: str, name: str) -> str:
    """The generation that the published rule judges: a call. The prompt asks for what stands in its parentheses."""
    text = arguments.strip()
    return text if text.startswith(f"{name}(") else f"{name}({text})"


def _published_judge(asked: Question, direction: Direction, form: PublishedForm) -> Judge:
    row = asked.completion

    def judge(text: str, jails: Jails) -> Judged:
        sandbox = _official_jail(asked, jails)
        generation = asked.cut(text, direction, form)
        official = official_completion(row, generation, direction, sandbox)
        answer = strict_answer(text, form)
        if answer is not None:
            answer = (
                strict_output(answer, row.call)
                if direction == "output"
                else strict_input(answer, row.entry_point, row.output)
            )
        if answer is None:
            return Judged(Judgement(False, MALFORMED), official, answer=generation or None)
        return Judged(strict_completion(row, answer, direction, sandbox), official, answer=answer)

    return judge


def _official_jail(asked: Question, jails: Jails) -> Sandbox:
    return jails.get(OFFICIAL_LIMITS, asked.packages)
