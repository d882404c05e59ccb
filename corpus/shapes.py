"""Shapes: what is known of a value before anything runs: its type, the range of its numbers, its length.

The synthesiser never executes what it writes. It follows shapes through a program instead, as an abstract
interpreter does, and drops a program that could divide by zero, index past an end or grow without measure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

ELEMENTS = {"list": "int", "tuple": "int", "set": "int", "words": "str", "dict": "str", "str": "str"}
ITEM_PRINTED = 2  # ", " between elements


class Unsafe(Exception):
    """The operation could raise, or its result could leave the limits; the program is drawn again."""


@dataclass(frozen=True)
class Shape:
    """A set of possible values.

    kind: int, float, bool, str, list and tuple and set (of int), words (list of str), dict (str to int).
    `low` and `high` bound the numbers in it (elements, or a dict's values), inclusive. `shortest` and `longest`
    bound its length; `item` bounds the length of a string inside `words` or of a dict's key.
    """

    kind: str
    low: int = 0
    high: int = 0
    shortest: int = 0
    longest: int = 0
    item: int = 1

    @property
    def is_sized(self) -> bool:
        return self.kind in ELEMENTS

    def sized(self, shortest: int, longest: int) -> Shape:
        return replace(self, shortest=max(0, shortest), longest=max(0, longest))

    def minus(self, other: Shape) -> tuple[int, ...]:
        """By how much each bound differs."""
        return tuple(one - two for one, two in zip(self._bounds, other._bounds, strict=True))

    def plus(self, growth: tuple[int, ...], times: int) -> Shape:
        """Each bound moved by `times` its growth."""
        return Shape(self.kind, *(bound + times * step for bound, step in zip(self._bounds, growth, strict=True)))

    @property
    def _bounds(self) -> tuple[int, ...]:
        return self.low, self.high, self.shortest, self.longest, self.item

    @property
    def element(self) -> Shape:
        """The shape of what iteration gives."""
        if self.kind == "str":
            return Shape("str", shortest=1, longest=1)
        if ELEMENTS[self.kind] == "str":
            return Shape("str", shortest=0 if self.kind == "words" else 1, longest=self.item)
        return Shape("int", self.low, self.high)

    @property
    def width(self) -> int:
        """An upper bound of the length of the value's text, in characters."""
        digits = max(len(str(self.low)), len(str(self.high)))
        match self.kind:
            case "int" | "bool":
                return max(digits, 5)
            case "float":
                return digits + 20
            case "str":
                return self.longest + 2
            case "words":
                return 2 + self.longest * (self.item + 2 + ITEM_PRINTED)
            case "dict":
                return 2 + self.longest * (self.item + 4 + digits + ITEM_PRINTED)
            case _:
                return 2 + self.longest * (digits + ITEM_PRINTED)


def number(low: int, high: int) -> Shape:
    return Shape("int", low, high)


def text(shortest: int, longest: int) -> Shape:
    return Shape("str", shortest=shortest, longest=longest)


BOOL = Shape("bool", 0, 1)


def hull(shapes: Iterable[Shape]) -> Shape:
    """The smallest shape that holds all of them; Unsafe where their types differ."""
    first, *others = shapes
    for other in others:
        if other.kind != first.kind:
            raise Unsafe(f"{first.kind} or {other.kind}")
        first = Shape(
            first.kind,
            min(first.low, other.low),
            max(first.high, other.high),
            min(first.shortest, other.shortest),
            max(first.longest, other.longest),
            max(first.item, other.item),
        )
    return first


def arithmetic(operator: str, left: Shape, right: Shape) -> Shape:
    """The shape of `left operator right` for two ints; division only by what is certainly positive."""
    if operator in ("//", "%") and right.low <= 0:
        raise Unsafe("division by what may be zero")
    match operator:
        case "+":
            return number(left.low + right.low, left.high + right.high)
        case "-":
            return number(left.low - right.high, left.high - right.low)
        case "*":
            corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
            return number(min(corners), max(corners))
        case "//":
            corners = [a // b for a in (left.low, left.high) for b in (right.low, right.high)]
            return number(min(corners), max(corners))
        case "%":
            return number(0, min(right.high - 1, left.high) if left.low >= 0 else right.high - 1)
    raise ValueError(f"no operator {operator!r}")
