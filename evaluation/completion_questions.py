"""Rows of CRUXEval and LiveCodeBench execution as one kind of question: what to show, run, cut out and judge by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evaluation import cruxeval, livecodebench_execution
from evaluation.livecodebench_execution import ExecutionRow
from evaluation.published_answers import cut_cruxeval, cut_livecodebench, cut_livecodebench_input
from evaluation.published_prompts import PublishedForm, PublishedPrompt, cruxeval_prompt, livecodebench_prompt
from evaluation.scorers.completions import OFFICIAL_LIMITS, Completion, Direction
from evaluation.scorers.livecodebench import IMPORTS, PACKAGES, completion
from execution.limits import DEFAULT_LIMITS, Limits
from execution.program import Program


@dataclass(frozen=True)
class Question:
    """One row, whichever benchmark it is of. `shown` is the source that prompts show, `program` what is run."""

    benchmark: str
    item_id: str
    shown: str
    program: Program
    completion: Completion
    published: Callable[[Direction, PublishedForm], PublishedPrompt]
    cut: Callable[[str, Direction, PublishedForm], str]
    limits: Limits
    packages: tuple[str, ...]


def livecodebench_program(row: ExecutionRow) -> Program:
    """What to trace: the published imports, which no prompt shows, then the row's code, and its call."""
    return Program(f"{IMPORTS}\n{row.source}", row.call.strip(), origin=f"{livecodebench_execution.NAME}:{row.item_id}")


def of_cruxeval(row: cruxeval.CruxevalRow) -> Question:
    name, program = cruxeval.ENTRY_POINT, row.program
    return Question(
        cruxeval.NAME,
        row.item_id,
        row.source,
        program,
        Completion(row.source, name, program.call, row.output),
        lambda direction, form: cruxeval_prompt(row.source, row.arguments, row.output, direction, form),
        cut_cruxeval,
        DEFAULT_LIMITS,
        (),
    )


def of_livecodebench(row: ExecutionRow) -> Question:
    def cut(text: str, direction: Direction, form: PublishedForm) -> str:
        if direction == "output":
            return cut_livecodebench(text, form)
        return cut_livecodebench_input(text, row.entry_point, form)

    return Question(
        livecodebench_execution.NAME,
        row.item_id,
        row.source,
        livecodebench_program(row),
        completion(row.source, row.entry_point, row.call, row.output),
        lambda direction, form: livecodebench_prompt(
            row.source, row.entry_point, row.call, row.output, direction, form
        ),
        cut,
        OFFICIAL_LIMITS,  # numpy and pandas want room
        PACKAGES,
    )
