"""Canonical text of Python values; no code of the value's own class is ever run.

The text of a value is the same in every process: sets are sorted, objects carry no address. Where
`ast.literal_eval` gives the value back, with its types, the text is a literal. The module also works inside the
jail, on hostile values: classes are told apart by `type(value)` alone, fields are read through the interpreter's
own descriptors.
"""

from __future__ import annotations

import ast
import collections
import datetime
import decimal
import enum
import fractions
import math
import re
import types
from collections.abc import Callable, Iterable
from typing import Any

MAX_CHARS = 50_000
MAX_DEPTH = 40
CUT = "…"
# Above this many bits int -> str is refused by the interpreter (4,300 digits), and slow.
_MAX_INT_BITS = 14_000

_NAME_OF_TYPE = type.__dict__["__name__"]
_MRO_OF_TYPE = type.__dict__["__mro__"]
_DICT_OF_TYPE = type.__dict__["__dict__"]
_FLAGS_OF_TYPE = type.__dict__["__flags__"]
_NAME_OF_FUNCTION = types.FunctionType.__dict__["__name__"]
_ARGS_OF_EXCEPTION = BaseException.__dict__["args"]
_FACTORY = collections.defaultdict.__dict__["default_factory"]
_MAXLEN = collections.deque.__dict__["maxlen"]
_NUMERATOR = fractions.Fraction.__dict__["_numerator"]
_DENOMINATOR = fractions.Fraction.__dict__["_denominator"]
_PATTERN = re.Pattern.__dict__["pattern"]
_TZINFO = datetime.datetime.__dict__["tzinfo"]
_TIME_TZINFO = datetime.time.__dict__["tzinfo"]
_VIEWS: dict[type, str] = {
    type({}.keys()): "dict_keys",
    type({}.values()): "dict_values",
    type({}.items()): "dict_items",
}
# Exact types whose own repr is deterministic, written in C, and touches no other object.
_PLAIN_REPR = frozenset({range, decimal.Decimal, datetime.date, datetime.timedelta, datetime.timezone})
_EMPTY: dict[str, Any] = {}
_ORDERED: tuple[set[type], ...] = ({int}, {str}, {bytes})


class _Full(Exception):
    """The text has reached its size."""


def canonical(value: object, max_chars: int = MAX_CHARS, max_depth: int = MAX_DEPTH) -> tuple[str, str, bool]:
    """`(type name, text, is_literal)` of a value.

    The text has at most `max_chars` characters, then `…` where it was cut. `is_literal` is True where
    `ast.literal_eval(text)` gives an equal value with the same types throughout; never for a cut text.
    """
    writer = _Writer(max_chars, max_depth)
    try:
        writer.write(value, 0)
    except _Full:
        return type_name(value), "".join(writer.parts)[:max_chars] + CUT, False
    return type_name(value), "".join(writer.parts), writer.literal


def type_name(value: object) -> str:
    """The name of `type(value)` without its module, as a plain string."""
    return _class_name(type(value))


def _class_name(cls: type) -> str:
    return str.__str__(_NAME_OF_TYPE.__get__(cls))


class _Writer:
    def __init__(self, max_chars: int, max_depth: int) -> None:
        self.parts: list[str] = []
        self.room = max_chars
        self.max_depth = max_depth
        self.literal = True
        self.path: set[int] = set()

    def put(self, text: str) -> None:
        self.parts.append(text)
        self.room -= len(text)
        if self.room < 0:
            raise _Full

    def opaque(self, *texts: str) -> None:
        """Text that is no literal."""
        self.literal = False
        self.put("".join(texts))

    def write(self, value: Any, depth: int) -> None:
        kind = type(value)
        scalar = _SCALARS.get(kind)
        if scalar is not None:
            scalar(self, value)
            return
        if depth >= self.max_depth:
            self.opaque(CUT)
            return
        if id(value) in self.path:
            self.opaque("<cycle>")
            return
        self.path.add(id(value))
        try:
            _CONTAINERS.get(kind, _write_object)(self, value, depth + 1)
        finally:
            self.path.discard(id(value))

    def sequence(self, opening: str, values: Iterable[Any], closing: str, depth: int) -> None:
        self.put(opening)
        first = True
        for value in values:
            if not first:
                self.put(", ")
            first = False
            self.write(value, depth)
        self.put(closing)

    def fields(self, name: str, pairs: Iterable[tuple[str, Any]], depth: int) -> None:
        """`Name(field=value, …)`."""
        self.opaque(name, "(")
        first = True
        for field, value in pairs:
            self.put("".join(("" if first else ", ", field, "=")))
            first = False
            self.write(value, depth)
        self.put(")")


