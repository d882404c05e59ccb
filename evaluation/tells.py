"""Tells: what a row shows about whether its answer and its steps are about its program at all.

Three ways to be rewarded without following the execution: answering out of a handful of constants, writing the
program's text or the step before where a value is asked for, and writing steps that would fit any program. All are
measured on rows (see `evaluation.harness`), item by item, so that they can be averaged with intervals.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.scoring import state_matches
from execution.values import equal_literals, parse_literal

Row = Mapping[str, Any]
_PLACEHOLDER = re.compile(r"\{[^{}]+\}")  # of an anchor's f-string, with or without a conversion
_SIGNIFICANT_DIGITS = 6


@dataclass(frozen=True)
class Tells:
    """Of one response. None: nothing to tell it by.

    `echoed`: share of its steps that echo (see `is_echo`). `own` and `other`: over the steps whose true value differs
    from that of another program's trace at the same place, the share whose value is right for this program, and the
    share that would be right for the other.
    """

    echoed: float | None = None
    own: float | None = None
    other: float | None = None


def tells(rows: Sequence[Row], seed: int = 0) -> tuple[Tells, ...]:
    """One entry per row; the rows are those of one benchmark and task."""
    others = other_traces(rows, seed)
    return tuple(_tells(row, other) for row, other in zip(rows, others, strict=True))


def _tells(row: Row, other: Sequence[str] | None) -> Tells:
    said, true = row.get("states_predicted") or [], row.get("states_true") or []
    own, theirs = (None, None) if other is None else _fits(said, true, other)
    return Tells(echoed_share(said, true, row.get("prompt") or ""), own, theirs)


def folded(answer: str | None) -> str:
    """A text that is the same for answers that say the same: blanks, case, quotes, `1`, `1.0`, `True` and what is
    beyond six significant digits don't tell them apart. Coarser than the judge's equality, on purpose."""
    if answer is None:
        return ""
    text = " ".join(answer.split()).casefold()
    value, semicolon, kind = text.rpartition(";")  # "value; type" of a question about a state
    for part, rest in ((answer, ""), (value, f"; {kind.strip()}" if semicolon else "")):
        try:
            return _folded_value(parse_literal(part)) + rest
        except (ValueError, RecursionError, OverflowError):
            continue
    return text


def _folded_value(value: Any) -> str:
    if isinstance(value, bool | int | float):
        number = float(f"{value:.{_SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else int(value)
        return (
            str(int(number))
            if number == number and abs(number) != float("inf") and number == int(number)
            else f"{number}"
        )
    if isinstance(value, str):
        return repr(" ".join(value.split()).casefold())
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(_folded_value, value))})"
    if isinstance(value, set | frozenset):
        return f"set({', '.join(sorted(map(_folded_value, value)))})"
    if isinstance(value, dict):
        pairs = sorted(f"{_folded_value(key)}: {_folded_value(item)}" for key, item in value.items())
        return f"dict({', '.join(pairs)})"
    return repr(value)


def echoed_share(said: Sequence[str], true: Sequence[str], prompt: str) -> float | None:
    """The share of the predicted steps that echo, of those that have a true state; None without any."""
    places = range(min(len(said), len(true)))
    if not places:
        return None
    lines = frozenset(" ".join(line.split()) for line in prompt.splitlines())
    return sum(is_echo(place, said, true, lines) for place in places) / len(places)


def is_echo(place: int, said: Sequence[str], true: Sequence[str], lines: frozenset[str]) -> bool:
    """Whether a wrong step writes text that was there already where a value is asked for.

    The anchor's template (`x: {x}`, also within its f-string), the name as its own value (`x: x`), a line of the
    prompt, the right-hand side of the assignment that stands there (`x: a + 1`), or the very text of the step before
    although the truth has moved on. A right step is no echo, whatever it looks like.
    """
    if state_matches(said[place], true[place]):
        return False
    text = " ".join(said[place].split())
    name, value = true[place].partition(":")[0].strip(), value_of(text)
    if place and said[place].strip() == said[place - 1].strip() and true[place] != true[place - 1]:
        return True
    if not text:
        return False
    template = _PLACEHOLDER.fullmatch(value.rstrip("'\")")) is not None and name in value
    assigned = not _is_literal(value) and f"{name} = {value}" in lines
    return template or value == name or text in lines or assigned


def value_of(state: str) -> str:
    """The VALUE of `NAME: VALUE`; the whole text where there is no colon."""
    _, colon, value = state.partition(":")
    return (value if colon else state).strip()


def other_traces(rows: Sequence[Row], seed: int) -> list[Sequence[str] | None]:
    """For each row the true states of a row of another program with as many states: a derangement, set by `seed`.

    The rows with equally many states stand program by program in a shuffled order, and each takes the one that lies
    as far on as the largest program has rows. None where most such rows are of one program, its own.
    """
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row.get("states_true") and row.get("states_predicted"):
            alike[len(row["states_true"])].append(place)
    found: list[Sequence[str] | None] = [None] * len(rows)
    for size, places in alike.items():
        programs = sorted({rows[place]["cluster"] for place in places})
        random.Random(f"{seed}/{size}").shuffle(programs)
        rank = {program: position for position, program in enumerate(programs)}
        places.sort(key=lambda place: (rank[rows[place]["cluster"]], rows[place]["item_id"]))
        counts = [0] * len(programs)
        for place in places:
            counts[rank[rows[place]["cluster"]]] += 1
        for position, place in enumerate(places):
            other = rows[places[(position + max(counts)) % len(places)]]
            if other["cluster"] != rows[place]["cluster"]:
                found[place] = other["states_true"]
    return found


def _fits(said: Sequence[str], true: Sequence[str], other: Sequence[str]) -> tuple[float | None, float | None]:
    """Shares of right values by the own and by the other trace, names aside, where the two traces differ."""
    told = [place for place in range(len(true)) if not _same_value(true[place], other[place])]
    if not told:
        return None, None
    own, theirs = (
        sum(place < len(said) and _same_value(said[place], trace[place]) for place in told) / len(told)
        for trace in (true, other)
    )
    return own, theirs


def _same_value(state_a: str, state_b: str) -> bool:
    a, b = value_of(state_a), value_of(state_b)
    return a == b or equal_literals(a, b) is True


def _is_literal(text: str) -> bool:
    try:
        parse_literal(text)
    except ValueError:
        return False
    return True
