"""Inside the jail: compiles a program with its anchors on a private channel, and records line events.

An anchor's `print(f'NAME: {NAME}')` becomes a call of a recorder that sits in the code's constants: no namespace
leads to it, replacing `print` does not touch it, and states never mix with printed output. Line events come from
`sys.settrace`, in frames of the program's own file only. No code of the program runs on the tracer's behalf.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dis import opmap
from types import CodeType, FrameType, MethodType
from typing import Any

from execution.canonical import canonical, type_name
from execution.limits import Limits
from execution.splice import spliced_call, spliced_program
from execution.watched import Watched

FILE = "<program>"
CALL_FILE = "<call>"
# A return event with None comes from one of these, or from an exception that leaves the frame.
_LEAVING = frozenset({opmap["RETURN_VALUE"], opmap["YIELD_VALUE"]})
# Values of these types never change in place, and keeping one alive has no effect.
_UNCHANGING = frozenset({int, str, float, bool, type(None), bytes, complex})
_MISSING = object()
_FRAMES_OF_TRACER = 150  # that showing one value may take
_PLAIN_STR = (types.WrapperDescriptorType, types.MethodDescriptorType)


class AnchorError(ValueError):
    """A line that is said to be an anchor's holds no anchor."""


class States:
    """Texts of the anchors in the order in which they were reached, bounded in number and size.

    The recorder that stands in a program's code is the `send` of a generator: possessing it leads to nothing but the
    generator, whose frame cannot be read without an audit event (`guarded`). Called from anywhere but an anchor's
    line of the program's own code, it records nothing and says so (`forged`).
    """

    def __init__(self, limits: Limits) -> None:
        self.rows: list[tuple[int, str]] = []
        self.cut = False
        self.forged = False
        self.limits = limits
        self.guarded: object = None

    def put_into(self, code: CodeType, anchor_lines: Sequence[int], marker: str) -> CodeType:
        """The code with the recorder in place of each anchor's marker."""
        positions = {line: position for position, line in enumerate(anchor_lines)}
        known: dict[int, CodeType] = {}
        recording = self._recording(positions, known)
        next(recording)
        self.guarded = recording
        recorders = dict.fromkeys((f"{marker}{position}" for position in positions.values()), recording.send)
        made = put_constants(code, recorders)
        known.update((id(part), part) for part in _with_nested(made))
        return made

    def _recording(self, positions: Mapping[int, int], known: Mapping[int, CodeType]) -> Generator[None, str, None]:
        rows, most, most_chars = self.rows, self.limits.num_states, self.limits.state_chars
        frame_of = sys._getframe
        while True:
            text = yield
            caller = frame_of(1)
            position = positions.get(caller.f_lineno) if id(caller.f_code) in known else None
            del caller
            if position is None or type(text) is not str:
                self.forged = True
            elif len(rows) >= most:
                self.cut = True
            elif len(text) > most_chars:
                self.cut = True
                rows.append((position, text[:most_chars] + "…"))
            else:
                rows.append((position, text))


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if type(constant) is CodeType:
            yield from _with_nested(constant)


def compile_program(source: str, anchor_lines: tuple[int, ...], marker: str) -> CodeType:
    """The module's code; with anchors, `marker + str(position)` stands in its constants for each one's recorder.

    Raises SyntaxError or ValueError as `compile` does, AnchorError where a line holds no anchor.
    """
    if not anchor_lines:
        return compile(source, FILE, "exec", dont_inherit=True)
    spliced = spliced_program(source, FILE, anchor_lines, marker)
    if spliced is not None:
        return spliced
    tree: Any = compile(source, FILE, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    positions = {line: position for position, line in enumerate(anchor_lines)}
    found = _replace_anchors(tree, positions, marker)
    missing = [line for line in anchor_lines if line not in found]
    if missing:
        raise AnchorError(f"line {missing[0]} holds no anchor, that is no print(f'NAME: {{NAME}}')")
    return compile(tree, FILE, "exec", dont_inherit=True)


def _replace_anchors(tree: ast.AST, positions: dict[int, int], marker: str) -> set[int]:
    found: set[int] = set()
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            children = getattr(node, field, None)
            if type(children) is not list:
                continue
            for child in children:
                if type(child) is not ast.Expr:
                    waiting.append(child)
                elif child.lineno in positions and child.lineno not in found and _is_anchor(child.value):
                    call: Any = child.value
                    call.func = ast.copy_location(ast.Constant(f"{marker}{positions[child.lineno]}"), call.func)
                    found.add(child.lineno)
    return found


def _is_anchor(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and not node.keywords
        and len(node.args) == 1
        and (
            isinstance(node.args[0], ast.JoinedStr)
            or (isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str))
        )
    )


def compile_call(call: str, marker: str) -> CodeType:
    """The call's code; `marker(function, arguments…)` stands for `function(arguments…)` where it is a call."""
    spliced = spliced_call(call, CALL_FILE, marker)
    if spliced is not None:
        return spliced
    tree: Any = compile(call.strip(), CALL_FILE, "eval", ast.PyCF_ONLY_AST, dont_inherit=True)
    node = tree.body
    if isinstance(node, ast.Call):
        node.args.insert(0, node.func)
        node.func = ast.copy_location(ast.Constant(marker), node.func)
    return compile(tree, CALL_FILE, "eval", dont_inherit=True)


def put_constants(code: CodeType, values: Mapping[str, Callable[..., Any]]) -> CodeType:
    """The code with `values[marker]` in place of each constant that is a marker, in nested functions too."""
    constants = tuple(
        values.get(constant, constant)
        if type(constant) is str
        else put_constants(constant, values)
        if type(constant) is CodeType
        else constant
        for constant in code.co_consts
    )
    return code.replace(co_consts=constants)


