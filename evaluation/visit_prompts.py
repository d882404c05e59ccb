"""Prompts of the questions about one execution of a line: ExecVerify's next statement, and a variable's value and type.

Source: ExecVerify (arXiv 2603.11226), its two white-box questions. A line that runs often is asked about by the number
of the execution, so that one answer is right.
"""

from __future__ import annotations

from evaluation.prompts import STYLES, Prompt
from evaluation.questions import Question

_ORDINALS = {1: "first", 2: "second", 3: "third"}


def visit_prompt(source: str, call: str, question: Question, style: str) -> Prompt:
    """A question of `questions.VISIT_TASKS` on the original source. ValueError for a style that does not exist."""
    if style not in STYLES:
        raise ValueError(f"no prompt style {style!r}; the styles are {', '.join(STYLES)}")
    line, visit = question.line_text.strip(), question.visit or 1
    if style == "compact":
        asked = f"{question.line}: {line}\n#{visit}"
        if question.variable is not None:
            asked += f" {question.variable}"
        return Prompt(question.task, style, f"<task:{question.task}>\n{source.strip()}\n{call.strip()}\n{asked}\n")
    text = (
        f"Here is a Python program.\n```python\n{source.strip()}\n```\nThis call is evaluated:\n```python\n"
        f"{call.strip()}\n```\nThink of the {ordinal(visit)} time that line {question.line}, `{line}`, is executed,"
        " counted over all calls of its function. " + _ASKED[question.task].format(variable=question.variable) + "\n"
        "Begin with <reasoning>how you know</reasoning> and then <answer>the answer</answer>, nothing after it.\n"
    )
    return Prompt(question.task, style, text)


def ordinal(number: int) -> str:
    """1 as first, 4 as 4th, 21 as 21st."""
    if number in _ORDINALS:
        return _ORDINALS[number]
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


_ASKED = {
    "next_statement": (
        "Which statement of the same function call is executed right after it? Answer with the text of its first"
        " line, without its number; with -1 if the function ends there or the line is not executed."
    ),
    "variable": (
        "What is the value of the variable `{variable}` right after it? Answer with the value as a Python literal, a"
        " semicolon, and the name of its type, like `3; int`. If the line is not executed, answer Nil."
    ),
}
