"""The profile "tiny": programs for a model of under a million parameters that is trained from nothing in minutes.

Digits in, small numbers out, single letters for names, one operation per line wherever the level allows it,
always `f` (and `g` for the helper). The same ladder of levels as the profile "general".
"""

from __future__ import annotations

import random
import re

from corpus.expressions import binary, constant, name
from corpus.ladder import LADDER, Sketch, draw_structures
from corpus.shapes import Shape, Unsafe, hull, number, text
from corpus.statements import Branch, Env, Expression, Limits, Line, Loop, Statement, assign, follow, written

LIMITS = Limits(number=99, length=8)
PARAMETERS = ("x", "y")
LOCALS = ("a", "b", "c")
COUNTERS = ("i", "j", "k")
DIGIT = number(0, 9)
OPERATORS = ("+", "+", "+", "-", "-", "-", "*", "*", "//", "%")
COMPARISONS = ("<", ">", "<=", ">=", "==", "!=")
SEQUENCE_SHARE = 0.25
RETURNED_NAME_SHARE = 0.7


class Tiny:
    """Draws one function; every method adds to what `names` holds as bound."""

    def __init__(self, rng: random.Random, level: int) -> None:
        self.rng = rng
        self.level = LADDER[level]
        self.is_nested = level == 1
        self.member = ""
        self.latest = ""
        self.unread: set[str] = set()
        self.env: Env = {}
        self.body: list[Statement] = []
        self.kind = "int"

    def sketch(self) -> Sketch:
        """One function of the level; Unsafe where it could raise or its numbers could leave -99..99."""
        rng = self.rng
        helper = self._write_helper() if self.level.helper else []
        with_sequence = self.level.other_members and self.level.depth == 0 and rng.random() < SEQUENCE_SHARE
        parameters = self._parameters(with_sequence)
        self.env = dict(parameters)
        structures = draw_structures(rng, self.level.depth)
        if with_sequence:
            self._sequence_statements()
        else:
            self._number_statements(structures)
        lines = [*helper, f"def f({', '.join(parameters)}):", *written(self.body)]
        return Sketch("\n".join(lines) + "\n", parameters, self.kind, self.member, structures)

    def _parameters(self, with_sequence: bool) -> dict[str, Shape]:
        rng = self.rng
        if not with_sequence:
            count = 2 if rng.random() < 0.75 else 1
            return dict.fromkeys(PARAMETERS[:count], DIGIT)
        self.kind = rng.choice(("str", "list"))
        if self.kind == "str":
            return {"s": text(2, 4)} | ({"x": DIGIT} if rng.random() < 0.3 else {})
        if rng.random() < 0.5:
            return {"t": Shape("list", 0, 9, 2, 4)} | ({"x": DIGIT} if rng.random() < 0.5 else {})
        return dict.fromkeys(PARAMETERS, DIGIT)

    # Numbers

    def _number_statements(self, structures: tuple[str, ...]) -> None:
        rng = self.rng
        others = self.level.other_members
        locals_ = rng.sample(LOCALS, 2)
        if not structures:
            count = rng.choice((1, 2, 2, 3))
            returns_name = count > 1 and rng.random() < RETURNED_NAME_SHARE
            marked = rng.randrange(count + (not returns_name))
            for place in range(count):
                self.latest = rng.choice(locals_)
                self._set(self.latest, self._value(place == marked))
            self._return(name(self.latest) if returns_name else self._value(marked == count))
            return
        target = locals_[0]
        if self.level.helper:
            self._add(assign(target, self._call()))
        else:
            self._add(assign(target, self._value(others and rng.random() < 0.4)))
        self._add(*self._nest(structures, target, 0))
        self._return(name(target) if rng.random() < RETURNED_NAME_SHARE else self._operation(target))

    def _value(self, is_marked: bool) -> Expression:
        """One operation; where the level asks for it nested operations (1) or another member (2 and up)."""
        if not is_marked:
            return self._operation()
        return self._nested() if self.is_nested else self._member()

    def _names(self) -> list[str]:
        return [name for name, shape in self.env.items() if shape.kind == "int"]

    def _some_name(self) -> Expression:
        """A bound name, the one assigned last more often, so that statements build on one another."""
        if self.latest in self.env and self.rng.random() < 0.5:
            return name(self.latest)
        return name(self.rng.choice(self._names()))

    def _constant(self, low: int = 1, high: int = 9) -> Expression:
        return constant(self.rng.randint(low, high))

    def _operation(self, left_name: str | None = None) -> Expression:
        rng = self.rng
        left = name(left_name) if left_name else self._some_name()
        operator = rng.choice(OPERATORS)
        right: Expression
        if operator in ("//", "%"):
            right = self._constant(2, 5)
        elif rng.random() < 0.5:
            right = self._constant()
        else:
            right = self._some_name()
            if right.text == left.text and operator != "+":
                right = self._constant()
        self.member = self.member or operator
        return binary(operator, left, right)

    def _nested(self) -> Expression:
        """An operator inside the same operator's operand (level 1: nested calls of the tested member)."""
        rng = self.rng
        inner = self._operation()
        right = self._constant() if rng.random() < 0.5 else self._some_name()
        operator = inner.text.split(" ")[1]
        if operator == "%":
            if inner.text.endswith("2"):
                raise Unsafe("a remainder of a remainder that changes nothing")
            right = self._constant(2, int(inner.text[-1]) - 1)
        elif operator == "//" or right.text in inner.text.split(" "):
            right = self._constant(2, 5)
        self.member = operator
        return binary(operator, inner, right)

    def _member(self) -> Expression:
        rng = self.rng
        left, right = self._some_name(), self._some_name()
        if left.text == right.text or rng.random() < 0.3:
            right = self._constant()
        self.member = rng.choice(("min", "max", "abs"))
        if self.member == "abs":
            difference = binary("-", left, right)
            return Expression(f"abs({difference.text})", lambda env: _absolute(difference.shape(env)))
        pick = min if self.member == "min" else max

        def shape(env: Env) -> Shape:
            one, two = left.shape(env), right.shape(env)
            return number(pick(one.low, two.low), pick(one.high, two.high))

        return Expression(f"{self.member}({left.text}, {right.text})", shape)

    # Control structures

    def _condition(self, target: str) -> str:
        rng = self.rng
        left = target if rng.random() < 0.6 else self._some_name().text
        if rng.random() < 0.25:
            return f"{left} % {rng.choice((2, 3))} == {rng.choice((0, 1))}"
        names = [name for name in self._names() if name != left]
        right = rng.choice(names) if names and rng.random() < 0.3 else str(rng.randint(1, 9))
        return f"{left} {rng.choice(COMPARISONS[:4] if rng.random() < 0.8 else COMPARISONS)} {right}"

    def _change(self, target: str) -> Line:
        """An assignment that updates `target` by one operation."""
        rng = self.rng
        counters = [name for name in self._names() if name in COUNTERS]
        if rng.random() < 0.5:
            operator = rng.choice(("+", "+", "-"))
            right = name(rng.choice(counters)) if counters and rng.random() < 0.6 else self._constant()
            if not counters and rng.random() < 0.4:
                right = self._some_name()
            value = binary(operator, name(target), right)
            return Line(f"{target} {operator}= {right.text}", assign(target, value).effect)
        return assign(target, self._operation(target))

    def _nest(self, structures: tuple[str, ...], target: str, depth: int) -> tuple[Statement, ...]:
        rng = self.rng
        if not structures:
            return (self._change(target),)
        kind, inner = structures[0], structures[1:]
        match kind:
            case "if":
                arms = [(f"if {self._condition(target)}:", self._nest(inner, target, depth))]
                if rng.random() < 0.6:
                    arms.append(("else:", (self._change(target),)))
                return (Branch(tuple(arms)),)
            case "elif":
                conditions = [self._condition(target), self._condition(target)]
                if conditions[0] == conditions[1]:
                    raise Unsafe("the same condition twice")
                first = (f"if {conditions[0]}:", self._nest(inner, target, depth))
                second = (f"elif {conditions[1]}:", (self._change(target),))
                return (Branch((first, second, ("else:", (self._change(target),)))),)
            case "for":
                return (self._for(inner, target, depth),)
            case _:
                return self._while(inner, target, depth)

    def _for(self, inner: tuple[str, ...], target: str, depth: int) -> Loop:
        counter = COUNTERS[depth]
        times = self.rng.choice((2, 3, 3, 4) if depth == 0 else (2, 3))
        shape = number(0, times - 1)
        self.env[counter] = shape
        body = self._nest(inner, target, depth + 1)
        del self.env[counter]
        return Loop(f"for {counter} in range({times}):", body, times, lambda env: {counter: shape})

    def _while(self, inner: tuple[str, ...], target: str, depth: int) -> tuple[Statement, ...]:
        """Walks the target itself to a bound, counts a parameter down, or counts a name of its own down."""
        rng = self.rng
        if not inner and depth == 0 and rng.random() < 0.5:
            return (self._walk(target),)
        if depth == 0 and rng.random() < 0.5:
            counter, step = rng.choice([name for name in PARAMETERS if name in self.env]), rng.randint(2, 4)
            starts, times = [], -(-9 // step)
        else:
            counter, step, times = COUNTERS[depth], 1, rng.randint(2, 3)
            starts = [assign(counter, Expression(str(times), lambda env: number(times, times)))]
        outside = dict(self.env)
        high = outside[counter].high if counter in outside else times
        self.env[counter] = number(1, high)
        body = self._nest(inner, target, depth + 1)
        self.env = outside
        down = Line(f"{counter} -= {step}", lambda env: env.update({counter: number(1 - step, high)}))
        loop = Loop(f"while {counter} > 0:", (*body, down), times)
        return (*starts, loop)

    def _walk(self, target: str) -> Loop:
        rng = self.rng
        step, bound = rng.randint(2, 5), rng.randint(5, 20)
        shape = self.env[target]
        rises = rng.random() < 0.5
        distance = bound - shape.low if rises else shape.high - bound
        if not 1 <= -(-distance // step) <= 8:
            raise Unsafe("a loop of no or too many rounds")
        end = number(shape.low, bound + step) if rises else number(bound - step, shape.high)
        line = Line(
            f"{target} {'+' if rises else '-'}= {step}",
            lambda env: env.update({target: hull([env[target], end])}),
        )
        return Loop(f"while {target} {'<' if rises else '>'} {bound}:", (line,), 1)

    # Helper

    def _write_helper(self) -> list[str]:
        """`g(n)` or `g(n, m)`: one operation, sometimes guarded by a condition."""
        rng = self.rng
        self.helper_parameters = ("n", "m")[: rng.choice((1, 1, 2))]
        self.env = dict.fromkeys(self.helper_parameters, number(0, 9))
        value = self._operation("n")
        self.helper_value = value
        head = f"def g({', '.join(self.helper_parameters)}):"
        return [head, f"    return {value.text}", ""]

    def _call(self) -> Expression:
        """A call of the helper with names or constants that are small enough for it."""
        names = [name for name in self._names() if self.env[name].low >= 0 and self.env[name].high <= 9]
        arguments = [name(self.rng.choice(names or ["x"])) for _ in self.helper_parameters]
        if len(arguments) == 2 and arguments[0].text == arguments[1].text:
            arguments[1] = self._constant()

        def shape(env: Env) -> Shape:
            bound = dict(zip(self.helper_parameters, (given.shape(env) for given in arguments), strict=True))
            return self.helper_value.shape(bound)

        return Expression(f"g({', '.join(given.text for given in arguments)})", shape)

    # Sequences: short strings and lists of digits

    def _sequence_statements(self) -> None:
        if self.kind == "str":
            self._string_statements()
        else:
            self._list_statements()

    def _string_statements(self) -> None:
        rng = self.rng
        name = rng.choice(LOCALS)
        letter, other = rng.choice("abcd"), rng.choice("efgh")
        first = rng.choice(("s.upper()", f"s.replace('{letter}', '{other}')", f"s + '{other}'", "s[::-1]", "s * 2"))
        self.member = rng.choice(("upper", "replace", "+", "len", "[]", "count"))
        second = {
            "upper": f"{name}.upper()",
            "replace": f"{name}.replace('{letter}', '{other}')",
            "+": f"{name} + s",
            "len": f"len({name})",
            "[]": f"{name}[{rng.choice((0, 1, -1))}]",
            "count": f"{name}.count('{letter}')",
        }[self.member]
        self._add(Line(f"{name} = {first}"))
        if self.member in ("len", "count") and "x" in self.env:
            second = f"{second} + x"
        self._add(Line(f"return {second}"))

    def _list_statements(self) -> None:
        rng = self.rng
        if "t" not in self.env:
            third = rng.choice((f"x + {rng.randint(1, 9)}", f"y + {rng.randint(1, 9)}", str(rng.randint(0, 9))))
            self._add(Line(f"t = [{rng.choice(('x, y', 'y, x'))}, {third}]"))
        value = "x" if "x" in self.env and rng.random() < 0.6 else str(rng.randint(0, 9))
        self._add(Line(rng.choice((f"t.append({value})", "t = sorted(t)", "t = t[1:]", "t = t[::-1]"))))
        self.member = rng.choice(("sum", "len", "min", "max", "[]", "sorted"))
        if self.member == "[]":
            result = f"t[{rng.choice((0, -1))}]"
        elif self.member == "sorted":
            result = "sorted(t)"
        else:
            result = f"{self.member}(t)"
        if self.member in ("sum", "[]", "len") and rng.random() < 0.4:
            result = f"{result} {rng.choice('+-')} {rng.randint(1, 9)}"
        self._add(Line(f"return {result}"))

    def _add(self, *statements: Statement) -> None:
        follow(statements, self.env, LIMITS)
        self.body += statements

    def _set(self, name: str, value: Expression) -> None:
        """Assign; Unsafe where a value that no later statement reads would be lost."""
        read = set(re.findall(r"\w+", value.text))
        self.unread -= read
        if name in self.unread:
            raise Unsafe(f"{name} is never read")
        self.unread.add(name)
        self._add(assign(name, value))

    def _return(self, value: Expression) -> None:
        if self.unread - set(re.findall(r"\w+", value.text)):
            raise Unsafe("a value is never read")
        LIMITS.check(value.shape(self.env))
        self.body.append(Line(f"return {value.text}"))


def _absolute(shape: Shape) -> Shape:
    high = max(abs(shape.low), abs(shape.high))
    return number(0 if shape.low <= 0 <= shape.high else min(abs(shape.low), abs(shape.high)), high)
