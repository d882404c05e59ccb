"""Responses: a model's text cut into steps, input and answer, with the place of each and every fault by name.

Form (arXiv 2605.11922, §3.2), whitespace between blocks is free:
    output       (<reasoning>…</reasoning> <print>…</print>)*  <reasoning>…</reasoning> <answer>…</answer>
    input        <reasoning>…</reasoning> <input>…</input>  then as for output
    questions    <reasoning>…</reasoning> <answer>…</answer>, as for output where the steps are asked for too

The parser reads any text, once from left to right, and never raises. Where text departs from the form it takes the
reading that earns least: the first input and the first answer are the committed ones, what follows the answer is not
read, a block that is not closed is kept in its place and marked so that it never counts as right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from evaluation.prompts import BLOCKS

FAULTS = {
    "missing_answer": "there is no <answer> block",
    "missing_input": "input prediction without an <input> block",
    "unclosed_reasoning": "a <reasoning> block is not closed before the next block or the end",
    "unclosed_print": "a <print> block is not closed before another tag or the end",
    "unclosed_input": "the <input> block is not closed before another tag or the end",
    "unclosed_answer": "the <answer> block is not closed before another tag or the end",
    "duplicate_answer": "there is more than one <answer> block",
    "duplicate_input": "there is more than one <input> block",
    "surplus_input": "an <input> block where none is asked for",
    "surplus_print": "a <print> block in the answer to a question",
    "late_input": "the <input> block comes after a <print> block: no commitment before the steps",
    "stray_tag": "a closing tag that closes nothing",
    "text_outside_blocks": "text between blocks",
    "text_after_answer": "text after the answer",
}
# With one of these the response has no single answer (or input) to judge.
AMBIGUOUS = frozenset({"duplicate_answer", "duplicate_input", "late_input", "unclosed_answer", "unclosed_input"})

_TAG = re.compile("<(/?)(" + "|".join(BLOCKS) + ")>")


@dataclass(frozen=True)
class Span:
    """Characters start..end-1 of the response."""

    start: int
    end: int


@dataclass(frozen=True)
class Step:
    """One print block and the reasoning before it.

    `text` is what stands between the tags, untouched. `span` reaches from the end of the previous block (print or
    input; or the start of the response) to the end of `</print>`. `closed` is False where `</print>` is missing.
    """

    reasoning: str
    text: str
    span: Span
    closed: bool = True


@dataclass(frozen=True)
class Response:
    """A parsed response.

    `input_span` and `answer_span` reach, like a step's, from the end of the previous block to the end of the block's
    own closing tag; None where the block is missing. `reasoning` is the last, before the answer.
    """

    input: str | None
    input_span: Span | None
    steps: tuple[Step, ...]
    answer: str | None
    answer_span: Span | None
    faults: tuple[str, ...]
    reasoning: str = ""


@dataclass(frozen=True)
class _Block:
    name: str
    text: str
    end: int  # after the closing tag, or where the block was cut off
    closed: bool


def parse_response(text: str, task: str, *, stepwise: bool = False) -> Response:
    """Steps, input, answer and faults of a response to `task` (one of `prompts.TASKS`). Total, linear in the text.

    `stepwise`: the prompt asked for the printed lines before the answer, though the task is a question. They are no
    fault then.
    """
    faults: dict[str, None] = {}
    blocks = _blocks(text, faults)
    steps: list[Step] = []
    reasoning: list[str] = []
    committed: str | None = None
    answer: str | None = None
    input_span: Span | None = None
    answer_span: Span | None = None
    start = 0
    for position, block in enumerate(blocks):
        if block.name == "reasoning":
            reasoning.append(block.text.strip())
            continue
        if block.name == "answer":
            answer, answer_span = block.text, Span(start, block.end)
            _after_answer(text[block.end :], blocks[position + 1 :], faults)
            break
        if block.name == "print":
            steps.append(Step("\n".join(reasoning), block.text, Span(start, block.end), block.closed))
            if not stepwise and task not in ("output", "input"):
                faults["surplus_print"] = None
        elif task != "input":
            faults["surplus_input"] = None
        elif committed is not None:
            faults["duplicate_input"] = None
        else:
            committed, input_span = block.text, Span(start, block.end)
            if steps:
                faults["late_input"] = None
        reasoning = []
        start = block.end
    if answer is None:
        faults["missing_answer"] = None
    if task == "input" and committed is None:
        faults["missing_input"] = None
    return Response(committed, input_span, tuple(steps), answer, answer_span, tuple(faults), "\n".join(reasoning))


def _after_answer(rest: str, blocks: list[_Block], faults: dict[str, None]) -> None:
    if any(block.name == "answer" for block in blocks):
        faults["duplicate_answer"] = None
    if rest.strip():
        faults["text_after_answer"] = None


def _blocks(text: str, faults: dict[str, None]) -> list[_Block]:
    """All blocks in order. Blocks don't nest: any other tag ends an open one, which is then not closed."""
    found: list[_Block] = []
    name: str | None = None  # of the open block
    start = 0  # of the open block's text, or of the text outside blocks
    answered = False

    def cut(end: int) -> None:
        assert name is not None
        faults[f"unclosed_{name}"] = None
        found.append(_Block(name, text[start:end], end, closed=False))

    for tag in _TAG.finditer(text):
        closing, which = tag[1] == "/", tag[2]
        if name is None:
            if not answered and text[start : tag.start()].strip():
                faults["text_outside_blocks"] = None
        elif closing and which == name:
            found.append(_Block(name, text[start : tag.start()], tag.end(), closed=True))
            answered = answered or name == "answer"
            name, start = None, tag.end()
            continue
        else:
            cut(tag.start())
            answered = answered or name == "answer"
        if closing:
            faults["stray_tag"] = None
        name, start = (None, tag.end()) if closing else (which, tag.end())
    if name is not None:
        cut(len(text))
    elif not answered and text[start:].strip():
        faults["text_outside_blocks"] = None
    return found
