"""REval's verdict on output answers: the completed assertions of one input, by the published rule and strictly.

Source: r-eval/REval, evaluation.py (Chen et al., arXiv 2403.16437). The published rule executes whatever was answered
and is content where nothing is raised; here that happens in the sandbox. Strict first asks that the answer is the
question with each `??` replaced by a literal, and nothing else changed.
"""

from __future__ import annotations

import ast
import re

from evaluation.reval import Pair, RevalRow
from evaluation.reval_truth import FIND_TEST_CLASS
from evaluation.scorers.judgement import (
    MALFORMED,
    NOT_LITERAL,
    RAISED,
    SANDBOX_FAILED,
    STOPPED,
    TIMEOUT,
    WRONG,
    Judgement,
    Mode,
)
from evaluation.scorers.reval import Form, cut_answer
from execution.sandbox import Job, Sandbox, Verdict
from execution.values import equal_literals

_GAP = "gap_that_was_asked_for"
_REFUSED = ("assertTrue(True)", "assertFalse(False)", "assert True", "assert False")
# Appended to a class's program: executes the answer as a method of the input's test class.
_RUN_AS_METHOD = (
    FIND_TEST_CLASS
    + """
import ast
name = chosen.__name__
tree = ast.parse(f"class {name}({name}):\\n    def test_answer(self):\\n        pass\\n")
tree.body[0].body[0].body = ast.parse(answer).body
exec(compile(tree, "<answer>", "exec"), namespace)
case = namespace[name]("test_answer")
case.setUpClass()
case.setUp()
case.test_answer()
"""
)


def judge_output(generated: str, form: Form, row: RevalRow, pair: Pair, mode: Mode, sandbox: Sandbox) -> Judgement:
    """Whether the assertions that the answer completes hold for the program."""
    cut = cut_answer(generated, form)
    if cut.text is None:
        return Judgement(False, MALFORMED)
    if mode == "strict":
        return _strict(cut.text.strip(), row, pair, sandbox)
    answer = _completed(cut.text, pair.output_prediction)
    if any(text in answer for text in _REFUSED) or answer.count("assert") < pair.output_prediction.count("assert"):
        return Judgement(False, MALFORMED)
    return _run(answer, row, pair, sandbox)


def _completed(answer: str, asked: str) -> str:
    """The answer, with the first lines of the question before it where it has fewer lines."""
    lines = asked.split("\n")
    num_missing = len(lines) - len(answer.split("\n"))
    return "\n".join([*lines[:num_missing], answer]) if num_missing > 0 else answer


def _run(answer: str, row: RevalRow, pair: Pair, sandbox: Sandbox) -> Judgement:
    if row.test is None:
        job = Job(f"{row.source}\nexec({answer!r}, globals())\n", "True")
    else:
        method = answer.replace("assert", "self.assert")
        given = f"{{'text': {row.test!r}, 'index': {pair.input_index}, 'answer': {method!r}, 'namespace': globals()}}"
        job = Job(f"{row.source}\nexec(compile({_RUN_AS_METHOD!r}, '<prepare>', 'exec'), {given})\n", "True")
    seen = sandbox.run(job)
    if seen.verdict is Verdict.SANDBOX_FAILED:
        seen = sandbox.run(job)
    if seen.verdict is Verdict.SANDBOX_FAILED:
        return Judgement(None, SANDBOX_FAILED)
    if seen.verdict is Verdict.EXCEPTION:
        return Judgement(False, WRONG if (seen.exception or ("",))[0] == "AssertionError" else RAISED)
    return Judgement.of(seen.verdict is Verdict.OK, TIMEOUT if seen.verdict is Verdict.TIMEOUT else STOPPED)


def _strict(answer: str, row: RevalRow, pair: Pair, sandbox: Sandbox) -> Judgement:
    try:
        asked = ast.parse(pair.output_prediction.replace("??", _GAP))
        said = ast.parse(_completed(answer, pair.output_prediction))
        given = _fill(asked, said)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Judgement(False, MALFORMED)
    if given is None:
        return Judgement(False, NOT_LITERAL)
    if pair.output is not None and len(given) == 1:
        return Judgement.of(equal_literals(given[0], pair.output) is True)
    return _run(re.sub(r"^assert (?=assert)", "", ast.unparse(said)), row, pair, sandbox)


def _fill(asked: ast.AST, said: ast.AST) -> list[str] | None:
    """The literals that stand in the gaps; None where one is no literal. ValueError where anything else differs."""
    given: list[str] | None = []
    waiting: list[tuple[object, object]] = [(asked, said)]
    while waiting:
        one, other = waiting.pop()
        if isinstance(one, ast.Name) and one.id == _GAP and isinstance(other, ast.expr):
            given = _with_literal(given, other)
        elif isinstance(one, ast.AST):
            if type(one) is not type(other):
                raise ValueError("another statement than asked")
            waiting += [(getattr(one, name, None), getattr(other, name, None)) for name in one._fields]
        elif isinstance(one, list):
            if not isinstance(other, list) or len(one) != len(other):
                raise ValueError("more or fewer statements than asked")
            waiting += zip(one, other, strict=True)
        elif type(one) is not type(other) or one != other:
            raise ValueError("another name or value than asked")
    return given


def _with_literal(given: list[str] | None, node: ast.expr) -> list[str] | None:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None
    return None if given is None else [*given, ast.unparse(node)]
