"""Code problems: a function to write and the tests that it is to pass; prompts, verdicts, and items of an evaluation.

A response is `<reasoning>…</reasoning><answer>PROGRAM</answer>`; the program may stand in a code fence. Only it is run,
in the sandbox (`evaluation.unit_tests`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from evaluation.extraction import strict_program
from evaluation.items import Item, Judged
from evaluation.jails import Jails
from evaluation.prompts import CODE, TASK_TAGS, Prompt
from evaluation.responses import AMBIGUOUS, Response, parse_response
from evaluation.scorers.judgement import MALFORMED, SANDBOX_FAILED, WRONG, Judgement
from evaluation.unit_tests import PROGRAM_LIMITS, Ran, UnitTest, run_tests
from execution.sandbox import Sandbox

HOLE = "..."


@dataclass(frozen=True)
class CodeProblem:
    """`text` is a program with `...` where something is missing (`holed`), or words. `shown` are the assertions of the
    prompt, `tests` those that count, hidden ones among them. `cluster` names the program that the problem was made
    from: problems of one are not independent. `reference` passes all tests, "" where none is known; `missing` is what
    the hole stands for."""

    problem_id: str
    cluster: str
    entry_point: str
    text: str
    tests: tuple[UnitTest, ...]
    shown: tuple[str, ...] = ()
    holed: bool = False
    reference: str = ""
    missing: str = ""


def code_prompt(problem: CodeProblem, style: str) -> Prompt:
    """The problem's text and its shown assertions; ValueError for a style that does not exist."""
    if style not in ("compact", "instruct"):
        raise ValueError(f"no prompt style {style!r}; the styles are compact, instruct")
    shown = "".join(f"{line.strip()}\n" for line in problem.shown)
    if style == "compact":
        return Prompt(CODE, style, f"{TASK_TAGS[CODE]}\n{problem.text.strip()}\n{shown}")
    if problem.holed:
        asked = (
            f"Here is a Python program in which `{HOLE}` stands for one or more missing statements.\n"
            f"```python\n{problem.text.strip()}\n```\nWrite the whole program with them."
        )
    else:
        asked = f"{problem.text.strip()}\nWrite a whole Python program that defines `{problem.entry_point}`."
    tests = f" These assertions hold, and others that are not shown:\n```python\n{shown}```" if shown else ""
    form = (
        "\nBegin with <reasoning>how you find the program</reasoning> and then <answer>the program</answer>, nothing"
        " after it.\n"
    )
    return Prompt(CODE, style, asked + tests + form)


@dataclass(frozen=True)
class CodeScored:
    """One response judged: what each test said, whether all passed (None: could not be judged), and how the program ran
    (`evaluation.run_verdicts`; "" where there was none to run)."""

    passed: tuple[bool | None, ...]
    correct: bool | None
    reason: str
    faults: tuple[str, ...]
    program: str
    verdict: str = ""

    @property
    def judged(self) -> bool:
        return self.correct is not None


def score_code(response: Response, problem: CodeProblem, sandbox: Sandbox) -> CodeScored:
    """Run the answer's program on the problem's tests; without a single closed answer that defines the function
    nothing is run, and every test has failed."""
    program = ""
    if response.answer is not None and AMBIGUOUS.isdisjoint(response.faults):
        program = strict_program(response.answer, problem.entry_point)
    if not program:
        return CodeScored((False,) * len(problem.tests), False, MALFORMED, response.faults, "")
    tested = run_tests(program, problem.entry_point, problem.tests, sandbox)
    correct = None if tested.reason == SANDBOX_FAILED else all(tested.passed)
    reason = tested.reason or ("" if correct else WRONG)
    return CodeScored(tested.passed, correct, reason, response.faults, program, tested.verdict)


def passes_hidden(problem: CodeProblem, passed: Sequence[bool | None]) -> bool:
    """Whether some hidden test passed: a program that only repeats the shown assertions passes none."""
    return any(one for test, one in zip(problem.tests, passed, strict=True) if test.hidden)


def usable(problem: CodeProblem, sandbox: Sandbox) -> CodeProblem | None:
    """The problem with the tests that tell something; None where no hidden one does.

    A test that the program passes with its hole open (the missing statement is not reached, or changes nothing) would
    pay for copying the prompt: it does not count. A problem whose reference fails is none.
    """
    if problem.reference and not all(_run(problem.reference, problem, sandbox).passed):
        return None
    if not problem.holed:
        return problem
    copied = _run(problem.text, problem, sandbox)
    tests = tuple(test for test, passed in zip(problem.tests, copied.passed, strict=True) if passed is False)
    return replace(problem, tests=tests) if any(test.hidden for test in tests) else None


def _run(program: str, problem: CodeProblem, sandbox: Sandbox) -> Ran:
    return run_tests(program, problem.entry_point, problem.tests, sandbox)


def problem_items(problems: Sequence[CodeProblem], style: str, benchmark: str) -> list[Item]:
    """An item per problem; right is a program that passes all tests. A row's `step_correct` has a value per test, so
    that the share of right steps is that of tests passed."""
    return [
        Item(
            f"{benchmark}/{problem.problem_id}/{CODE}",
            problem.cluster,
            benchmark,
            CODE,
            "steps",
            code_prompt(problem, style).text,
            partial(judge_code_response, problem),
        )
        for problem in problems
    ]


def judge_code_response(problem: CodeProblem, text: str, jails: Jails) -> Judged:
    """The verdict on a response; its program is run on the problem's tests."""
    scored = score_code(parse_response(text, CODE), problem, jails.get(PROGRAM_LIMITS))
    return Judged(
        strict=Judgement(scored.correct, scored.reason),
        answer=scored.program or None,
        step_correct=scored.passed,
        faults=scored.faults,
    )
