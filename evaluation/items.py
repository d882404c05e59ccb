"""Items: one thing to ask a model, whatever benchmark it comes from, and how its answer is judged.

An item carries its own judge. Every judge gives the strict verdict; where the benchmark has a published scorer, the
official verdict too, on the same answer; where steps were asked for, a verdict on each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from evaluation.jails import Jails
from evaluation.scorers.judgement import Judgement

# How an item is asked: with print anchors, each printed line asked for ("steps"); the same words without anchors
# ("plain", the comparison of arXiv 2605.11922, table 7); in the benchmark's published form, answer alone ("direct") or
# after a chain of thought ("cot").
Form = Literal["steps", "plain", "direct", "cot"]
FORMS: tuple[str, ...] = get_args(Form)


@dataclass(frozen=True)
class Judged:
    """What one response is worth.

    `strict` is what we stand by, `official` the published scorer's verdict (None: there is none for this item).
    `frame_aware` judges REval's state and path by the frame's own events where the published truth mixes frames.
    `answer` is what was cut out of the response, None where nothing usable was. `step_correct` has one value per true
    state, in the order of execution, None where it could not be judged; empty where no steps were asked for. For the
    task "code" it has one per unit test.
    """

    strict: Judgement
    official: Judgement | None = None
    frame_aware: Judgement | None = None
    answer: str | None = None
    step_correct: tuple[bool | None, ...] = ()
    true_states: tuple[str, ...] = ()
    predicted_states: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


Judge = Callable[[str, Jails], Judged]


@dataclass(frozen=True)
class Item:
    """`cluster` names the program: items of one program are not independent. `expected` lists every accepted answer
    in words (empty where they can't be listed): constant baselines are counted from it. `covered`: the line asked
    about is executed (None for other questions). `left_out` is why it can't be asked, mostly "". `stop` ends a
    generation. `max_new_tokens` is the published limit; None leaves it to the evaluation's setting. `pair` joins the
    items that are about the same input of the same program (REval's consistency).
    """

    item_id: str
    cluster: str
    benchmark: str
    task: str
    form: Form
    prompt: str
    judge: Judge | None
    expected: tuple[str, ...] = ()
    covered: bool | None = None
    left_out: str = ""
    stop: tuple[str, ...] = ()
    max_new_tokens: int | None = None
    pair: str = ""
