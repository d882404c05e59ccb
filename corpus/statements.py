"""Statements of a synthesised function: how they are written, and what they do to the shapes of the names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from corpus.shapes import Shape, Unsafe, hull

Env = dict[str, Shape]
INDENT = "    "


@dataclass(frozen=True)
class Limits:
    """What a value may grow to: absolute value of an int, length of a sized value."""

    number: int
    length: int

    def check(self, shape: Shape) -> Shape:
        if max(abs(shape.low), abs(shape.high)) > self.number or shape.longest > self.length:
            raise Unsafe(f"{shape} is over the limits")
        return shape


@dataclass(frozen=True)
class Expression:
    """Source text, and the shape of its value where the names have the shapes of an Env."""

    text: str
    shape: Callable[[Env], Shape]
    is_atom: bool = True

    @property
    def operand(self) -> str:
        """The text as an operand of another operator: in parentheses unless it is an atom."""
        return self.text if self.is_atom else f"({self.text})"


@dataclass(frozen=True)
class Line:
    """One simple statement. `effect` changes the Env in place; Unsafe where the statement could raise."""

    text: str
    effect: Callable[[Env], None] = lambda env: None


@dataclass(frozen=True)
class Branch:
    """if / elif / else: (header, body) in order; without an `else` arm all may be skipped."""

    arms: tuple[tuple[str, tuple[Statement, ...]], ...]

    @property
    def may_skip(self) -> bool:
        return self.arms[-1][0] != "else:"


@dataclass(frozen=True)
class Loop:
    """`for` or `while` that runs its body at most `most` times. `binds` gives the loop variables' shapes."""

    header: str
    body: tuple[Statement, ...]
    most: int
    binds: Callable[[Env], Env] = lambda env: {}


Statement = Line | Branch | Loop


def assign(name: str, value: Expression) -> Line:
    def effect(env: Env) -> None:
        env[name] = value.shape(env)

    return Line(f"{name} = {value.text}", effect)


def written(statements: Sequence[Statement], depth: int = 1) -> list[str]:
    """The statements' lines, indented."""
    lines: list[str] = []
    for statement in statements:
        match statement:
            case Line():
                lines.append(INDENT * depth + statement.text)
            case Branch():
                for header, body in statement.arms:
                    lines.append(INDENT * depth + header)
                    lines += written(body, depth + 1)
            case Loop():
                lines.append(INDENT * depth + statement.header)
                lines += written(statement.body, depth + 1)
    return lines


def follow(statements: Sequence[Statement], env: Env, limits: Limits) -> None:
    """Take `env` through the statements; Unsafe where something could raise or leave the limits."""
    for statement in statements:
        match statement:
            case Line():
                statement.effect(env)
                for shape in env.values():
                    limits.check(shape)
            case Branch():
                ends = [] if not statement.may_skip else [dict(env)]
                for _, body in statement.arms:
                    end = dict(env)
                    follow(body, end, limits)
                    ends.append(end)
                _join(env, ends)
            case Loop():
                _around(statement, env, limits)


def _around(loop: Loop, env: Env, limits: Limits) -> None:
    """What holds after 0 to `most` rounds. Steady growth (the same in two rounds) is carried on to the last round."""
    growth: dict[str, tuple[int, ...]] = {}
    for done in range(loop.most):
        known = dict(env)
        inside = {**env, **loop.binds(env)}
        follow(loop.body, inside, limits)
        # What the body alone binds is unknown after zero rounds.
        _join(env, [known, {name: inside[name] for name in known if name in inside}])
        if env == known:
            return
        last, growth = growth, {name: shape.minus(known[name]) for name, shape in env.items()}
        if growth == last:
            left = loop.most - done - 1
            env.update({name: limits.check(shape.plus(growth[name], left)) for name, shape in env.items()})
            return


def _join(env: Env, ends: list[Env]) -> None:
    common = set.intersection(*map(set, ends))
    joined = {name: hull(end[name] for end in ends) for name in sorted(common)}
    env.clear()
    env.update(joined)
