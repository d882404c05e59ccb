"""Questions about a run, derived from the line events of any traced program: REval's and ExecVerify's.

They ask about the original source and one call of it. `questions` asks what REval does (r-eval/REval; Chen et al.,
ICSE 2025): coverage, state and path of a line, over all its visits. `visit_questions` asks what ExecVerify's white-box
rewards do (arXiv 2603.11226): the statement that follows the n-th execution of a line, the value and type of a variable
after it. The labels depart from both where theirs are wrong: a value after a line and the line that follows are read
within one frame, a visit is one execution of one statement (its return is no second one), a statement over several
lines is one line, its first, and types are those that the interpreter told. Only statements inside functions are
asked about, and only what happens while the call runs, not on import.
"""

from __future__ import annotations

import ast
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from evaluation.visits import Statement, Visits, line_visits, statements
from execution.traces import Trace
from execution.values import parse_literal

NIL = "Nil"
END = "-1"
YES, NO = "YES", "NO"
QUESTION_TASKS = ("coverage", "state", "path")
VISIT_TASKS = ("next_statement", "variable")
# State and path ask about a line that isn't executed with this probability, where there is one: Nil and -1 have to
# be possible answers and must not pay as a habit. Coverage asks half and half.
NOT_EXECUTED_SHARE = 0.25
MAX_ACCEPTED_CHARS = 200

Maker = Callable[[Statement, "Visits | None", list[str]], "Iterator[Question]"]


@dataclass(frozen=True)
class Question:
    """One question and every answer that is right: a line that runs often has several.

    `accepted` holds YES or NO, `value; type` texts or Nil, the text of next lines or -1. `line` is 1-based in the
    original source. `visit` counts the executions of the line from 1, over all calls of its function in the order in
    which they began; None where the question is about all of them.
    """

    task: str
    line: int
    line_text: str
    variable: str | None
    accepted: tuple[str, ...]
    covered: bool
    visit: int | None = None

    @property
    def question_id(self) -> str:
        parts = (self.task, str(self.line), None if self.visit is None else f"#{self.visit}", self.variable)
        return ":".join(part for part in parts if part is not None)


def questions(trace: Trace, seed: int, per_task: int) -> list[Question]:
    """At most `per_task` questions of each task of QUESTION_TASKS, about different lines; the same for the same trace
    and seed. Empty where the events were cut: accepted answers would be incomplete.
    """
    found: list[Question] = []
    for task, pool in _pools(trace, _MAKERS).items():
        executed, others, chooser = _shuffled(trace, seed, task, pool)
        share = 0.5 if task == "coverage" else NOT_EXECUTED_SHARE
        found += _choose(executed, others, share, per_task, chooser)
    return found


def visit_questions(trace: Trace, seed: int, per_task: int) -> list[Question]:
    """At most `per_task` questions of each task of VISIT_TASKS (ExecVerify asks five of each); the same for the same
    trace and seed. A second one about a line comes only when every line has had one. Empty where the events were cut.
    """
    found: list[Question] = []
    for task, pool in _pools(trace, _VISIT_MAKERS).items():
        executed, others, chooser = _shuffled(trace, seed, task, pool)
        chosen: list[Question] = []
        executed, others = _by_turns(executed), _by_turns(others)
        while len(chosen) < per_task and (executed or others):
            from_others = bool(others) and (not executed or chooser.random() < NOT_EXECUTED_SHARE)
            chosen.append((others if from_others else executed).pop())
        found += chosen
    return found


def _pools(trace: Trace, makers: Mapping[str, Maker]) -> dict[str, list[Question]]:
    """All questions of each task that can be asked about the trace."""
    if trace.events_cut:
        return {}
    try:
        tree = ast.parse(trace.program.source)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    lines = trace.program.source.splitlines()
    asked = statements(tree, lines)
    visits = line_visits(trace.events, tree)
    return {
        task: [question for one in asked for question in make(one, visits.get(one.line), lines)]
        for task, make in makers.items()
    }


def _shuffled(
    trace: Trace, seed: int, task: str, pool: list[Question]
) -> tuple[list[Question], list[Question], random.Random]:
    """Questions about executed lines and about others, in random order, and the generator for what is drawn next."""
    chooser = random.Random(f"questions {seed} {trace.program.program_id} {task}")
    executed = [question for question in pool if question.covered]
    others = [question for question in pool if not question.covered]
    chooser.shuffle(executed)
    chooser.shuffle(others)
    return executed, others, chooser


def _by_turns(pool: list[Question]) -> list[Question]:
    """The same questions so that, taken from the end, each line gives one before any gives a second."""
    turn: Counter[int] = Counter()
    keyed = []
    for place, question in enumerate(pool):
        keyed.append((turn[question.line], place, question))
        turn[question.line] += 1
    return [question for _, _, question in sorted(keyed, key=lambda one: one[:2], reverse=True)]


def _choose(
    executed: list[Question], others: list[Question], share: float, count: int, chooser: random.Random
) -> list[Question]:
    """`count` of both, each drawn from `others` with probability `share` while both last; one question per line."""
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


def _next_statement(asked: Statement, seen: Visits | None, lines: list[str]) -> Iterator[Question]:
    """Which statement of the same call comes after the n-th execution, where that is more than reading on."""
    if not asked.plain_path:
        return
    if seen is None:
        yield Question("next_statement", asked.line, asked.text, None, (END,), False, visit=1)
        return
    for number, visit in enumerate(seen.each, 1):
        if asked.branches or visit.next_line != asked.following:
            text = END if visit.next_line is None else lines[visit.next_line - 1].strip()
            yield Question("next_statement", asked.line, asked.text, None, (text,), True, visit=number)


def _variable(asked: Statement, seen: Visits | None, lines: list[str]) -> Iterator[Question]:
    """Value and type after the n-th execution of each variable that it set or changed, where it is a literal."""
    if seen is None:
        for variable in asked.variables:
            yield Question("variable", asked.line, asked.text, variable, (NIL,), False, visit=1)
        return
    for number, visit in enumerate(seen.each, 1):
        if visit.raised:
            continue
        for variable in dict.fromkeys((*asked.variables, *visit.changed)):
            value = visit.after.get(variable)
            if value is not None and _can_be_said(text := f"{value[1]}; {value[0]}"):
                yield Question("variable", asked.line, asked.text, variable, (text,), True, visit=number)


_MAKERS: dict[str, Maker] = {"coverage": _coverage, "state": _state, "path": _path}
_VISIT_MAKERS: dict[str, Maker] = {"next_statement": _next_statement, "variable": _variable}
