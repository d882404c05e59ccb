"""Control structures of the profile "general": strictly nested, bounded, filling one target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from corpus.expressions import Drawing, binary, name
from corpus.shapes import Shape, Unsafe, hull, number
from corpus.statements import Branch, Env, Line, Loop, Statement, assign

_START = {"int": "0", "str": "''", "list": "[]", "words": "[]", "dict": "{}"}
_LOOP_NAMES = {"str": ("ch", "letter", "c"), "int": ("value", "item", "x"), "range": ("i", "j", "k")}


class Nesting:
    """Writes the control structures of one function on top of a Drawing."""

    def __init__(self, drawing: Drawing, fresh: Callable[[str], str]) -> None:
        self.drawing = drawing
        self.rng = drawing.rng
        self.fresh = fresh

    def start(self, target: str, kind: str) -> Line:
        """The target's first value."""
        shape = Shape(kind, item=0) if kind == "words" else Shape(kind)
        return Line(f"{target} = {_START[kind]}", lambda env: env.update({target: shape}))

    def write(self, structures: tuple[str, ...], target: str) -> tuple[Statement, ...]:
        """The structures, outermost first; the innermost body changes the target."""
        if not structures:
            return (self._leaf(target),)
        kind, inner = structures[0], structures[1:]
        match kind:
            case "if":
                arms = [(f"if {self.drawing.condition().text}:", self.write(inner, target))]
                if self.rng.random() < 0.6:
                    arms.append(("else:", (self._leaf(target),)))
                return (Branch(tuple(arms)),)
            case "elif":
                return (self._chain(inner, target),)
            case "for":
                return (self._for(inner, target),)
            case _:
                return self._while(inner, target)

    def _chain(self, inner: tuple[str, ...], target: str) -> Branch:
        first, second = self.drawing.condition(), self.drawing.condition()
        if first.text == second.text:
            raise Unsafe("the same condition twice")
        # Not in the `else` arm: an `if` alone there would be one more `elif`, and no deeper.
        bodies = [self.write(inner, target), (self._leaf(target),)]
        self.rng.shuffle(bodies)
        headers = (f"if {first.text}:", f"elif {second.text}:", "else:")
        return Branch(tuple(zip(headers, (*bodies, (self._leaf(target),)), strict=True)))

    def _leaf(self, target: str) -> Line:
        """One change of the target."""
        rng, drawing = self.rng, self.drawing
        kind = drawing.env[target].kind
        match kind:
            case "int":
                value, sign = drawing.expression("int", without=[target]), rng.choice("++-")
                changed = binary(sign, name(target), value)
                if rng.random() < 0.2:
                    pick = rng.choice(("max", "min"))
                    return Line(
                        f"{target} = {pick}({target}, {value.text})",
                        lambda env: env.update({target: hull([env[target], value.shape(env)])}),
                    )
                return Line(f"{target} {sign}= {value.text}", assign(target, changed).effect)
            case "str":
                value = drawing.expression("str", without=[target])
                return Line(f"{target} += {value.text}", lambda env: _append_text(env, target, value.shape(env)))
            case "list" | "words":
                value = drawing.expression("int" if kind == "list" else "str", without=[target])
                return Line(f"{target}.append({value.text})", lambda env: _grow(env, target, value.shape(env), 1))
        key = drawing.expression("str", without=[target])
        if rng.random() < 0.6:
            return Line(
                f"{target}[{key.text}] = {target}.get({key.text}, 0) + 1",
                lambda env: _entry(env, target, key.shape(env), number(1, env[target].high + 1)),
            )
        value = drawing.expression("int", without=[target])
        return Line(
            f"{target}[{key.text}] = {value.text}",
            lambda env: _entry(env, target, key.shape(env), value.shape(env)),
        )

    # Loops

    def _for(self, inner: tuple[str, ...], target: str) -> Loop:
        drawing = self.drawing
        given = drawing.some_name(("str", "list", "tuple", "words", "dict", "set", "int"), without=[target])
        header, binds, most = self._header(given, drawing.env[given])
        body = self._inside(binds(drawing.env), inner, target)
        return Loop(header, body, most, binds)

    def _inside(self, bound: Env, inner: tuple[str, ...], target: str) -> tuple[Statement, ...]:
        """The body, drawn with the loop's names bound."""
        drawing = self.drawing
        outside, recent = dict(drawing.env), drawing.recent
        drawing.env.update(bound)
        drawing.recent = list(bound)
        body = self.write(inner, target)
        drawing.env, drawing.recent = outside, recent
        return body

    def _free(self, kind: str) -> str:
        free = [given for given in _LOOP_NAMES[kind] if given not in self.drawing.env]
        if not free:
            raise Unsafe("no name left for a loop")
        return free[0]

    def _header(self, given: str, shape: Shape) -> tuple[str, Callable[[Env], Env], int]:
        rng = self.rng
        index = self._free("range")
        if shape.kind == "int":
            if shape.low < 0 or shape.high > 12 or rng.random() < 0.3:
                times = rng.randint(2, 5)
                return f"for {index} in range({times}):", lambda env: {index: number(0, times - 1)}, times
            first, end = rng.choice(((0, given), (1, f"{given} + 1")))
            start = f"{first}, " if first else ""
            high = shape.high - 1 + first
            return f"for {index} in range({start}{end}):", lambda env: {index: number(first, high)}, shape.high
        if shape.kind == "dict":
            key, value = "key", self._free("int")
            if key in self.drawing.env:
                raise Unsafe("no name left for a loop")
            number_shape = number(shape.low, shape.high)
            return (
                f"for {key}, {value} in {given}.items():",
                lambda env: {key: shape.element, value: number_shape},
                shape.longest,
            )
        element = shape.element
        each = "word" if shape.kind == "words" else self._free(element.kind)
        if each in self.drawing.env:
            raise Unsafe("no name left for a loop")
        over = f"sorted({given})" if shape.kind == "set" else given
        if shape.kind != "set" and rng.random() < 0.3:
            high = max(0, shape.longest - 1)
            return (
                f"for {index}, {each} in enumerate({over}):",
                lambda env: {index: number(0, high), each: element},
                shape.longest,
            )
        return f"for {each} in {over}:", lambda env: {each: element}, shape.longest

    def _while(self, inner: tuple[str, ...], target: str) -> tuple[Statement, ...]:
        """A loop that uses up a copy of something: a number counted down, a text or a list shortened."""
        given = self.drawing.some_name(("int", "str", "list"), without=[target])
        shape = self.drawing.env[given]
        match shape.kind:
            case "int":
                return self._count_down(given, shape, inner, target)
            case "str":
                return self._shorten(given, shape, inner, target)
        left, value = self.fresh("queue"), self._free("int")
        shorter = shape.sized(0, shape.longest)
        end = self.rng.choice(("", "0"))
        inside = {left: shorter, value: shape.element}
        body = self._inside(inside, inner, target)
        taken = Line(f"{value} = {left}.pop({end})", lambda env: env.update(inside))
        start = Line(f"{left} = list({given})", _set(left, shape))
        return (start, Loop(f"while {left}:", (taken, *body), shape.longest))

    def _count_down(self, given: str, shape: Shape, inner: tuple[str, ...], target: str) -> tuple[Statement, ...]:
        if shape.low < 0 or shape.high > 60:
            raise Unsafe("a count that may be long")
        left = self.fresh("left")
        high = shape.high
        halved = self.rng.random() < 0.4
        by = self.rng.randint(2, 3)
        most = (5 if by == 2 else 4) + 1 if halved else high // by + 1
        step = f"{left} //= {by}" if halved else f"{left} -= {by}"
        end = Line(step, _set(left, number(0 if halved else 1 - by, high)))
        inside = {left: number(1, high)}
        body = self._inside(inside, inner, target)
        return (assign(left, name(given)), Loop(f"while {left} > 0:", (*body, end), most, lambda env: inside))

    def _shorten(self, given: str, shape: Shape, inner: tuple[str, ...], target: str) -> tuple[Statement, ...]:
        left = self.fresh("rest")
        least = self.rng.randint(0, 2)
        cut = self.rng.choice(("[1:]", "[:-1]", "[2:]"))
        end = Line(f"{left} = {left}{cut}", _set(left, shape.sized(0, shape.longest)))
        inside = {left: shape.sized(least + 1, shape.longest)}
        body = self._inside(inside, inner, target)
        header = f"while len({left}) > {least}:"
        return (assign(left, name(given)), Loop(header, (*body, end), shape.longest, lambda env: inside))


def _set(given: str, shape: Shape) -> Callable[[Env], None]:
    return lambda env: env.update({given: shape})


def _append_text(env: Env, target: str, more: Shape) -> None:
    old = env[target]
    env[target] = old.sized(old.shortest + more.shortest, old.longest + more.longest)


def _grow(env: Env, target: str, element: Shape, at_least: int) -> None:
    """One element or character more; `at_least` of them are certainly new."""
    old = env[target]
    if element.kind == "str":
        grown = replace(old, item=max(old.item, element.longest))
    else:
        low, high = min(old.low, element.low), max(old.high, element.high)
        grown = replace(old, low=low, high=high)
    env[target] = grown.sized(old.shortest + at_least, old.longest + 1)


def _entry(env: Env, target: str, key: Shape, value: Shape) -> None:
    """One entry more, or another value for a key."""
    _grow(env, target, key, 0)
    _grow(env, target, value, 0)
    env[target] = env[target].sized(env[target].shortest, env[target].longest - 1)
