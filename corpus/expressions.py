"""Draws typed expressions over the names that are bound, from the table of members."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from corpus.arguments import WORDS
from corpus.member_table import MEMBERS
from corpus.members import Member
from corpus.shapes import Shape, Unsafe, arithmetic, number, text
from corpus.statements import Env, Expression, Line

_SLOT = re.compile(r"<([a-z]+)>")
_TRIES = 12
_CHARACTERS = "aeiou"
_RANGES = {"small": (1, 4), "index": (0, 2), "number": (1, 9), "width": (4, 12), "times": (2, 3)}


def name(given: str) -> Expression:
    def shape(env: Env) -> Shape:
        if given not in env:
            raise Unsafe(f"{given} may not be bound")
        return env[given]

    return Expression(given, shape)


def binary(operator: str, left: Expression, right: Expression) -> Expression:
    return Expression(
        f"{left.operand} {operator} {right.operand}",
        lambda env: arithmetic(operator, left.shape(env), right.shape(env)),
        is_atom=False,
    )


def constant(value: int) -> Expression:
    return Expression(str(value), lambda env: number(value, value))


def quoted(value: str) -> Expression:
    return Expression(repr(value), lambda env: text(len(value), len(value)))


class Drawing:
    """Draws expressions from `env`, the names bound so far; `recent` names are drawn more often."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.env: Env = {}
        self.recent: list[str] = []

    def names(self, kind: str, without: Sequence[str] = ()) -> list[str]:
        return [given for given, shape in self.env.items() if shape.kind == kind and given not in without]

    def some_name(self, kinds: Sequence[str], without: Sequence[str] = ()) -> str:
        """A bound name of one of the kinds; Unsafe where there is none."""
        found = [given for kind in kinds for given in self.names(kind, without)]
        recent = [given for given in self.recent if given in found]
        if recent and self.rng.random() < 0.6:
            return self.rng.choice(recent)
        if not found:
            raise Unsafe(f"no name of kind {kinds}")
        return self.rng.choice(found)

    def apply(self, member: Member, receiver: Expression) -> Expression:
        """The member with its slots filled."""
        filled, others = self._fill(member, receiver)

        def shape(env: Env) -> Shape:
            return member.rule(receiver.shape(env), [other.shape(env) for other in others])

        return Expression(filled, shape, member.is_atom)

    def change(self, member: Member, receiver: str) -> Line:
        """The statement that changes the object of a name."""
        filled, others = self._fill(member, name(receiver))

        def effect(env: Env) -> None:
            env[receiver] = member.rule(env[receiver], [other.shape(env) for other in others])

        return Line(filled, effect)

    def _fill(self, member: Member, receiver: Expression) -> tuple[str, list[Expression]]:
        others: list[Expression] = []

        def fill(slot: re.Match[str]) -> str:
            others.append(self._slot(slot[1], member, receiver))
            return others[-1].operand

        filled = _SLOT.sub(fill, member.template)
        return filled.replace("$", receiver.operand), others

    def _slot(self, slot: str, member: Member, receiver: Expression) -> Expression:
        rng = self.rng
        if slot in _RANGES:
            return constant(rng.randint(*_RANGES[slot]))
        match slot:
            case "letter":
                return quoted(rng.choice("aeinorst _-,"))
            case "word":
                return quoted(rng.choice([word for word in WORDS if len(word) <= 5]))
            case "int":
                names = self.names("int", without=[receiver.text])
                return name(rng.choice(names)) if names and rng.random() < 0.6 else constant(rng.randint(1, 9))
            case "bool":
                names = self.names("bool", without=[receiver.text])
                return name(rng.choice(names)) if names else self.condition()
        names = self.names(member.kind, without=[receiver.text])
        return name(rng.choice(names)) if names else self._literal(member.kind)

    def _literal(self, kind: str) -> Expression:
        """A short literal of a kind, for the other side of an operator."""
        rng = self.rng
        values = rng.sample(range(10), 2)
        shape = Shape(kind, min(values), max(values), 2, 2, 5)
        match kind:
            case "list":
                return Expression(repr(values), lambda env: shape)
            case "tuple":
                return Expression(repr(tuple(values)), lambda env: shape)
            case "set":
                return Expression(repr(set(values)), lambda env: shape)
            case "dict":
                keys = rng.sample([word for word in WORDS if len(word) <= 5], 2)
                return Expression(repr(dict(zip(keys, values, strict=True))), lambda env: shape)
        raise Unsafe(f"no literal of kind {kind}")

    def expression(self, kind: str, without: Sequence[str] = ()) -> Expression:
        """An expression of a kind: a name, a member of a name, or a constant."""
        rng = self.rng
        names = self.names(kind, without)
        if names and rng.random() < 0.35:
            return name(self.some_name([kind], without))
        for _ in range(_TRIES):
            receiver = self.some_name(list(MEMBERS), without)
            found = self.apply(self.expression_member(self.env[receiver].kind), name(receiver))
            if self._kind(found) == kind and not any(word in without for word in re.findall(r"\w+", found.text)):
                return found
        if names:
            return name(rng.choice(names))
        if kind == "int":
            return constant(rng.randint(1, 9))
        if kind == "str":
            return quoted(rng.choice(_CHARACTERS))
        raise Unsafe(f"no expression of kind {kind}")

    def expression_member(self, kind: str) -> Member:
        """A member of a kind that is an expression."""
        return self.rng.choice([member for member in MEMBERS[kind] if not member.is_statement])

    def _kind(self, found: Expression) -> str:
        try:
            return found.shape(self.env).kind
        except Unsafe:
            return ""

    def condition(self) -> Expression:
        """A condition on a name, the recent ones first."""
        rng = self.rng
        given = self.some_name(("int", "str", "list", "tuple", "words", "dict", "set", "bool"))
        kind = self.env[given].kind
        match kind:
            case "bool":
                return Expression(given if rng.random() < 0.6 else f"not {given}", lambda env: env[given], False)
            case "int":
                return self._comparison(given)
            case "str" if self.env[given].longest == 1:
                test = rng.choice(
                    (f"{given} in 'aeiou'", f"{given}.isupper()", f"{given}.isalpha()", f"{given}.isdigit()")
                )
                return Expression(test, lambda env: Shape("bool", 0, 1), False)
        sign, bound = rng.choice("<>"), rng.randint(2, 5)
        return Expression(f"len({given}) {sign} {bound}", lambda env: Shape("bool", 0, 1), False)

    def _comparison(self, given: str) -> Expression:
        rng = self.rng
        shape = self.env[given]
        others = self.names("int", without=[given])
        if rng.random() < 0.35:
            test = f"{given} % {rng.randint(2, 4)} == {rng.randint(0, 1)}"
        elif others and rng.random() < 0.3:
            test = f"{given} {rng.choice(('<', '>', '<=', '>='))} {rng.choice(others)}"
        else:
            low, high = max(-20, shape.low), min(40, shape.high)
            test = f"{given} {rng.choice(('<', '>', '<=', '>=', '=='))} {rng.randint(min(low, high), high)}"
        return Expression(test, lambda env: Shape("bool", 0, 1), False)
