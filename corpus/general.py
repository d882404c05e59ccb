"""The profile "general": functions of a few lines over all types, built around one tested member."""

from __future__ import annotations

import random
import re

from corpus.expressions import Drawing, binary, name
from corpus.ladder import LADDER, Sketch, draw_structures
from corpus.member_table import MEMBERS
from corpus.members import Member
from corpus.nesting import Nesting
from corpus.shapes import Shape, Unsafe, number, text
from corpus.statements import Expression, Limits, Line, Statement, assign, follow, written

LIMITS = Limits(number=100_000, length=60)
MAX_RESULT_CHARS = 78
MAX_LINE_CHARS = 79
FUNCTION_NAMES = ("f", "solve", "process", "compute", "transform", "check", "build", "analyze")

_WORDS_OF: dict[str, str] = {
    "str": "text word line name message label part key_text suffix code",
    "int": "n k limit size count step total offset score level",
    "list": "numbers values items scores data kept picked parts",
    "tuple": "point pair row bounds record",
    "dict": "counts prices ages stock table merged",
    "set": "group allowed seen common chosen",
    "float": "rate price ratio weight mean",
    "bool": "flag strict found valid ready",
    "words": "words names lines tags tokens",
    "left": "left remaining todo",
    "rest": "rest tail chunk",
    "queue": "queue stack pending",
}
_GIVEN: dict[str, Shape] = {
    "str": text(3, 10),
    "int": number(0, 12),
    "list": Shape("list", 0, 15, 3, 6),
    "tuple": Shape("tuple", 0, 12, 3, 5),
    "dict": Shape("dict", 0, 9, 2, 4, 5),
    "set": Shape("set", 0, 12, 2, 4),
    "float": Shape("float", 0, 9),
    "bool": Shape("bool", 0, 1),
    "words": Shape("words", shortest=3, longest=4, item=6),
}
_OTHER_PARAMETERS = ("int", "int", "str", "list", "words", "bool", "dict")
_TARGETS = ("int", "int", "list", "str", "words", "dict")