def _write_int(writer: _Writer, value: int) -> None:
    bits = int.bit_length(value)
    if bits > _MAX_INT_BITS:
        writer.opaque(f"<int of {bits} bits>")
    else:
        writer.put(int.__repr__(value))


def _write_str(writer: _Writer, value: str | bytes) -> None:
    """Text or bytes; of a long one only as much is shown as there is room for."""
    if len(value) > writer.room:
        writer.put(repr(value[: writer.room])[:-1])
        raise _Full
    writer.put(repr(value))


def _write_float(writer: _Writer, value: float) -> None:
    if not math.isfinite(value):
        writer.literal = False
    writer.put(float.__repr__(value))


def _write_complex(writer: _Writer, value: complex) -> None:
    text = complex.__repr__(value)
    finite = math.isfinite(value.real) and math.isfinite(value.imag)
    # A negative zero is lost in a complex literal: (-0-1j) is read as (0-1j).
    if not finite or complex.__repr__(ast.literal_eval(text)) != text:
        writer.literal = False
    writer.put(text)


def _write_list(writer: _Writer, value: list[Any], depth: int) -> None:
    writer.sequence("[", value, "]", depth)


def _write_tuple(writer: _Writer, value: tuple[Any, ...], depth: int) -> None:
    writer.sequence("(", value, ",)" if len(value) == 1 else ")", depth)


def _write_dict(writer: _Writer, value: dict[Any, Any], depth: int) -> None:
    writer.put("{")
    first = True
    for key, item in dict.items(value):
        if not first:
            writer.put(", ")
        first = False
        writer.write(key, depth)
        writer.put(": ")
        writer.write(item, depth)
    writer.put("}")


def _write_set(writer: _Writer, value: set[Any], depth: int) -> None:
    if set.__len__(value) == 0:
        writer.put("set()")
        return
    _write_elements(writer, set.__iter__(value), set.__len__(value), depth)


def _write_frozenset(writer: _Writer, value: frozenset[Any], depth: int) -> None:
    writer.opaque("frozenset(")
    if frozenset.__len__(value):
        _write_elements(writer, frozenset.__iter__(value), frozenset.__len__(value), depth)
    writer.put(")")


def _write_elements(writer: _Writer, values: Iterable[Any], count: int, depth: int) -> None:
    """`{a, b}` in an order that does not depend on hashes: by value for numbers or texts alone, else by text."""
    if 3 * count - 2 > writer.room:  # would be cut for certain: which elements are shown must not depend on hashes
        writer.opaque("{")
        raise _Full
    elements = list(values)
    kinds = {type(element) for element in elements}
    if kinds in _ORDERED or (kinds == {float} and all(map(math.isfinite, elements))):
        elements.sort()
        writer.sequence("{", elements, "}", depth)
        return
    texts = []
    for element in elements:
        inner = _Writer(writer.room, writer.max_depth)
        inner.path = writer.path
        inner.write(element, depth)
        writer.literal = writer.literal and inner.literal
        texts.append((type_name(element), "".join(inner.parts)))
    texts.sort()
    writer.put("{" + ", ".join(text for _, text in texts) + "}")


def _write_bytearray(writer: _Writer, value: bytearray, depth: int) -> None:
    writer.opaque("bytearray(")
    _write_str(writer, bytes(value[: writer.room + 1]))
    writer.put(")")


