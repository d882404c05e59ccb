"""Published answers: what is cut out of a response to a published prompt, by the benchmark's rule and strictly.

A response goes on from an open [ANSWER] ("direct") or [THOUGHT] ("cot"). REval's rule is in `evaluation.scorers.reval`.
"""

from __future__ import annotations

import ast
from typing import Literal

from evaluation.published_prompts import STOP, Direction, PublishedForm

_OPEN = "[ANSWER]"


def cut_cruxeval(
    response: str, direction: Direction, form: PublishedForm, model: Literal["open", "api"] = "open"
) -> str:
    """CRUXEval's generation (facebookresearch/cruxeval, inference/tasks; "api": openai/), ready for its scorer.

    Generation stops at [/ANSWER], so nothing from there on is seen. With a chain of thought what follows the first
    [ANSWER] is kept; where there is none, all ("open") or the last line ("api"). Then the piece between the first and
    the second `==` is an output; what precedes the first `==`, from `f` on where `assert f` occurs, an input.
    """
    text = response.split(STOP, 1)[0]
    if form == "cot":
        if _OPEN in text:
            text = text.split(_OPEN, 1)[1]
        elif model == "api":
            text = text.strip().rpartition("\n")[2]
    if "==" in text:
        text = text.split("==")[1 if direction == "output" else 0]
    if direction == "input" and "assert f" in text:
        text = "f" + text.split("assert f", 1)[1]
    return text.strip()


def cut_livecodebench(response: str, form: PublishedForm) -> str:
    """LiveCodeBench's output generation (lcb_runner, extraction_utils): without [ANSWER] tags but for a chain of
    thought, the piece between the first and the second `==`, up to [/ANSWER]; where that is missing, its first line.

    An endpoint that stops at [/ANSWER] and leaves it out makes every answer a first line: of a literal over several
    lines, which the published rule reads whole after its own stop text, only the first is then seen.
    """
    text = response
    if form == "cot" and _OPEN in text:
        text = text.split(_OPEN, 1)[1].strip()
    if "==" in text:
        text = text.split("==")[1].strip()
    text = text.split(STOP, 1)[0] if STOP in text else text.split("\n", 1)[0]
    return text.strip()


def cut_livecodebench_input(response: str, function_name: str, form: PublishedForm) -> str:
    """An input generation, which LiveCodeBench does not ask for: CRUXEval's rule with the function's own name."""
    text = response.split(STOP, 1)[0]
    if form == "cot" and _OPEN in text:
        text = text.split(_OPEN, 1)[1]
    text = text.split("==", 1)[0]
    if (found := f"assert {function_name}") in text:
        text = function_name + text.split(found, 1)[1]
    return text.strip()


def strict_answer(response: str, form: PublishedForm) -> str | None:
    """The text of the answer, blanks around it aside: all of a direct response, what follows the one [ANSWER] of a
    chain of thought, up to [/ANSWER]. None where it is empty, or [ANSWER] is missing or not alone: a text with two
    answers has none."""
    text = response.split(STOP, 1)[0]
    if text.count(_OPEN) != (form == "cot"):
        return None
    return text.rpartition(_OPEN)[2].strip() or None


def strict_output(answer: str, call: str) -> str | None:
    """The value in an answer to `assert call == ??`: the answer itself, or, where it is a whole assertion about that
    very call (with or without the word `assert`), what stands right of its `==`. None for a fence, prose, a second
    statement, an assertion about anything else."""
    node = _only_expression(answer)
    if node is None:
        return None
    if not isinstance(node, ast.Compare):
        return answer if not answer.startswith("assert") else None
    sides = _sides(node)
    return ast.unparse(sides[1]) if sides and _same(sides[0], call) else None


def strict_input(answer: str, function_name: str, output: str) -> str | None:
    """The call in an answer to `assert function(??) == output`: the call alone, or the left side of a whole assertion
    about that very output. None for anything else, so also for bare arguments, which the form does not ask for."""
    node = _only_expression(answer)
    if isinstance(node, ast.Compare):
        sides = _sides(node)
        node = sides[0] if sides and _same(sides[1], output) else None
    elif answer.startswith("assert"):
        return None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function_name:
        return ast.unparse(node)
    return None


def _only_expression(text: str) -> ast.expr | None:
    """The one expression that the text is, or that its one assert statement, without a message, tests."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    if len(body) != 1:
        return None
    if isinstance(body[0], ast.Assert):
        return body[0].test if body[0].msg is None else None
    return body[0].value if isinstance(body[0], ast.Expr) else None


def _sides(node: ast.Compare) -> tuple[ast.expr, ast.expr] | None:
    return (node.left, node.comparators[0]) if len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq) else None


def _same(node: ast.expr, text: str) -> bool:
    other = _only_expression(text)
    return other is not None and ast.dump(node) == ast.dump(other)
