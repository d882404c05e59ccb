"""Prompts: the decoupled tasks of StepCodeReasoner (arXiv 2605.11922, §3.2) and REval's questions, in two styles.

"compact" is for models made from scratch by this project: one tag names the task, nothing is explained, every
character is program, call or question. "instruct" is for chat models: short instructions in words, then the same.
A response starts right after the prompt's last character. Both styles ask for the same tags, so one parser and one
scorer serve both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Style = Literal["compact", "instruct"]
STYLES: tuple[str, ...] = get_args(Style)
TASKS = ("output", "input", "coverage", "state", "path")
QUESTION_TASKS = ("coverage", "state", "path")
CODE = "code"  # writing a program; its prompts are those of `evaluation.code_prompts`

# The blocks of a response; their order in one step is reasoning, then print (or input, or answer).
BLOCKS = ("reasoning", "print", "input", "answer")
# What a compact prompt opens with: the task in one token.
TASK_TAGS = {task: f"<task:{task}>" for task in (*TASKS, CODE)}
# Every tag of prompts and responses: a tokenizer made from scratch keeps each as one (not special) token.
TAGS: tuple[str, ...] = (
    *(tag for name in BLOCKS for tag in (f"<{name}>", f"</{name}>")),
    *TASK_TAGS.values(),
)
# What stands for the arguments to be found.
UNKNOWN = "??"


@dataclass(frozen=True)
class Prompt:
    """The text that a model continues, and what it asks for."""

    task: str
    style: str
    text: str


class LineQuestion(Protocol):
    """What a question prompt needs to know (`evaluation.questions.Question` has it)."""

    @property
    def task(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def line_text(self) -> str: ...
    @property
    def variable(self) -> str | None: ...


def output_prompt(source: str, call: str, style: str, *, anchored: bool = True) -> Prompt:
    """Predict what `call` returns. `anchored`: `source` has print anchors and each printed line is asked for too.

    Not anchored is the paper's comparison without anchors (its table 7): the original source, the answer alone.
    """
    task = "output"
    if _checked(style) == "compact":
        return Prompt(task, style, f"{TASK_TAGS[task]}\n{source.strip()}\n{call.strip()}\n")
    steps = _STEPS.format(of="the call") if anchored else ""
    text = (
        f"{_program(source)}\nWhat does this call return?\n```python\n{call.strip()}\n```\n"
        f"{_NO_DOUBT}{steps}"
        f"{'Last comes' if anchored else 'Give'} <reasoning>how the result follows</reasoning> and then"
        " <answer>the returned value</answer>. The answer is a plain Python literal: no call, no operator,"
        f" no name, nothing left to compute.{_EXAMPLE_OUTPUT if anchored else _EXAMPLE_OUTPUT_PLAIN}\n"
    )
    return Prompt(task, style, text)


def input_prompt(source: str, entry_point: str, result: str, style: str, *, anchored: bool = True) -> Prompt:
    """Find arguments with which `entry_point` returns `result` (a literal's text); then the run on them, in steps."""
    task = "input"
    asked = f"{entry_point}({UNKNOWN}) == {result.strip()}"
    if _checked(style) == "compact":
        return Prompt(task, style, f"{TASK_TAGS[task]}\n{source.strip()}\n{asked}\n")
    steps = _STEPS.format(of="the call with your arguments") if anchored else ""
    example = _EXAMPLE_INPUT if anchored else _EXAMPLE_INPUT_PLAIN
    text = (
        f"{_program(source)}\nWhich arguments in place of {UNKNOWN} make this true?\n```python\n{asked}\n```\n"
        f"{_NO_DOUBT}Begin with <reasoning>how you find them</reasoning> and then <input>the arguments</input>:"
        " plain Python literals separated by commas, as they stand between the parentheses of the call. Any"
        " arguments that give the result are right; give one choice and stay with it."
        f"\n{steps}Last comes <reasoning>why the result is the one asked for</reasoning> and then"
        f" <answer>the returned value</answer>, a plain Python literal.{example}\n"
    )
    return Prompt(task, style, text)


def question_prompt(
    source: str,
    call: str,
    question: LineQuestion,
    style: str,
    *,
    anchored: bool = False,
    of_test: bool = False,
    across_calls: bool = False,
) -> Prompt:
    """One of REval's questions about a line of `source` (r-eval/REval: coverage, state, path).

    `anchored`: `source` has print anchors, `question` means its lines, and each printed line is asked for too.
    `of_test`: `call` is no call but the lines of a test (of ClassEval). `across_calls`: the next line may be of another
    function call, as REval's published truth has it; else it is one of the same call.
    """
    task = question.task
    if task not in QUESTION_TASKS:
        raise ValueError(f"no question of task {task!r}; the questions are {', '.join(QUESTION_TASKS)}")
    line = question.line_text.strip()
    if _checked(style) == "compact":
        asked = f"{question.line}: {line}"
        if question.variable is not None:
            asked += f"\n{question.variable}"
        return Prompt(task, style, f"{TASK_TAGS[task]}\n{source.strip()}\n{call.strip()}\n{asked}\n")
    steps = _STEPS.format(of="the test" if of_test else "the call") if anchored else ""
    last = "Last comes" if anchored else "Begin with"
    key = "path_across_calls" if across_calls and task == "path" else task
    text = (
        f"{_program(source)}\nThis {'test is run' if of_test else 'call is evaluated'}:\n"
        f"```python\n{call.strip()}\n```\n"
        + _QUESTIONS[key].format(line=question.line, text=line, variable=question.variable)
        + (_PASSED_OVER if anchored and task == "path" else "")
        + f"\n{steps}{last} <reasoning>how you know</reasoning> and then <answer>the answer</answer>,"
        " nothing after it.\n"
    )
    return Prompt(task, style, text)


def assertions_prompt(source: str, set_up: str, asserted: str, style: str, *, anchored: bool) -> Prompt:
    """REval's output task of a class: lines of a test with `??` in them, to be completed. `set_up` runs before them."""
    task = "output"
    before = f"{set_up.strip()}\n" if set_up.strip() else ""
    if _checked(style) == "compact":
        return Prompt(task, style, f"{TASK_TAGS[task]}\n{source.strip()}\n{before}{asserted.strip()}\n")
    steps = _STEPS.format(of="the test") if anchored else ""
    prepared = f"\nThis prepares a test:\n```python\n{before}```" if before else ""
    text = (
        f"{_program(source)}{prepared}\nThese are the lines of the test; which value in place of each {UNKNOWN} makes"
        f" it pass?\n```python\n{asserted.strip()}\n```\n{_NO_DOUBT}{steps}"
        f"{'Last comes' if anchored else 'Give'} <reasoning>how the values follow</reasoning> and then"
        f" <answer>all lines of the test, with a plain Python literal in place of each {UNKNOWN} and nothing else"
        " changed</answer>.\n"
    )
    return Prompt(task, style, text)


def _checked(style: str) -> str:
    if style not in STYLES:
        raise ValueError(f"no prompt style {style!r}; the styles are {', '.join(STYLES)}")
    return style


def _program(source: str) -> str:
    return f"Here is a Python program.\n```python\n{source.strip()}\n```"


_NO_DOUBT = "Work it out from the program as it stands, even where it looks wrong. "

_STEPS = (
    "The program prints its state at some points. For each line printed while {of} runs, in the order of printing,"
    " write <reasoning>what leads to it</reasoning> and then <print>the line, exactly as printed</print>: as many"
    " <print> blocks as printed lines, no more. "
)

_EXAMPLE_OUTPUT = (
    "\nThe form, for a program that prints `total: 5` and returns `True`:\n"
    "<reasoning>2 + 3 is 5.</reasoning><print>total: 5</print>"
    "<reasoning>5 > 4.</reasoning><answer>True</answer>"
)
_EXAMPLE_OUTPUT_PLAIN = (
    "\nThe form, for a call that returns `True`:\n<reasoning>2 + 3 is 5, and 5 > 4.</reasoning><answer>True</answer>"
)
_EXAMPLE_INPUT = (
    "\nThe form, for a program that prints `total: 5` and is to return `True`:\n"
    "<reasoning>A total above 4 is needed.</reasoning><input>2, 3</input>"
    "<reasoning>2 + 3 is 5.</reasoning><print>total: 5</print>"
    "<reasoning>5 > 4.</reasoning><answer>True</answer>"
)
_EXAMPLE_INPUT_PLAIN = (
    "\nThe form, for a call that is to return `True`:\n"
    "<reasoning>A total above 4 is needed.</reasoning><input>2, 3</input>"
    "<reasoning>2 + 3 is 5, and 5 > 4.</reasoning><answer>True</answer>"
)

_PASSED_OVER = " Lines that only print the state are passed over: they are no answer."

_QUESTIONS = {
    "coverage": "Is line {line}, `{text}`, executed? Answer YES or NO.",
    "state": (
        "Is line {line}, `{text}`, executed, and if so, what is the value of the variable `{variable}` right after"
        " it? Answer with the value as a Python literal, a semicolon, and the name of its type, like `3; int`. If the"
        " line runs more than once, any one of the values is right. If it is not executed, answer Nil."
    ),
    "path": (
        "Which line of the same function call is executed right after line {line}, `{text}`? Answer with the text of"
        " that line, without its number. If it can be more than one, any one of them is right. If line {line} is not"
        " executed, or the function ends after it, answer -1."
    ),
    "path_across_calls": (
        "Which line of the program is executed right after line {line}, `{text}`, in whatever function? Answer with the"
        " text of that line, without its number. If it can be more than one, any one of them is right. If line {line}"
        " is not executed, or no line of the program is executed after it, answer -1."
    ),
}