def _write_plain(writer: _Writer, value: Any, depth: int) -> None:
    writer.opaque(repr(value))


def _write_datetime(writer: _Writer, value: Any, depth: int) -> None:
    zone = (_TZINFO if type(value) is datetime.datetime else _TIME_TZINFO).__get__(value)
    if zone is None or type(zone) is datetime.timezone:
        writer.opaque(repr(value))
    else:
        writer.opaque("<", type_name(value), " object>")


def _write_fraction(writer: _Writer, value: fractions.Fraction, depth: int) -> None:
    writer.opaque("Fraction(")
    writer.write(_NUMERATOR.__get__(value), depth)
    writer.put(", ")
    writer.write(_DENOMINATOR.__get__(value), depth)
    writer.put(")")


def _write_defaultdict(writer: _Writer, value: Any, depth: int) -> None:
    writer.opaque("defaultdict(")
    writer.write(_FACTORY.__get__(value), depth)
    writer.put(", ")
    _write_dict(writer, value, depth)
    writer.put(")")


def _write_deque(writer: _Writer, value: Any, depth: int) -> None:
    maxlen = _MAXLEN.__get__(value)
    writer.opaque("deque(")
    closing = "])" if maxlen is None else f"], maxlen={maxlen})"
    writer.sequence("[", collections.deque.__iter__(value), closing, depth)


def _write_view(writer: _Writer, value: Any, depth: int) -> None:
    writer.opaque(_VIEWS[type(value)])
    writer.sequence("([", value, "])", depth)


def _write_slice(writer: _Writer, value: slice, depth: int) -> None:
    writer.literal = False
    writer.sequence("slice(", (value.start, value.stop, value.step), ")", depth)


def _write_function(writer: _Writer, value: Any, depth: int) -> None:
    writer.opaque("<function ", str.__str__(_NAME_OF_FUNCTION.__get__(value)), ">")


def _write_pattern(writer: _Writer, value: Any, depth: int) -> None:
    writer.opaque("re.compile(")
    writer.write(_PATTERN.__get__(value), depth)
    writer.put(")")


def _write_object(writer: _Writer, value: Any, depth: int) -> None:
    """An object of any other class: a class, an enum member, a subclass of a container, or field by field."""
    cls = type(value)
    mro = _MRO_OF_TYPE.__get__(cls)
    if type in mro:
        writer.opaque("<class '", _class_name(value), "'>")
        return
    if types.ModuleType in mro:
        name = dict.get(types.ModuleType.__getattribute__(value, "__dict__"), "__name__")
        writer.opaque("<module ", name if type(name) is str else "", ">")
        return
    name = _class_name(cls)
    if enum.Enum in mro and type(label := dict.get(instance_dict(value, mro), "_name_")) is str:
        writer.opaque(name, ".", label)
        return
    if BaseException in mro:
        writer.literal = False
        writer.sequence(name + "(", tuple.__iter__(_ARGS_OF_EXCEPTION.__get__(value)), ")", depth)
        return
    if tuple in mro and (names := _namedtuple_fields(mro)) is not None:
        writer.fields(name, zip(names, tuple.__iter__(value), strict=False), depth)
        return
    for base, write_base in _BASES:
        if base in mro:
            writer.opaque(name, "(")
            write_base(writer, value, depth)
            writer.put(")")
            return
    if (convert := _numpy_conversion(mro)) is not None:
        writer.opaque("array" if name == "ndarray" else name, "(")
        writer.write(convert(value), depth)
        writer.put(")")
        return
    pairs = [*_slots(value, mro), *dict.items(instance_dict(value, mro))]
    if pairs and all(type(field) is str for field, _ in pairs):
        writer.fields(name, pairs, depth)
    else:
        writer.opaque("<", name, " object>")


