"""REval's four questions in their published form, in our own words (Chen et al., arXiv 2403.16437; r-eval/REval).

An instruction, examples (two for coverage and output, three for state and path), then the question, all in the tags
[PYTHON], [QUESTION], [THOUGHT] and [ANSWER]; the prompt ends with an open tag. Departure: where the published listing
of a class leaves the first line of the test's set-up without its comment sign, ours has it.
"""

from __future__ import annotations

from evaluation.published_prompts import STOP, PublishedForm, PublishedPrompt, tagged
from evaluation.published_reval_examples import EXAMPLES
from evaluation.reval import Pair, Point, RevalRow
from evaluation.reval_listing import ShownTest, call_of, numbered, test_text, with_test

NEW_TOKENS: dict[str, int] = {"direct": 256, "cot": 1024}


def reval_prompt(
    row: RevalRow, pair: Pair, task: str, form: PublishedForm, point: Point | None = None
) -> PublishedPrompt:
    """`task` is coverage, state or path of `point`, or output of the whole pair."""
    program = _listing(row, pair, task)
    question = pair.output_prediction.strip() if point is None else _asked(row, pair, task, point)
    parts = [_INSTRUCTIONS[task], _THOUGHT if form == "cot" else _NO_THOUGHT]
    for example in EXAMPLES[task]:
        thought = [tagged("THOUGHT", example.thought)] if form == "cot" else []
        shown = [tagged("PYTHON", example.program), tagged("QUESTION", example.question)]
        parts.append("\n".join([*shown, *thought, tagged("ANSWER", example.answer)]))
    last = "ANSWER" if form == "direct" else "THOUGHT"
    # The listing keeps its first line's blanks: a line's text is what path answers with.
    parts.append(f"[PYTHON]\n{program}\n[/PYTHON]\n{tagged('QUESTION', question)}\n[{last}]\n")
    return PublishedPrompt("\n\n".join(parts), (STOP,), NEW_TOKENS[form])


def _listing(row: RevalRow, pair: Pair, task: str) -> str:
    if row.test is None:
        return numbered(row.source) if task == "path" else row.source.rstrip()
    text = test_text(row, pair)
    if task == "output":  # the question itself is the test's body
        return with_test(row.source, ShownTest(text.set_up, "")).rstrip()
    return with_test(row.source, text)


def _asked(row: RevalRow, pair: Pair, task: str, point: Point) -> str:
    line = row.source.split("\n")[point.line - 1]
    run = f"`{call_of(row, pair)}` is called" if row.test is None else "the test code above is run"
    if task == "coverage":
        return f"Is Line {point.line} ({line.strip()}) executed when {run}?"
    if task == "state":
        return (
            f"Is Line {point.line} ({line.strip()}) executed when {run}? If so, what are the value and the type of"
            f" `{point.variable}` after it is executed?"
        )
    return f"Which line is executed right after Line {point.line} ({line}) when {run}?"


_THOUGHT = (
    "Think first, between [THOUGHT] and [/THOUGHT], in at most 10 short steps and without spelling out every turn of a"
    " loop. Then give the answer between [ANSWER] and [/ANSWER]."
)
_NO_THOUGHT = "Give only the answer, between [ANSWER] and [/ANSWER], in the form of the examples."
_INSTRUCTIONS = {
    "coverage": (
        "Below are a Python program and a question on whether one of its lines is executed. Answer with YES or NO, and"
        " with nothing else."
    ),
    "state": (
        "Below are a Python program and a question about a variable after one of the program's lines. If the line is"
        " executed, answer with the variable's value and its type, as `value; type`; if there are several values,"
        " because the line is executed more than once, any one of them will do. If the line is not executed, answer"
        " Nil."
    ),
    "path": (
        "Below are a Python program and a question on which line comes next in its execution. If the line asked about"
        " is executed, answer with the source text of the line that is executed right after it, never with a line of"
        " the test; if there are several such lines, any one of them will do. If the line is not executed, or the"
        " program ends after it, answer -1."
    ),
    "output": (
        "Below are a Python program and assertions about it in which ?? stands for what is missing. Put a value in"
        " place of every ?? so that the assertions hold when they are executed, and answer with all the lines of the"
        " question, completed."
    ),
}
