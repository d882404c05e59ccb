"""Inside the jail: values of watched expressions in a frame, read without running the program's own code.

A watched expression is made of names, attributes, subscripts, tuples and constants, as REval's questions are. Names
are the frame's variables. Attributes and items are read from where they are stored; a property or a `__getitem__`
that the program defines is not called (the expression then has no value), a library's is.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable
from typing import Any

from execution.canonical import instance_dict

ABSENT: Any = object()
_MRO_OF_TYPE = type.__dict__["__mro__"]
_DICT_OF_TYPE = type.__dict__["__dict__"]
_PLAIN = frozenset({int, str, float, bool, type(None), bytes})
_STORED = (types.MemberDescriptorType, types.GetSetDescriptorType)
_OF_THE_INTERPRETER = (types.WrapperDescriptorType, types.MethodDescriptorType)
_ALLOWED = (ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.Constant, ast.Load)


class Watched:
    """Expressions to evaluate at each event; one that is no such expression never has a value, a name needs none."""

    def __init__(self, expressions: Iterable[str], program_file: str) -> None:
        self.program_file = program_file
        self.nodes: list[tuple[str, ast.expr]] = []
        for text in dict.fromkeys(expressions):
            try:
                node: Any = compile(text, "<watched>", "eval", ast.PyCF_ONLY_AST, dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            if type(node.body) is not ast.Name and all(type(part) in _ALLOWED for part in ast.walk(node.body)):
                self.nodes.append((text, node.body))

    def values(self, variables: dict[str, Any]) -> list[tuple[str, Any]]:
        """(expression, value) of those that have one here. Raises RecursionError and MemoryError only."""
        found = []
        for text, node in self.nodes:
            try:
                value = self._evaluate(node, variables)
            except (RecursionError, MemoryError):
                raise
            except Exception:  # noqa: BLE001 whatever a library's code raises: there is no value
                continue
            if value is not ABSENT:
                found.append((text, value))
        return found

    def _evaluate(self, node: Any, variables: dict[str, Any]) -> Any:
        kind = type(node)
        if kind is ast.Constant:
            return node.value
        if kind is ast.Name:
            return variables.get(node.id, ABSENT)
        parts = [self._evaluate(part, variables) for part in _parts(node)]
        if any(part is ABSENT for part in parts):
            return ABSENT
        if kind is ast.Tuple:
            return tuple(parts)
        return self._attribute(parts[0], node.attr) if kind is ast.Attribute else self._item(*parts)

    def _attribute(self, value: Any, name: str) -> Any:
        cls = type(value)
        mro = _MRO_OF_TYPE.__get__(cls)
        if type in mro:
            found = _static(_MRO_OF_TYPE.__get__(value), name)
            return ABSENT if _is_descriptor(found) else found
        found = _static(mro, name)
        if type(found) in _STORED:
            return found.__get__(value, cls)
        if type(found) is property:
            getter: Any = found.fget
            return getter(value) if self._is_library(getter) else ABSENT
        fields = instance_dict(value, mro)
        if name in fields:
            return fields[name]
        return ABSENT if _is_descriptor(found) else found

    def _item(self, value: Any, key: Any) -> Any:
        if not _is_plain(key):
            return ABSENT
        mro = _MRO_OF_TYPE.__get__(type(value))
        if dict in mro:  # by search: a lookup may call `__eq__` of the keys that are there
            return next((item for found, item in dict.items(value) if _is_plain(found) and found == key), ABSENT)
        for base in (list, tuple, str, bytes):
            if base in mro:
                return base.__getitem__(value, key)
        method = _static(mro, "__getitem__")
        return value[key] if type(method) in _OF_THE_INTERPRETER or self._is_library(method) else ABSENT

    def _is_library(self, function: Any) -> bool:
        return type(function) is types.FunctionType and function.__code__.co_filename != self.program_file


def _parts(node: Any) -> list[ast.expr]:
    if type(node) is ast.Tuple:
        return list(node.elts)
    return [node.value] if type(node) is ast.Attribute else [node.value, node.slice]


def _is_plain(key: Any) -> bool:
    return type(key) in _PLAIN or (type(key) is tuple and all(map(_is_plain, key)))


def _static(mro: tuple[type, ...], name: str) -> Any:
    for base in mro:
        members = _DICT_OF_TYPE.__get__(base)
        if name in members:
            return members[name]
    return ABSENT


def _is_descriptor(value: Any) -> bool:
    return value is not ABSENT and _static(_MRO_OF_TYPE.__get__(type(value)), "__get__") is not ABSENT
