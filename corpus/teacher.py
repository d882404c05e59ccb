"""The teacher: reason-then-print responses derived from traces, true by construction (arXiv 2605.11922, §3.2).

The paper asks a language model for the reasoning; here it is read from the line events: each statement since the
last anchor with its values put in and worked out step by step. What is printed and answered is the trace's.

    output   <reasoning>6 - 4 = 2; 2 - 9</reasoning><print>c: -7</print> … <reasoning>…</reasoning><answer>…</answer>
    input    <reasoning>the states from the last to the first</reasoning><input>6, 9</input> and then as for output
"""

from __future__ import annotations

from collections.abc import Sequence

from corpus.narration import Narrator
from corpus.walk import Entered, Walk
from execution.traces import State, Trace

TEACHER_VERSION = "1"
VERBOSITIES = ("compact", "full")
TASKS = ("output", "input")

# The layout of a response, here and nowhere else; `evaluation.responses` reads it back.
REASONING = "<reasoning>{}</reasoning>"
PRINT = "<print>{}</print>"
INPUT = "<input>{}</input>"
ANSWER = "<answer>{}</answer>"
_TAGS = tuple(bracket + name + ">" for name in ("reasoning", "print", "input", "answer") for bracket in ("<", "</"))
_ELISION = "..."


class TeacherError(ValueError):
    """No response can be derived from this trace; the message says why."""


def reasoning_response(trace: Trace, task: str, verbosity: str = "compact", max_reasoning_chars: int = 600) -> str:
    """The response to `task` ("output" or "input") on this trace.

    verbosity: "compact" has every intermediate value in as few tokens as possible, for models made from scratch;
    "full" is English. A reasoning block longer than `max_reasoning_chars` keeps its beginning and its end.
    Raises TeacherError where the trace has no literal result, its text holds a response tag, or the call's
    arguments are not known (input prediction). ValueError for an unknown task or verbosity.
    """
    if task not in TASKS or verbosity not in VERBOSITIES:
        raise ValueError(f"no task {task!r} or verbosity {verbosity!r}: {', '.join((*TASKS, *VERBOSITIES))}")
    if trace.result is None:
        raise TeacherError(f"program {trace.program.program_id} has no literal result to answer with")
    steps, last = _steps(trace, verbosity == "full")
    blocks: list[str] = []
    if task == "input":
        arguments = trace.program.arguments
        if arguments is None:
            raise TeacherError(f"the call {trace.program.call!r} is no plain call of a name")
        _check(arguments)
        backwards = _backwards(trace, verbosity == "full")
        blocks += [REASONING.format(_fitted(backwards, max_reasoning_chars)), INPUT.format(arguments)]
    for pieces, state in steps:
        _check(state.text)
        blocks += [REASONING.format(_fitted(pieces, max_reasoning_chars)), PRINT.format(state.text)]
    _check(trace.result)
    blocks += [REASONING.format(_fitted(last, max_reasoning_chars)), ANSWER.format(trace.result)]
    return "".join(blocks)


def _steps(trace: Trace, full: bool) -> tuple[list[tuple[list[str], State]], list[str]]:
    """For each state the pieces of reasoning that lead to it, and those that lead to the answer."""
    walk = Walk(trace)
    if not walk.aligned:  # states and line events cannot be put together: nothing is claimed between the states
        return [([], state) for state in trace.states], _ending([], trace, full)
    narrator = Narrator(walk, full)
    steps: list[tuple[list[str], State]] = []
    pieces: list[str] = []
    entry = False
    for item in walk.done:
        if isinstance(item, Entered):
            if entry or full:
                pieces.append(narrator.entered(item))
            entry = True
            continue
        pieces += narrator.done(item)
        for place, state in enumerate(item.states):
            if place and full:
                pieces.append(f"{state.name} is shown as well.")
            steps.append((pieces, state))
            pieces = []
    return steps, _ending(pieces, trace, full)


def _ending(pieces: list[str], trace: Trace, full: bool) -> list[str]:
    """The last reasoning; where nothing is left to do, the name that holds the answer."""
    if pieces:
        return pieces
    last = trace.states[-1] if trace.states else None
    if last is None:
        return []
    return [f"The result is the value of {last.name}." if full else last.name]


def _backwards(trace: Trace, full: bool) -> list[str]:
    """From the result back to the arguments: the states in reverse order."""
    texts = [state.text for state in reversed(trace.states)]
    if not full:
        return texts
    shown = [f"Before that {text}." if place else f"At the end {text}." for place, text in enumerate(texts)]
    return [f"The result is to be {trace.result}.", *shown, "These arguments lead there."]


def _fitted(pieces: Sequence[str], max_chars: int) -> str:
    """The pieces in one line; from the middle of a long sequence pieces are left out."""
    usable = [piece for piece in pieces if piece and not any(tag in piece for tag in _TAGS)]
    text = _joined(usable)
    if len(text) <= max_chars:
        return text
    head: list[str] = []
    tail: list[str] = []
    room = max_chars - len(_ELISION) - 4
    for place in range(len(usable)):
        piece = usable[place // 2] if place % 2 == 0 else usable[-1 - place // 2]
        room -= len(piece) + 2
        if room < 0:
            break
        (head if place % 2 == 0 else tail).append(piece)
    return _joined([*head, _ELISION, *reversed(tail)])


def _joined(pieces: Sequence[str]) -> str:
    text = ""
    for piece in pieces:
        if text:
            text += " " if text.endswith((":", ".")) else "; "
        text += piece
    return text


def _check(text: str) -> None:
    for tag in _TAGS:
        if tag in text:
            raise TeacherError(f"a value holds the tag {tag}, which a response cannot quote")
