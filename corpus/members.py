"""The members that synthesised programs are about: operators, methods and built-ins of each type.

A member is a piece of syntax with slots, and the shape of its value, so that a program that uses it can be known
not to raise. `$` is the receiver. Other slots: `<letter>`, `<word>`, `<small>` (1 to 4), `<index>` (0 to 2),
`<number>` (1 to 9) are literals; `<int>`, `<str>`, `<list>` … are expressions of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from corpus.shapes import BOOL, Shape, Unsafe, arithmetic, hull, number, text

ShapeRule = Callable[[Shape, Sequence[Shape]], Shape]


@dataclass(frozen=True)
class Member:
    """`kind` is the receiver's. A statement changes its receiver, whose new shape `rule` gives."""

    kind: str
    name: str
    template: str
    rule: ShapeRule
    is_statement: bool = False
    type_name: str = ""

    @property
    def is_atom(self) -> bool:
        """Whether the text needs no parentheses as an operand."""
        return self.template.endswith((")", "]")) and not self.template.startswith("$ ")


def same(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return receiver


def shrunk(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return receiver.sized(0, receiver.longest)


def grown(by: int) -> ShapeRule:
    return lambda receiver, others: receiver.sized(receiver.shortest, receiver.longest + by)


def cut(by: int) -> ShapeRule:
    return lambda receiver, others: receiver.sized(receiver.shortest - by, receiver.longest)


def joined(receiver: Shape, others: Sequence[Shape]) -> Shape:
    both = hull([receiver, others[0]])
    return both.sized(receiver.shortest + others[0].shortest, receiver.longest + others[0].longest)


def repeated(receiver: Shape, others: Sequence[Shape]) -> Shape:
    times = others[0]
    return receiver.sized(receiver.shortest * times.low, receiver.longest * times.high)


def item(receiver: Shape, others: Sequence[Shape]) -> Shape:
    if receiver.shortest < 3:
        raise Unsafe("an index past the end")
    return receiver.element


def any_item(receiver: Shape, others: Sequence[Shape]) -> Shape:
    if receiver.shortest < 1:
        raise Unsafe("an item of what may be empty")
    return receiver.element


def length(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return number(receiver.shortest, receiver.longest)


def up_to_length(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return number(0, receiver.longest)


def position(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return number(-1, receiver.longest)


def total(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return number(min(0, receiver.low * receiver.longest), max(0, receiver.high * receiver.longest))


def truth(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return BOOL


def as_list(receiver: Shape, others: Sequence[Shape]) -> Shape:
    kind = "words" if receiver.element.kind == "str" else "list"
    size = max(receiver.item, receiver.element.longest)
    return Shape(kind, receiver.low, receiver.high, receiver.shortest, receiver.longest, size)


def as_set(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return Shape("set", receiver.low, receiver.high, min(1, receiver.shortest), receiver.longest)


def as_tuple(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return Shape("tuple", receiver.low, receiver.high, receiver.shortest, receiver.longest)


def some_of_list(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return as_list(receiver, others).sized(0, receiver.longest)


def words(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return Shape("words", shortest=0, longest=(receiver.longest + 1) // 2, item=receiver.longest)


def scaled(factor: int) -> ShapeRule:
    """The list of its numbers times 0 to `factor`."""

    def rule(receiver: Shape, others: Sequence[Shape]) -> Shape:
        low, high = min(0, receiver.low * factor), max(0, receiver.high * factor)
        return Shape("list", low, high, receiver.shortest, receiver.longest)

    return rule


def widened(by: int, kind: str = "list") -> ShapeRule:
    return lambda receiver, others: Shape(
        kind, receiver.low - by, receiver.high + by, receiver.shortest, receiver.longest
    )


def operator(sign: str) -> ShapeRule:
    return lambda receiver, others: arithmetic(sign, receiver, others[0])


def between(low: int, high: int) -> ShapeRule:
    return lambda receiver, others: number(low, high)


def magnitude(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return number(0, max(abs(receiver.low), abs(receiver.high)))


def text_of(longest: int) -> ShapeRule:
    return lambda receiver, others: text(1, longest)


def united(receiver: Shape, others: Sequence[Shape]) -> Shape:
    both = hull([receiver, others[0]])
    return both.sized(max(receiver.shortest, others[0].shortest), receiver.longest + others[0].longest)


def with_item(receiver: Shape, others: Sequence[Shape]) -> Shape:
    """One element more, its value among the others' bounds."""
    bounds = [other for other in others if other.kind == "int"]
    low, high = min([receiver.low, *(b.low for b in bounds)]), max([receiver.high, *(b.high for b in bounds)])
    size = max([receiver.item, *(other.longest for other in others if other.kind == "str")])
    return Shape(receiver.kind, low, high, receiver.shortest, receiver.longest + 1, size)


def appended(receiver: Shape, others: Sequence[Shape]) -> Shape:
    longer = with_item(receiver, others)
    return longer.sized(receiver.shortest + 1, longer.longest)


def popped(receiver: Shape, others: Sequence[Shape]) -> Shape:
    if receiver.shortest < 1:
        raise Unsafe("pop from what may be empty")
    return receiver.sized(receiver.shortest - 1, receiver.longest - 1)


def emptied(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return receiver.sized(0, 0)


def value_or_number(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return number(min(0, receiver.low), max(9, receiver.high))


def fraction(receiver: Shape, others: Sequence[Shape]) -> Shape:
    bound = 10 * (1 + max(abs(receiver.low), abs(receiver.high)))
    return Shape("float", -bound, bound)


def whole(receiver: Shape, others: Sequence[Shape]) -> Shape:
    return number(receiver.low - 1, receiver.high + 1)
