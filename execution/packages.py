"""Packages: other people's packages that a jail shows and has imported already, where it is asked for them.

A jail shows the standard library alone unless told otherwise; some benchmarks' programs need more. Named are
distributions ("beautifulsoup4"); what they need in turn is shown too. One that is not installed here is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9._-]+")
# While they are imported: numerical libraries start threads, which a jail has none of; some look for a home folder.
ENVIRONMENT = {**dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"), "HOME": "/"}


@dataclass(frozen=True)
class Shown:
    """`entries`: files and folders to show, by their name in the packages folder; `imports`: modules to import."""

    entries: dict[str, Path]
    imports: tuple[str, ...]

    @property
    def folders(self) -> tuple[str, ...]:
        """Where the entries lie here."""
        return tuple(dict.fromkeys(str(path.parent) for path in self.entries.values()))

    @property
    def binaries(self) -> list[Path]:
        return [found for path in self.entries.values() if path.is_dir() for found in path.rglob("*.so*")]


@lru_cache(maxsize=8)
def shown_packages(names: tuple[str, ...]) -> Shown:
    """What is to be shown for these distributions, and what they bring to import."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if _canonical(name) in found:
            continue
        try:
            one = found[_canonical(name)] = distribution(name)
        except PackageNotFoundError:
            continue
        waiting += _needed(one.requires or ())
    entries = {name: path for one in found.values() for name, path in _entries(one)}
    asked = [found[_canonical(name)] for name in names if _canonical(name) in found]
    imports = [name for one in asked for name, path in _entries(one) if (path / "__init__.py").is_file()]
    return Shown(entries, tuple(imports))


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _needed(requirements: Sequence[str]) -> list[str]:
    """Names in requirements that hold without an extra; one for another platform is found not to be installed."""
    plain = [text for text in requirements if "extra ==" not in text]
    return [match[0] for match in map(_NAME.match, plain) if match]


def _entries(one: Distribution) -> list[tuple[str, Path]]:
    names = dict.fromkeys(path.parts[0] for path in one.files or () if path.parts[0] not in {"..", "__pycache__"})
    located = [(name, Path(str(one.locate_file(name)))) for name in names if not name.endswith(".dist-info")]
    return [(name, path) for name, path in located if path.exists() and not name.startswith("__")]
