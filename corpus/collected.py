"""What a source of real programs gives: programs, and what could not be used with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from execution.program import Program
from execution.values import parse_literal

WHAT_IS_READ = (
    "a folder of Python files with asserts such as `assert f(3) == 6`, or a .jsonl or .parquet file with the columns"
    " code, input and output"
)


class SourceError(Exception):
    """A source that can't be used as a whole; the message says what, where and what to do."""


class Unusable(Exception):
    """Why the row at hand gives no program; it becomes a BadRow."""


@dataclass(frozen=True)
class BadRow:
    """Something in a source that gives no program. `where` is `path:line`."""

    where: str
    why: str


@dataclass(frozen=True)
class CollectedProgram:
    """A program, and the result that its source claims as literal text (None where it claims no value)."""

    program: Program
    expected: str | None


Found = Iterator[CollectedProgram | BadRow]


@dataclass(frozen=True)
class Collected:
    """What a source gave, in the order of its files and lines."""

    programs: tuple[CollectedProgram, ...]
    bad: tuple[BadRow, ...]

    @property
    def bad_share(self) -> float:
        """Bad rows among all rows, 0 to 1."""
        return len(self.bad) / max(1, len(self.bad) + len(self.programs))

    @staticmethod
    def of(found: Found) -> Collected:
        programs: list[CollectedProgram] = []
        bad: list[BadRow] = []
        for item in found:
            if isinstance(item, BadRow):
                bad.append(item)
            else:
                programs.append(item)
        return Collected(tuple(programs), tuple(bad))


def literal(text: str) -> str:
    try:
        parse_literal(text)
    except ValueError:
        raise Unusable(f"the expected output is no Python literal: {short(text)}") from None
    return text.strip()


def short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
