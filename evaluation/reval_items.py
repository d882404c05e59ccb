"""Items of REval: coverage, state, path of each point and output of each input, in each form.

"steps" shows the program with print anchors, points to its lines and asks for every printed line first; "plain" is the
same words about the original program; "direct" and "cot" are the published questions. Truth is the original's in every
form (arXiv 2605.11922, appendix B), and the published one: path asks for the next line in whatever function. A program
that can't be shown with anchors, or that prints more than `max_states` lines, is an item left out with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evaluation.inputs import MAX_STATES
from evaluation.items import Form, Item
from evaluation.jails import Jails
from evaluation.prompts import assertions_prompt, output_prompt, question_prompt
from evaluation.published_reval import reval_prompt
from evaluation.questions import END, NIL, NO, YES, Question
from evaluation.reval import NAME, Pair, Point, RevalRow
from evaluation.reval_judges import Asked, output_judge, point_judge
from evaluation.reval_listing import call_of, test_text
from evaluation.reval_runs import PairTruth, RevalRuns
from evaluation.reval_truth import PointTruth
from execution.program import Program

POINT_TASKS = ("coverage", "state", "path")
REVAL_TASKS = (*POINT_TASKS, "output")


def reval_items(
    rows: Sequence[RevalRow],
    form: Form,
    style: str,
    jails: Jails,
    *,
    tasks: Sequence[str] = REVAL_TASKS,
    max_states: int = MAX_STATES,
    runs: RevalRuns | None = None,
) -> list[Item]:
    """An item per task and point (output: per input). The programs are run here, to find the truth, and for "steps"
    with their anchors; `runs` remembers that between forms. Ids are `reval/PAIR/POINT/TASK`, without POINT for
    output; PAIR is `task_id/input_idx`."""
    runs = RevalRuns(jails) if runs is None else runs
    return [
        item
        for row in rows
        for pair in row.pairs
        for item in _pair_items(row, pair, form, style, tasks, runs, max_states)
    ]


def _pair_items(
    row: RevalRow, pair: Pair, form: Form, style: str, tasks: Sequence[str], runs: RevalRuns, max_states: int
) -> Iterator[Item]:
    truth = runs.truth(row, pair)
    steps = runs.stepwise(row, pair, max_states) if form == "steps" and not truth.why_none else None
    left_out = truth.why_none or (steps.why_not if steps is not None else "")
    asked = Asked(row, pair, form, steps)
    for number, point in enumerate(pair.points):
        for task in (task for task in POINT_TASKS if task in tasks):
            name = f"{number}/{task}"
            if left_out:
                yield _item(asked, task, name, left_out=left_out)
            else:
                yield _point_item(asked, task, name, style, point, truth, number)
    if "output" in tasks:
        yield _item(asked, "output", "output", left_out=left_out) if left_out else _output_item(asked, style)


def _item(asked: Asked, task: str, name: str, **given: Any) -> Item:
    row = asked.row
    pair = f"{row.item_id}/{asked.pair.input_index}"
    cluster = Program(row.source, "").source_id
    filled = {"prompt": "", "judge": None, **given}
    return Item(
        item_id=f"{NAME}/{pair}/{name}",
        cluster=cluster,
        benchmark=NAME,
        task=task,
        form=asked.form,
        pair=pair,
        **filled,
    )


def _point_item(asked: Asked, task: str, name: str, style: str, point: Point, truth: PairTruth, number: int) -> Item:
    said = truth.points[number]
    frame = truth.frames[number] if truth.frames else None
    return _item(
        asked,
        task,
        name,
        judge=point_judge(asked, task, said, frame),
        expected=_expected(asked, task, said),
        covered=said.covered,
        **_point_prompt(asked, task, style, point),
    )


def _point_prompt(asked: Asked, task: str, style: str, point: Point) -> dict[str, Any]:
    row, pair = asked.row, asked.pair
    if asked.form in ("direct", "cot"):
        return _published(reval_prompt(row, pair, task, asked.form, point))
    line = point.line if asked.steps is None else asked.steps.asked_line(point.line)
    text = asked.listing.split("\n")[line - 1].strip()
    question = Question(task, line, text, point.variable if task == "state" else None, (), False)
    of_test = row.test is not None
    call = _whole_test(row, pair) if of_test else call_of(row, pair)
    anchored = asked.form == "steps"
    prompt = question_prompt(
        asked.listing, call, question, style, anchored=anchored, of_test=of_test, across_calls=True
    )
    return {"prompt": prompt.text}


def _output_item(asked: Asked, style: str) -> Item:
    row, pair = asked.row, asked.pair
    anchored = asked.form == "steps"
    if asked.form in ("direct", "cot"):
        given = _published(reval_prompt(row, pair, "output", asked.form))
    elif row.test is None:
        given = {"prompt": output_prompt(asked.listing, call_of(row, pair), style, anchored=anchored).text}
    else:
        set_up = test_text(row, pair).set_up
        prompt = assertions_prompt(asked.listing, set_up, pair.output_prediction, style, anchored=anchored)
        given = {"prompt": prompt.text}
    expected = () if pair.output is None else (pair.output.strip(),)
    return _item(asked, "output", "output", judge=output_judge(asked), expected=expected, **given)


def _published(prompt: Any) -> dict[str, Any]:
    return {"prompt": prompt.text, "stop": prompt.stop, "max_new_tokens": prompt.max_new_tokens}


def _whole_test(row: RevalRow, pair: Pair) -> str:
    text = test_text(row, pair)
    return f"{text.set_up}\n{text.body}".strip()


def _expected(asked: Asked, task: str, truth: PointTruth) -> tuple[str, ...]:
    """Every accepted answer in words, as the item's own listing has it."""
    if task == "coverage":
        return (YES if truth.covered else NO,)
    if task == "state":
        return tuple(f"{text}; {kind}" for kind, text in truth.values) or (NIL,)
    lines = asked.listing.split("\n")
    shown = asked.steps.shown_line if asked.steps is not None else int
    return tuple(dict.fromkeys(END if line < 0 else lines[shown(line) - 1].strip() for line in truth.next_lines))
