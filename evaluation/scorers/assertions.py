"""Assertions: whether `assert OUTPUT == ANSWER` holds after a program, as CRUXEval and LiveCodeBench judge it.

The published scorers paste the answer, unparenthesised, into that statement and run it in a process of its own with
an alarm at 3 s; passed means that nothing was raised. Here a statement of two literals is compared without running
anything, which gives the same verdict; every other one runs in the sandbox.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence

from evaluation.scorers.judgement import RAISED, SANDBOX_FAILED, STOPPED, TIMEOUT, WRONG, Judgement
from execution.limits import MEBIBYTE, Limits
from execution.sandbox import Job, Observation, Sandbox, Verdict

ALARM_S = 3.0
# The published limit is wall time; a good answer needs milliseconds of CPU time, so a third of it decides nothing.
OFFICIAL_LIMITS = Limits(cpu_s=2.0, wall_s=10.0, output_bytes=4 * MEBIBYTE, memory_bytes=4096 * MEBIBYTE)


def judge_assertions(source: str, output: str, answers: Sequence[str], sandbox: Sandbox) -> list[Judgement]:
    """One Judgement per answer on `assert <output> == <answer>` after `source`."""
    judged: dict[int, Judgement] = {}
    expressions: dict[int, Job] = {}
    for place, answer in enumerate(answers):
        statement = f"assert {output} == {answer}"
        tree = _parsed(statement)
        if tree is None:
            judged[place] = Judgement(False, RAISED)
            continue
        test = _only_test(tree)
        if test is None:
            seen = _run(sandbox, Job(f"{source}\n{statement}\n", "True"))
            judged[place] = _verdict(seen, holds=seen.verdict is Verdict.OK)
        elif (equal := _of_literals(test)) is not None:
            judged[place] = Judgement.of(equal)
        else:
            expressions[place] = Job(source, f"not not ({ast.unparse(test)})")
    for place, seen in zip(expressions, sandbox.run_together(list(expressions.values())), strict=True):
        if seen.verdict is Verdict.SANDBOX_FAILED:
            seen = sandbox.run(expressions[place])
        judged[place] = _verdict(seen, holds=seen.result == "True")
    return [judged[place] for place in range(len(answers))]


def _parsed(statement: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return ast.parse(statement)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None


def _only_test(tree: ast.Module) -> ast.expr | None:
    """The tested expression where the text is one assert statement; its message decides nothing."""
    if len(tree.body) == 1 and isinstance(tree.body[0], ast.Assert):
        return tree.body[0].test
    return None


def _of_literals(test: ast.expr) -> bool | None:
    """Whether `literal == literal` holds; None for any other expression."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)):
        return None
    try:
        return bool(ast.literal_eval(test.left) == ast.literal_eval(test.comparators[0]))
    except (ValueError, TypeError, MemoryError, RecursionError):
        return None


def _run(sandbox: Sandbox, job: Job) -> Observation:
    seen = sandbox.run(job)
    return sandbox.run(job) if seen.verdict is Verdict.SANDBOX_FAILED else seen


def _verdict(seen: Observation, *, holds: bool) -> Judgement:
    return {
        Verdict.OK: Judgement(False, TIMEOUT) if seen.wall_s > ALARM_S else Judgement.of(holds),
        Verdict.EXCEPTION: Judgement(False, WRONG if _is_assertion(seen) else RAISED),
        Verdict.TIMEOUT: Judgement(False, TIMEOUT),
        Verdict.SANDBOX_FAILED: Judgement(None, SANDBOX_FAILED),
    }.get(seen.verdict, Judgement(False, STOPPED))


def _is_assertion(seen: Observation) -> bool:
    return seen.exception is not None and seen.exception[0] == "AssertionError"
