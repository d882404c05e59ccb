"""Random programs of all kinds of statements: `f(a, b)` with nested scopes, exceptions, generators and `del`.

Loops are bounded, so every program ends; names may be unbound and operations may fail, which is part of the test.
"""

from __future__ import annotations

import random

NAMES = ("a", "b", "c", "d", "é")
ERRORS = ("ValueError", "TypeError", "NameError", "IndexError", "Exception")
DEPTH = 3


class Grammar:
    """Writes one program; `rng` makes every choice."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.loops = 0
        self.generator = False
        self.fresh = 0

    def program(self) -> str:
        self.generator = self.rng.random() < 0.25
        head = self.rng.choice(["", "from __future__ import annotations\n", '"""doc"""\n', "# {c}\n"])
        body = ["c = [0]", *self.block(1)]
        newline = self.rng.choice(["\n", "\n", "\r\n"])
        tail = self.rng.choice(["", "\n"])
        lines = ["import contextlib", "def f(a, b):", *indented(body)]
        if self.generator:
            lines += ["    yield a", "g = f", "def f(a, b):", "    return list(g(a, b))"]
        return newline.join((head + "\n".join(lines)).split("\n")) + tail

    def name(self) -> str:
        return self.rng.choice(NAMES)

    def expression(self, depth: int = 0) -> str:
        name, other = self.name(), self.name()
        plain = ["1", "2", "'{x}'", '"it\'s"', "[1, 2]", "{'k': 1}", "()", "None", "{3, 1}", name, name, name]
        if depth > 1:
            return self.rng.choice(plain)
        left, right = self.expression(depth + 1), self.expression(depth + 1)
        return self.rng.choice(
            [
                *plain,
                f"{left} + {right}",
                f"({name} := {right})",
                f"({left} if {right} else {other})",
                f"{left} and {right}",
                f"[{other}, {right}]",
                f"[{name} for {name} in [{left}, {right}]]",
                f"(lambda {name}: {right})({left})",
                f"{name}[0]",
                f"len({left})",
                f"{left} == {right}",
                f"sorted({name})",
                f"f'{{{name}}}!'",
                f"iter([{right}])",
            ]
        )

    def simple(self) -> str:
        name, other, value = self.name(), self.name(), self.expression()
        return self.rng.choice(
            [
                f"{name} = {value}",
                f"{name} = {value}",
                f"{name} = {other} = {value}",
                f"{name}: int = {value}",
                f"{name} += {value}",
                f"{name}, *{other} = [{value}, 1]",
                f"{name}, {other} = {other}, {name}",
                f"{name}[0] = {value}",
                f"{name}.append({value})",
                f"del {name}",
                f"print({value})",
                f"assert {value}",
                f"return {value}" if not self.generator else f"{name} = yield {value}",
                f"return {name}" if not self.generator else f"yield from [{name}]",
                f"raise {self.rng.choice(ERRORS)}('{{m}}')",
                "pass",
                *(["break", "continue"] if self.loops else []),
            ]
        )

    def line(self) -> str:
        first = self.simple()
        return self.rng.choice([first, first, first, f"{first}; {self.simple()}", f"{first};", f"{first}  # {{n}}"])

    def block(self, depth: int) -> list[str]:
        return [line for _ in range(self.rng.randint(1, 4)) for line in self.statement(depth)]

    def suite(self, header: str, depth: int) -> list[str]:
        if self.rng.random() < 0.2:
            return [f"{header} {self.line()}"]
        return [header, *indented(self.block(depth + 1))]

    def statement(self, depth: int) -> list[str]:
        if depth >= DEPTH or self.rng.random() < 0.5:
            return [self.line()]
        made: list[str] = self.rng.choice(
            [self.branch, self.loop, self.count_down, self.attempt, self.context, self.matching, self.inner, self.cls]
        )(depth)
        return made

    def branch(self, depth: int) -> list[str]:
        lines = self.suite(f"if {self.expression()}:", depth)
        return lines + (self.suite("else:", depth) if self.rng.random() < 0.5 else [])

    def loop(self, depth: int) -> list[str]:
        target = self.rng.choice([self.name(), f"{self.name()}, {self.name()}"])
        over = self.rng.choice(["range(3)", "[]", "[(1, 2), (3, 4)]", f"list({self.name()})[:3]"])
        self.loops += 1
        lines = self.suite(f"for {target} in {over}:", depth)
        self.loops -= 1
        return lines + (self.suite("else:", depth) if self.rng.random() < 0.3 else [])

    def count_down(self, depth: int) -> list[str]:
        self.fresh += 1
        counter = f"n{self.fresh}"
        self.loops += 1
        test = self.rng.choice(["True", f"{counter} < 3", f"{self.name()}"])
        stop = [f"    {counter} += 1", f"    if {counter} > 4: break"]
        lines = [f"{counter} = 0", f"while {test}:", *stop, *indented(self.block(depth + 1))]
        self.loops -= 1
        return lines + (self.suite("else:", depth) if self.rng.random() < 0.3 else [])

    def attempt(self, depth: int) -> list[str]:
        lines = self.suite("try:", depth)
        star = "*" if self.rng.random() < 0.2 else ""
        with_handler = self.rng.random() < 0.8
        if with_handler:
            loops, generator = self.loops, self.generator
            name = self.rng.choice(["", f" as {self.name()}"])
            if star:  # no break, continue or return there
                lines += [f"except* {self.rng.choice(ERRORS)}{name}:", f"    {self.name()} = {self.expression()}"]
            else:
                lines += self.suite(f"except {self.rng.choice(ERRORS)}{name}:", depth)
            self.loops, self.generator = loops, generator
            if self.rng.random() < 0.3:
                lines += self.suite("else:", depth)
        if not with_handler or self.rng.random() < 0.4:
            lines += self.suite("finally:", depth)
        return lines

    def context(self, depth: int) -> list[str]:
        manager = self.rng.choice(["contextlib.suppress(Exception)", f"contextlib.nullcontext({self.expression()})"])
        return self.suite(f"with {manager} as {self.name()}:", depth)

    def matching(self, depth: int) -> list[str]:
        patterns = ["[{0}, *{1}]", "{{'k': {0}}}", "1 | 2", "str({0})", "[_, {0}] if {0}"]
        first = self.rng.choice(patterns).format("a", "b")
        cases = [*self.suite(f"case {first}:", depth), *self.suite("case _:", depth)]
        return [f"match {self.expression()}:", *indented(cases)]

    def inner(self, depth: int) -> list[str]:
        self.fresh += 1
        loops, self.loops = self.loops, 0
        generator, self.generator = self.generator, self.rng.random() < 0.2
        declared = self.rng.choice(["pass", "nonlocal c", "global é", '"""doc"""'])
        argument = "d" if "é" in declared else self.rng.choice(["é", "d"])
        head = f"def h{self.fresh}({argument}=1):"
        body = [declared, *self.block(depth + 1)]
        used = f"list(h{self.fresh}(1))" if self.generator else f"h{self.fresh}(2)"
        self.loops, self.generator = loops, generator
        return [head, *indented(body), f"{self.name()} = {used}"]

    def cls(self, depth: int) -> list[str]:
        self.fresh += 1
        kind = f"A{self.fresh}"
        loops, self.loops = self.loops, 0
        generator, self.generator = self.generator, False
        body = ["def m(self, a, b):", "    c, __p = self.k, 1", *indented(self.block(depth + 1))]
        text = self.rng.choice([[], ["def __repr__(self):", "    d = self.gone", "    return d"]])
        self.loops, self.generator = loops, generator
        return [f"class {kind}:", f"    k = {self.expression()}", *indented([*body, *text]), f"a = {kind}().m(1, [2])"]


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
