"""Items of traced programs: output and input prediction, and questions about lines, each judged by the trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from evaluation.items import Form, Item, Judged
from evaluation.jails import Jails
from evaluation.prompts import QUESTION_TASKS, TASKS, input_prompt, output_prompt, question_prompt
from evaluation.questions import VISIT_TASKS, Question, questions, visit_questions
from evaluation.responses import Response, parse_response
from evaluation.scorers.judgement import Judgement
from evaluation.scoring import Scored, score_answer, score_input, score_output
from evaluation.visit_prompts import visit_prompt
from execution.traces import Trace

HELD_OUT = "held_out"


def items_from_traces(
    traces: Iterable[Trace],
    style: str = "compact",
    tasks: Sequence[str] = TASKS,
    seed: int = 0,
    questions_per_task: int = 1,
    benchmark: str = HELD_OUT,
    form: Form = "steps",
) -> list[Item]:
    """Output and input prediction, REval's questions and ExecVerify's on each program, as `tasks` asks; no published
    rule judges them. `form` "plain" gives output and input prediction on the original source, without steps."""
    items: list[Item] = []
    for trace in traces:
        name = f"{benchmark}/{trace.program.program_id}"
        items += prediction_items(trace, name, benchmark, style, tasks, form)
        asked: list[Question] = []
        if any(task in QUESTION_TASKS for task in tasks):
            asked += questions(trace, seed, questions_per_task)
        if any(task in VISIT_TASKS for task in tasks):
            asked += visit_questions(trace, seed, questions_per_task)
        items += [_question_item(trace, one, name, benchmark, style, form) for one in asked if one.task in tasks]
    return items


def prediction_items(
    trace: Trace, name: str, benchmark: str, style: str, tasks: Sequence[str], form: Form = "steps"
) -> list[Item]:
    """Output and input prediction, as `tasks` asks, where the program has a literal result (and a plain call)."""
    program, anchored = trace.program, form == "steps"
    source = trace.instrumented if anchored else program.source
    items: list[Item] = []
    if trace.result is None:
        return items

    def item(task: str, prompt: str, judge: Callable[[str, Jails], Judged], expected: tuple[str, ...]) -> Item:
        return Item(f"{name}/{task}", program.source_id, benchmark, task, form, prompt, judge, expected)

    if "output" in tasks:
        prompt = output_prompt(source, program.call, style, anchored=anchored).text
        items.append(item("output", prompt, partial(judge_output_response, trace, anchored), (trace.result,)))
    if "input" in tasks and program.entry_point is not None:
        prompt = input_prompt(source, program.entry_point, trace.result, style, anchored=anchored).text
        items.append(item("input", prompt, partial(judge_input_response, trace, anchored), ()))
    return items


def _question_item(trace: Trace, question: Question, name: str, benchmark: str, style: str, form: Form) -> Item:
    program = trace.program
    prompt = visit_prompt if question.task in VISIT_TASKS else question_prompt
    return Item(
        item_id=f"{name}/{question.question_id}",
        cluster=program.source_id,
        benchmark=benchmark,
        task=question.task,
        form=form,
        prompt=prompt(program.source, program.call, question, style).text,
        judge=partial(judge_question_response, question),
        expected=question.accepted,
        covered=question.covered,
    )


def judge_output_response(trace: Trace, anchored: bool, text: str, jails: Jails) -> Judged:
    """An output prediction against the trace; nothing is run."""
    response = parse_response(text, "output")
    return judged(score_output(response, trace, anchored=anchored), response, response.answer)


def judge_input_response(trace: Trace, anchored: bool, text: str, jails: Jails) -> Judged:
    """An input prediction: the committed input is run."""
    response = parse_response(text, "input")
    return judged(score_input(response, trace, jails.get(), anchored=anchored), response, response.input)


def judge_question_response(question: Question, text: str, jails: Jails) -> Judged:
    """The answer to a question about a line."""
    response = parse_response(text, question.task)
    return judged(score_answer(question.task, text, question), response, response.answer)


def judged(scored: Scored, response: Response, answer: str | None) -> Judged:
    """What our own scoring says of a response, as an item's judge tells it."""
    return Judged(
        strict=Judgement(scored.final_correct, "" if scored.final_correct else scored.reason),
        answer=answer,
        step_correct=scored.step_correct,
        true_states=scored.true_states,
        predicted_states=tuple(step.text for step in response.steps),
        faults=scored.faults,
    )
