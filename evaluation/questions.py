"""Questions: REval's coverage, state and path questions, derived from the line events of any traced program.

They ask about the original source and one call of it, as REval does (r-eval/REval; Chen et al., ICSE 2025), with two
departures that make the labels right: a variable's value after a line and the line that follows are read within one
frame (REval flattens the frames of all functions into one list), and a statement over several lines is one line, its
first. Only statements inside functions are asked about, and only what happens while the call runs, not on import.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass

from evaluation.visits import Statement, Visits, line_visits, statements
from execution.traces import Trace
from execution.values import parse_literal

NIL = "Nil"
END = "-1"
YES, NO = "YES", "NO"
QUESTION_TASKS = ("coverage", "state", "path")
# State and path ask about a line that isn't executed with this probability, where there is one: Nil and -1 have to
# be possible answers and must not pay as a habit. Coverage asks half and half.
NOT_EXECUTED_SHARE = 0.25
MAX_ACCEPTED_CHARS = 200


@dataclass(frozen=True)
class Question:
    """One question and every answer that is right: a line that runs often has several.

    `accepted` holds YES or NO, `value; type` texts or Nil, the text of next lines or -1. `line` is 1-based in the
    original source.
    """

    task: str
    line: int
    line_text: str
    variable: str | None
    accepted: tuple[str, ...]
    covered: bool

    @property
    def question_id(self) -> str:
        parts = (self.task, str(self.line), self.variable)
        return ":".join(part for part in parts if part is not None)


def questions(trace: Trace, seed: int, per_task: int) -> list[Question]:
    """At most `per_task` questions of each task, about different lines; the same for the same trace and seed.

    Empty where the events were cut: accepted answers would be incomplete.
    """
    if trace.events_cut or per_task < 1:
        return []
    try:
        tree = ast.parse(trace.program.source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    lines = trace.program.source.splitlines()
    asked = statements(tree, lines)
    visits = line_visits(trace.events, tree)
    found: list[Question] = []
    for task, make in _MAKERS.items():
        pool = [question for one in asked for question in make(one, visits.get(one.line), lines)]
        executed = [question for question in pool if question.covered]
        others = [question for question in pool if not question.covered]
        share = 0.5 if task == "coverage" else NOT_EXECUTED_SHARE
        chooser = random.Random(f"questions {seed} {trace.program.program_id} {task}")
        found += _choose(executed, others, share, per_task, chooser)
    return found


def _choose(
    executed: list[Question], others: list[Question], share: float, count: int, chooser: random.Random
) -> list[Question]:
    """`count` of both, each drawn from `others` with probability `share` while both last; one question per line."""
    chooser.shuffle(executed)
    chooser.shuffle(others)
    chosen: list[Question] = []
    lines: set[int] = set()
    while len(chosen) < count and (executed or others):
        from_others = bool(others) and (not executed or chooser.random() < share)
        question = (others if from_others else executed).pop()
        if question.line not in lines:
            lines.add(question.line)
            chosen.append(question)
    return chosen


def _coverage(asked: Statement, seen: Visits | None, lines: list[str]) -> Iterator[Question]:
    yield Question("coverage", asked.line, asked.text, None, (YES if seen else NO,), seen is not None)


def _state(asked: Statement, seen: Visits | None, lines: list[str]) -> Iterator[Question]:
    """One question per variable whose value is known, and a literal, after every visit."""
    for variable in asked.variables:
        if seen is None:
            yield Question("state", asked.line, asked.text, variable, (NIL,), False)
            continue
        values = [visit.get(variable) for visit in seen.after]
        if seen.raised or not values or None in values:
            continue
        texts = tuple(dict.fromkeys(f"{value[1]}; {value[0]}" for value in values if value is not None))
        if all(_can_be_said(text) for text in texts):
            yield Question("state", asked.line, asked.text, variable, texts, True)


def _can_be_said(accepted: str) -> bool:
    try:
        parse_literal(accepted.rpartition("; ")[0])
    except ValueError:
        return False
    return len(accepted) <= MAX_ACCEPTED_CHARS


def _path(asked: Statement, seen: Visits | None, lines: list[str]) -> Iterator[Question]:
    if not asked.plain_path:
        return
    if seen is None:
        yield Question("path", asked.line, asked.text, None, (END,), False)
    else:
        texts = tuple(dict.fromkeys(END if line is None else lines[line - 1].strip() for line in seen.next_lines))
        yield Question("path", asked.line, asked.text, None, texts, True)


_MAKERS = {"coverage": _coverage, "state": _state, "path": _path}