def message_of(error: BaseException, max_chars: int) -> str:
    """An exception's message without running its class's code: `str(error)` where that is built in and plain."""
    arguments = BaseException.__dict__["args"].__get__(error)
    if not arguments:
        return ""
    if isinstance(_static(type(error), "__str__"), _PLAIN_STR) and all(type(a) in _UNCHANGING for a in arguments):
        return str(error)[:max_chars]
    return canonical(arguments[0] if len(arguments) == 1 else arguments, max_chars)[1]


def _static(cls: type, name: str) -> object:
    for base in type.__dict__["__mro__"].__get__(cls):
        members = type.__dict__["__dict__"].__get__(base)
        if name in members:
            return members[name]
    return None


class Events:
    """Line events of one run as rows `[kind, frame, depth, function, line, changes, deleted, value]`.

    Watched expressions are treated as further variables of every frame, under their own text as name.
    """

    def __init__(self, limits: Limits, watched: Sequence[str] = ()) -> None:
        self.rows: list[list[Any]] = []
        self.cut = False
        self.in_call = 0  # 1 once the module's own code has ended
        self.num_frames = 0
        self.num_active = 0
        self.room = limits.event_chars
        self.limits = limits
        self.watched = Watched(watched, FILE)

        self._hook = self._enter  # one object, found again by identity

    def start(self) -> None:
        sys.settrace(self._hook)

    def stop(self) -> bool:
        """End recording; False where somebody else had ended it before."""
        mine = self.cut or sys.gettrace() is self._hook
        sys.settrace(None)
        return mine

    def _enter(self, frame: FrameType, event: str, value: Any) -> Any:
        """The global trace function: called when any frame starts or a generator goes on."""
        code = frame.f_code
        if code.co_filename != FILE or self.cut:
            return None
        try:
            known = frame.f_trace  # a generator's frame goes on under its number
            seen = known.__self__ if type(known) is MethodType and type(known.__self__) is _Frame else None
            if seen is None:
                seen = _Frame(self, self.num_frames, code.co_qualname)
                self.num_frames += 1
            seen.depth = self.num_active + self.in_call
            self.num_active += 1
            if self.num_active > self.limits.recursion_depth - _FRAMES_OF_TRACER:
                self.give_up()  # in time: a tracer that fails at the recursion limit fails inside the program
                return None
            return seen.trace(frame, event, value)
        except RuntimeError:  # the program is at its recursion limit
            self.give_up()
            return None

    def add(self, seen: _Frame, frame: FrameType, event: str, value: Any) -> None:
        changes, deleted = seen.compare(frame.f_locals)
        shown: tuple[str, str] | None = None
        if event == "exception":
            error = value[1]
            shown = (type_name(error), message_of(error, self.limits.message_chars))
        elif event == "return" and (value is not None or frame.f_code.co_code[frame.f_lasti] in _LEAVING):
            shown = canonical(value, self.limits.value_chars, self.limits.value_depth)[:2]
        self.rows.append([event, seen.serial, seen.depth, seen.function, frame.f_lineno, changes, deleted, shown])
        self.room -= 60 + sum(len(text) for _, text in changes.values()) + (len(shown[1]) if shown else 0)
        if self.room < 0 or len(self.rows) >= self.limits.num_events:
            self.give_up()

    def give_up(self) -> None:
        self.cut = True
        sys.settrace(None)


class _Frame:
    """What was last seen of one frame. Holds no frame and no object that could be missed by the program."""

    def __init__(self, events: Events, serial: int, function: str) -> None:
        self.events = events
        self.serial = serial
        self.function = function
        self.depth = 0
        self.texts: dict[str, tuple[str, str]] = {}
        self.values: dict[str, Any] = {}
        self.watched: dict[str, tuple[str, str]] = {}

    def trace(self, frame: FrameType, event: str, value: Any) -> Any:
        events = self.events
        if events.cut:
            return None
        if event == "return":
            events.num_active -= 1
        try:
            events.add(self, frame, event, value)
        except (RuntimeError, MemoryError):  # the program is at its recursion or memory limit
            events.give_up()
            return None
        return self.trace

    def compare(self, found: Any) -> tuple[dict[str, tuple[str, str]], list[str]]:
        """Locals that are new or other than at this frame's last event, and those gone."""
        changes: dict[str, tuple[str, str]] = {}
        limits, texts, values = self.events.limits, self.texts, self.values
        num_seen = 0
        for name, value in list(dict.items(found)) if type(found) is dict else ():
            if type(name) is not str or name[:1] == "." or name[:2] == "__" == name[-2:]:
                continue
            num_seen += 1
            unchanging = type(value) in _UNCHANGING
            if unchanging and values.get(name, _MISSING) is value:
                continue
            shown = canonical(value, limits.value_chars, limits.value_depth)[:2]
            if texts.get(name) != shown:
                texts[name] = changes[name] = shown
            if unchanging:
                values[name] = value
            else:
                values.pop(name, None)
        deleted: list[str] = []
        if num_seen < len(texts):
            deleted = [name for name in texts if name not in found]
            for name in deleted:
                del texts[name]
                values.pop(name, None)
        if self.events.watched.nodes and type(found) is dict:
            self._compare_watched(found, changes, deleted)
        return changes, deleted

    def _compare_watched(self, found: Any, changes: dict[str, tuple[str, str]], deleted: list[str]) -> None:
        limits = self.events.limits
        now = {
            expression: canonical(value, limits.value_chars, limits.value_depth)[:2]
            for expression, value in self.events.watched.values(found)
        }
        changes.update((name, shown) for name, shown in now.items() if self.watched.get(name) != shown)
        deleted += [name for name in self.watched if name not in now]
        self.watched = now