class General:
    """Draws one function of a level around `member`."""

    def __init__(self, rng: random.Random, level: int, member: Member) -> None:
        self.rng = rng
        self.level = LADDER[level]
        self.member = member
        self.drawing = Drawing(rng)
        self.nesting = Nesting(self.drawing, self.fresh)
        self.used: set[str] = set()
        self.unread: list[str] = []
        self.body: list[Statement] = []

    def sketch(self) -> Sketch:
        """One function; Unsafe where it could raise, grow too much or leave a value unread."""
        rng = self.rng
        entry_point = rng.choice(FUNCTION_NAMES)
        parameters = self._parameters()
        helper = self._helper() if self.level.helper else []
        self._tested()
        if self.level.other_members and not self.level.depth:
            for _ in range(rng.choice((1, 2, 2, 3))):
                self._other()
        if helper:
            self._call_helper()
        structures = draw_structures(rng, self.level.depth)
        if structures:
            self._control(structures)
        self._return()
        body = written(self.body)
        # A parameter that nothing has read goes.
        read = set(re.findall(r"\w+", " ".join(body)))
        parameters = {given: shape for given, shape in parameters.items() if given in read}
        lines = [*helper, f"def {entry_point}({', '.join(parameters)}):", *body]
        if max(map(len, lines)) > MAX_LINE_CHARS:
            raise Unsafe("a line that is too long")
        source = "\n".join(lines) + "\n"
        if "math." in source:
            source = "import math\n\n\n" + source
        return Sketch(source, parameters, self.member.type_name, self.member.name, structures, entry_point)

    def fresh(self, kind: str) -> str:
        """A name that suits the kind and is not used yet."""
        free = [given for given in _WORDS_OF[kind].split() if given not in self.used]
        if not free:
            raise Unsafe(f"no name left for {kind}")
        given = self.rng.choice(free[:4])
        self.used.add(given)
        return given

    def _parameters(self) -> dict[str, Shape]:
        kinds = [self.member.kind]
        kinds += [self.rng.choice(_OTHER_PARAMETERS) for _ in range(self.rng.choice((0, 1, 1, 2)))]
        if self.level.depth and not set(kinds) - {"bool", "float"}:
            kinds.append("int")
        parameters = {self.fresh(kind): _GIVEN[kind] for kind in kinds}
        self.drawing.env = dict(parameters)
        return parameters

    # The tested member, and others

    def _tested(self) -> None:
        """The tested member, at least twice, the second time on what the first one gave where types allow it."""
        receiver = self.drawing.names(self.member.kind)[0]
        if self.member.is_statement:
            self._add(self.drawing.change(self.member, receiver), self.drawing.change(self.member, receiver))
            self._mark(receiver)
            return
        inner = self.drawing.apply(self.member, name(receiver))
        kind = inner.shape(self.drawing.env).kind
        if kind == self.member.kind and self._nested(inner):
            return
        if kind == "int":
            second = self.drawing.apply(self.member, name(self.drawing.some_name([self.member.kind])))
            self._set(self.fresh("int"), binary(self.rng.choice("+-*"), inner, second))
            return
        self._set(self.fresh(kind), inner)
        second = self.drawing.apply(self.member, name(self.drawing.some_name([self.member.kind])))
        if second.text != inner.text:
            self._set(self.fresh(kind), second)

    def _nested(self, inner: Expression) -> bool:
        """Assign the member of its own value, unless that is unsafe or nothing new."""
        outer = self.drawing.apply(self.member, inner)
        try:
            made = outer.shape(self.drawing.env)
        except Unsafe:
            return False
        if outer.text == inner.text or len(outer.text) > MAX_LINE_CHARS - 24:
            return False
        self._set(self.fresh(made.kind), outer)
        return True

    def _other(self) -> None:
        """One statement with another member."""
        rng, drawing = self.rng, self.drawing
        unread = [given for given in self.unread if drawing.env[given].kind in MEMBERS]
        given = rng.choice(unread) if unread and rng.random() < 0.7 else drawing.some_name(list(MEMBERS))
        kind = drawing.env[given].kind
        changes = [member for member in MEMBERS[kind] if member.is_statement]
        if changes and rng.random() < 0.4:
            self._add(drawing.change(rng.choice(changes), given))
            self._mark(given)
            return
        value = drawing.apply(drawing.expression_member(kind), name(given))
        made = value.shape(drawing.env).kind
        if made == "bool" and rng.random() < 0.6:
            raise Unsafe("too many truth values")
        own = made == kind and given not in drawing.names(self.member.kind)[:1]
        self._set(given if own and rng.random() < 0.4 else self.fresh(made), value)

    def _control(self, structures: tuple[str, ...]) -> None:
        """A target, and the control structures that fill it."""
        kind = self.rng.choice(_TARGETS if len(structures) < 2 else (*_TARGETS, "int", "int", "int"))
        target = self.fresh(kind)
        self._add(self.nesting.start(target, kind))
        statements = self.nesting.write(structures, target)
        self._read("\n".join(written(statements)))
        self._add(*statements)
        self._mark(target)

    # Helper

    def _helper(self) -> list[str]:
        """A function of one parameter and one or two members; its shape is followed again at each call."""
        drawing = Drawing(self.rng)
        given = {shape.kind for shape in self.drawing.env.values()}
        kind = self.rng.choice([kind for kind in ("str", "int", "list", "words") if kind in given] or ["int"])
        parameter = {"str": "s", "int": "m", "list": "xs", "words": "ws"}[kind]
        drawing.env = {parameter: _GIVEN[kind]}
        drawing.recent = [parameter]
        value = drawing.apply(drawing.expression_member(kind), name(parameter))
        if value.shape(drawing.env).kind == kind and self.rng.random() < 0.5:
            value = drawing.apply(drawing.expression_member(kind), value)
        if value.shape(drawing.env).kind == "set":
            raise Unsafe("a set shown in the order of its hashes")
        self.helper_name = self.rng.choice(("helper", "shift", "score", "convert", "trim", "measure"))
        self.used.add(self.helper_name)
        self.helper_kind, self.helper_parameter, self.helper_value = kind, parameter, value
        return [f"def {self.helper_name}({parameter}):", f"    return {value.text}", "", ""]

    def _call_helper(self) -> None:
        given = self.drawing.expression(self.helper_kind)
        parameter, value = self.helper_parameter, self.helper_value
        call = Expression(f"{self.helper_name}({given.text})", lambda env: value.shape({parameter: given.shape(env)}))
        self._set(self.fresh(call.shape(self.drawing.env).kind), call)

    # Bookkeeping

    def _add(self, *statements: Statement) -> None:
        follow(statements, self.drawing.env, LIMITS)
        self.body += statements

    def _set(self, given: str, value: Expression) -> None:
        self._read(value.text)
        if given in self.unread:
            raise Unsafe(f"{given} is never read")
        self._add(assign(given, value))
        self._mark(given)

    def _read(self, source: str) -> None:
        read = set(re.findall(r"[a-z_]+", source))
        self.unread = [given for given in self.unread if given not in read]

    def _mark(self, given: str) -> None:
        self.unread = [*(other for other in self.unread if other != given), given]
        self.drawing.recent = [given]

    def _return(self) -> None:
        """Returns what no statement has read yet: one value, a sum, or a tuple of at most three."""
        rng, env = self.rng, self.drawing.env
        results = self.unread
        if not 1 <= len(results) <= 3:
            raise Unsafe("nothing or too much to return")
        kinds = [env[given].kind for given in results]
        shown = [f"sorted({given})" if kind == "set" else given for given, kind in zip(results, kinds, strict=True)]
        if sum(env[given].width + 2 for given in results) > MAX_RESULT_CHARS:
            raise Unsafe("a result that may be long")
        if len(results) == 2 and kinds == ["int", "int"] and rng.random() < 0.6:
            result = f" {rng.choice('+-*')} ".join(shown)
        elif len(results) == 2 and kinds == ["str", "str"] and rng.random() < 0.6:
            result = " + ".join(shown)
        else:
            result = ", ".join(shown)
        self.body.append(Line(f"return {result}"))