def _numpy_conversion(mro: tuple[type, ...]) -> Callable[[Any], Any] | None:
    """What gives the plain value of a numpy array or scalar; these classes are built in, which no program's can be."""
    for cls in mro:
        if not _FLAGS_OF_TYPE.__get__(cls) & _HEAP_TYPE and (method := _OF_NUMPY.get(_class_name(cls))) is not None:
            members = _DICT_OF_TYPE.__get__(cls)
            return members.get(method) if "__array_interface__" in members else None
    return None


def instance_dict(value: object, mro: tuple[type, ...]) -> dict[str, Any]:
    """The fields that an object keeps in a dict of its own, read past its class; empty where there is none."""
    for cls in mro:
        found = _DICT_OF_TYPE.__get__(cls).get("__dict__")
        if found is not None and cls is not type:
            if type(found) is not types.GetSetDescriptorType:
                return _EMPTY
            try:
                fields = found.__get__(value)
            except TypeError:  # the descriptor of another class
                return _EMPTY
            return fields if type(fields) is dict else _EMPTY
    return _EMPTY


def _slots(value: object, mro: tuple[type, ...]) -> list[tuple[str, Any]]:
    found = []
    for cls in reversed(mro):
        if _FLAGS_OF_TYPE.__get__(cls) & _HEAP_TYPE:
            for name, member in _DICT_OF_TYPE.__get__(cls).items():
                if type(member) is types.MemberDescriptorType:
                    try:
                        found.append((name, member.__get__(value)))
                    except (AttributeError, TypeError):  # not set; of another class
                        continue
    return found


def _namedtuple_fields(mro: tuple[type, ...]) -> tuple[str, ...] | None:
    for cls in mro:
        names = _DICT_OF_TYPE.__get__(cls).get("_fields")
        if type(names) is tuple and all(type(name) is str for name in names):
            return names
    return None


_HEAP_TYPE = 1 << 9
_OF_NUMPY = {"ndarray": "tolist", "generic": "item"}
_SCALARS: dict[type, Callable[[_Writer, Any], None]] = {
    int: _write_int,
    str: _write_str,
    float: _write_float,
    bytes: _write_str,
    complex: _write_complex,
    bool: lambda writer, value: writer.put("True" if value else "False"),
    type(None): lambda writer, value: writer.put("None"),
    type(...): lambda writer, value: writer.put("..."),
    type(NotImplemented): lambda writer, value: writer.opaque("NotImplemented"),
}
_CONTAINERS: dict[type, Callable[[_Writer, Any, int], None]] = {
    list: _write_list,
    tuple: _write_tuple,
    dict: _write_dict,
    set: _write_set,
    frozenset: _write_frozenset,
    bytearray: _write_bytearray,
    **dict.fromkeys(_PLAIN_REPR, _write_plain),
    datetime.datetime: _write_datetime,
    datetime.time: _write_datetime,
    fractions.Fraction: _write_fraction,
    collections.defaultdict: _write_defaultdict,
    collections.deque: _write_deque,
    **dict.fromkeys(_VIEWS, _write_view),
    slice: _write_slice,
    types.FunctionType: _write_function,
    types.BuiltinFunctionType: lambda writer, value, depth: writer.opaque("<built-in ", value.__name__, ">"),
    re.Pattern: _write_pattern,
}
# Subclasses of these are shown as Name(content), through the base class's own methods.
_BASES: tuple[tuple[type, Callable[[_Writer, Any, int], None]], ...] = (
    (dict, _write_dict),
    (list, lambda writer, value, depth: writer.sequence("[", list.__iter__(value), "]", depth)),
    (tuple, lambda writer, value, depth: writer.sequence("(", tuple.__iter__(value), ")", depth)),
    (set, _write_set),
    (frozenset, _write_frozenset),
    (str, lambda writer, value, depth: _write_str(writer, str.__str__(value))),
    (bytes, lambda writer, value, depth: _write_str(writer, bytes.__getitem__(value, slice(None)))),
    (int, lambda writer, value, depth: _write_int(writer, int.__int__(value))),
    (float, lambda writer, value, depth: _write_float(writer, float.__float__(value))),
)
