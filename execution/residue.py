"""Inside the jail: what one run could leave for the next one in the same process, and whether it did."""

from __future__ import annotations

import ast
import ctypes
import decimal
import gc
import random
import sys
from typing import Any

# Modules that keep no state a program could leave behind without this file noticing (`Residue`). A source that
# imports anything else is run with one process per input.
_SHAREABLE = (
    "__future__ abc array base64 binascii bisect cmath collections contextlib copy dataclasses datetime decimal"
    " difflib enum fractions functools graphlib hashlib heapq itertools json keyword math numbers operator queue"
    " random re statistics string struct textwrap time types typing unicodedata uuid zlib"
)
SHAREABLE = frozenset(_SHAREABLE.split())


_VERSION_OFFSET = 24  # of ma_version_tag in CPython 3.11's dict: any change of a dict gives it a new version


class Residue:
    """Puts back what can be put back after a run, and tells whether anything else was left.

    Watched are the namespaces of builtins and of all SHAREABLE modules and their classes, through the version
    number that the interpreter keeps of each dict, which touches no object and so copies no page of memory.
    """

    def __init__(self) -> None:
        watched: list[dict[str, Any]] = []
        for name in ("builtins", *sorted(SHAREABLE)):
            module = sys.modules[name]
            watched.append(module.__dict__)
            watched += [
                _dict_of(member)
                for member in list(vars(module).values())
                if isinstance(member, type) and member.__module__ == name
            ]
        _check_versions()
        self.namespaces = watched  # kept alive: they are read by address
        self.versions = [ctypes.c_uint64.from_address(id(one) + _VERSION_OFFSET) for one in watched]
        self.context = decimal.getcontext().copy()
        self.saved_versions: list[int] = []
        self.settings: tuple[object, ...] = ()

    def remember(self) -> None:
        """Take this moment as the one to compare with."""
        self.saved_versions = [version.value for version in self.versions]
        self.settings = self._settings()

    def _settings(self) -> tuple[object, ...]:
        return sys.getrecursionlimit(), sys.get_int_max_str_digits(), sys.getprofile(), len(sys.path)

    def clear(self) -> bool:
        """Give the random generator and the decimal context a fresh state; True where nothing else was left."""
        decimal.setcontext(self.context.copy())
        if self.saved_versions != [version.value for version in self.versions] or self.settings != self._settings():
            return False
        random.seed()
        return True


def _dict_of(cls: type) -> dict[str, Any]:
    """The dict behind a class's read-only `__dict__`."""
    (found,) = gc.get_referents(cls.__dict__)
    return found


def _check_versions() -> None:
    """Raises RuntimeError on an interpreter whose dicts are laid out otherwise."""
    probe: dict[str, int] = {"a": 1}
    version = ctypes.c_uint64.from_address(id(probe) + _VERSION_OFFSET)
    seen = [version.value]
    probe["a"] = 2
    seen.append(version.value)
    del probe["a"]
    seen.append(version.value)
    if len(set(seen)) != 3 or seen != sorted(seen):
        raise RuntimeError("this interpreter keeps no version of its dicts where CPython 3.11 does")


def imports_only_shareable(source: str) -> bool:
    """Whether all imports of a source are of SHAREABLE modules, as far as its text tells."""
    for node in ast.walk(compile(source, "<program>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)):
        if isinstance(node, ast.Import):
            if any(alias.name.partition(".")[0] not in SHAREABLE for alias in node.names):
                return False
        elif isinstance(node, ast.ImportFrom):
            if node.level or (node.module or "").partition(".")[0] not in SHAREABLE:
                return False
        elif isinstance(node, ast.Name) and node.id in {"__import__", "__builtins__"}:
            return False
    return True
