"""Edits of a program's text that put anchors on lines of their own and leave every other character in place.

Only three things are ever changed: the keyword of a `return` whose value is named first; the gap before a
statement that must stand on a line of its own (after `;`, or in a one-line suite); and lines that are added.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from execution.flow import Placement
from execution.scopes import blocks_of

_NEWLINE = re.compile(r"\r\n|\r|\n")
_SEMICOLON = re.compile(r"[ \t\f]*;(?:[ \t\f;]|\\(?:\r\n|\r|\n))*")
_AFTER_COLON = re.compile(r"(?:[ \t\f]|\\(?:\r\n|\r|\n))*\Z")


@dataclass(frozen=True)
class _Edit:
    """Replace the characters from `start` to `end` by `parts`; a Placement stands for its print statement."""

    start: int
    end: int
    parts: tuple[str | Placement, ...]


@dataclass(frozen=True)
class Edited:
    """`lines` are the lines (1-based, in `text`) of the placements in `placed`, in order."""

    text: str
    line_map: dict[int, int]
    placed: tuple[Placement, ...]
    lines: tuple[int, ...]


class Layout:
    """The text of one module: lines, offsets, indentation, and the edits that add anchors."""

    def __init__(self, source: str) -> None:
        self.source = source
        ends = list(_NEWLINE.finditer(source))
        self.newline = ends[0].group() if ends else "\n"
        self.starts = [0, *(end.end() for end in ends)]
        self.ends = [*(end.start() for end in ends), len(source)]
        if len(self.starts) > 1 and self.starts[-1] == len(source):
            self.starts.pop()
            self.ends.pop()

    def add(self, tree: ast.Module, placements: Sequence[Placement]) -> Edited:
        """The text with the print statements of `placements`, in textual order."""
        wanted: dict[int, list[Placement]] = {}
        for placement in placements:
            wanted.setdefault(id(placement.statement), []).append(placement)
        edits = list(self._edits(tree.body, tree, wanted)) if wanted else []
        return self._apply(sorted(edits, key=lambda edit: edit.start))

    # Positions

    def offset(self, line: int, column: int) -> int:
        """Index into the text of an `ast` position: 1-based line, column in UTF-8 bytes."""
        start, end = self.starts[line - 1], self.ends[line - 1]
        text = self.source[start:end]
        return start + (column if text.isascii() else len(text.encode()[:column].decode()))

    def start(self, statement: ast.stmt) -> int:
        decorators = getattr(statement, "decorator_list", None)
        if decorators:  # the statement begins with the @ of its first decorator
            return self.source.rindex("@", 0, self.offset(decorators[0].lineno, decorators[0].col_offset))
        return self.offset(statement.lineno, statement.col_offset)

    def end(self, statement: ast.stmt) -> int:
        return self.offset(statement.end_lineno or statement.lineno, statement.end_col_offset or 0)

    def _line_of(self, offset: int) -> int:
        return bisect_right(self.starts, offset) - 1

    def prefix(self, offset: int) -> str:
        """What stands before this offset on its line."""
        return self.source[self.starts[self._line_of(offset)] : offset]

    def _end_of_line(self, offset: int) -> int:
        """The end of the line that a statement ending at `offset` ends, past a trailing `;` or comment."""
        line = self._line_of(offset)
        rest = self.source[offset : self.ends[line]]
        while "#" not in rest and rest.rstrip().endswith("\\") and line + 1 < len(self.ends):
            line += 1
            rest = self.source[self.starts[line] : self.ends[line]]
        return self.ends[line]

    def _gap(self, first: ast.stmt, second: ast.stmt) -> tuple[int, int] | None:
        """The text between two statements joined by `;`, or None where they stand on lines of their own."""
        start, end = self.end(first), self.start(second)
        return (start, end) if _SEMICOLON.fullmatch(self.source, start, end) else None

    # Edits

    def _edits(self, block: list[ast.stmt], owner: ast.AST, wanted: dict[int, list[Placement]]) -> Iterator[_Edit]:
        indents = self._indents(block, owner, any(id(statement) in wanted for statement in block))
        for index, statement in enumerate(block):
            here = wanted.get(id(statement), [])
            breaks = self.newline + indents[index]
            before = [given for given in here if given.where == "before"]
            if before and not self._follows(block, index) and not self._is_inline(statement):
                line = self.starts[self._line_of(self.start(statement))]
                yield _Edit(line, line, _lines(before, indents[index], self.newline))
            if index == 0 and self._is_inline(statement) and any(id(given) in wanted for given in block):
                yield self._unrolled(statement, _lines(before, breaks, ""), breaks)
            for inner, inner_owner in _inner(statement):
                yield from self._edits(inner, inner_owner, wanted)
            after = self._after(statement, here, breaks)
            if any(given.where == "bind" for given in here):
                start = self.start(statement)
                name = next(given.name for given in here if given.where == "bind")
                yield _Edit(start, start + len("return"), (f"{name} =",))
            gap = self._gap(statement, block[index + 1]) if index + 1 < len(block) else None
            if gap is None and after:
                end = self._end_of_line(self.end(statement))
                yield _Edit(end, end, after)
            elif gap is not None:
                following = wanted.get(id(block[index + 1]), [])
                ahead = _lines([given for given in following if given.where == "before"], breaks, "")
                if after or ahead:
                    yield _Edit(*gap, (*after, *ahead, breaks))

    def _after(self, statement: ast.stmt, here: Sequence[Placement], breaks: str) -> tuple[str | Placement, ...]:
        after = _lines([given for given in here if given.where != "before"], breaks, "")
        bound = [given.name for given in here if given.where == "bind"]
        return (*after, f"{breaks}return {bound[0]}") if bound else after

    def _follows(self, block: list[ast.stmt], index: int) -> bool:
        return index > 0 and self._gap(block[index - 1], block[index]) is not None

    def _is_inline(self, statement: ast.stmt) -> bool:
        return bool(self.prefix(self.start(statement)).strip(" \t\f"))

    def _unrolled(self, statement: ast.stmt, ahead: tuple[str | Placement, ...], breaks: str) -> _Edit:
        """Move the body of a one-line suite to a line of its own."""
        end = self.start(statement)
        blank = _AFTER_COLON.search(self.source, self.source.rindex(":", 0, end) + 1, end)
        start = blank.start() if blank else end
        return _Edit(start, end, (*ahead, breaks))

    def _indents(self, block: list[ast.stmt], owner: ast.AST, needed: bool) -> list[str]:
        """For each statement the white space that a line of its own begins with."""
        if not needed:
            return [""] * len(block)
        if self._is_inline(block[0]):
            outer = self._header_indent(owner)
            step = "\t" if "\t" in outer or re.search(r"^\t", self.source, re.MULTILINE) else "    "
            return [outer + step] * len(block)
        indents: list[str] = []
        for index, statement in enumerate(block):
            own = not self._follows(block, index)
            indents.append(self.prefix(self.start(statement)) if own else indents[-1])
        return indents

    def _header_indent(self, owner: ast.AST) -> str:
        if isinstance(owner, ast.match_case):
            line = owner.pattern.lineno - 1
            while not re.match(r"[ \t\f]*case\b", self.source[self.starts[line] : self.ends[line]]) and line:
                line -= 1
            text = self.source[self.starts[line] : self.ends[line]]
            return text[: len(text) - len(text.lstrip(" \t\f"))]
        assert isinstance(owner, ast.stmt | ast.ExceptHandler)
        return self.prefix(self.offset(owner.lineno, owner.col_offset))

    # Applying

    def _apply(self, edits: Sequence[_Edit]) -> Edited:
        pieces: list[str] = []
        placed: list[Placement] = []
        lines: list[int] = []
        line_map: dict[int, int] = {}
        cursor, line = 0, 1
        for edit in [*edits, _Edit(len(self.source), len(self.source), ())]:
            first, last = bisect_left(self.starts, cursor), bisect_left(self.starts, edit.start)
            for index in range(first, last):
                line_map[index + 1] = line + index - first + (self.starts[first] != cursor)
            copied = self.source[cursor : edit.start]
            line += len(_NEWLINE.findall(copied))
            pieces.append(copied)
            for part in edit.parts:
                if isinstance(part, Placement):
                    placed.append(part)
                    lines.append(line)
                    part = f"print(f'{part.name}: {{{part.name}}}')"
                line += len(_NEWLINE.findall(part))
                pieces.append(part)
            for index in range(bisect_left(self.starts, edit.start), bisect_left(self.starts, edit.end)):
                line_map[index + 1] = line
            cursor = edit.end
        return Edited("".join(pieces), line_map, tuple(placed), tuple(lines))


def _inner(statement: ast.stmt) -> Iterator[tuple[list[ast.stmt], ast.AST]]:
    owners: dict[int, ast.AST] = {
        id(part.body): part for part in [*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]
    }
    for block in blocks_of(statement):
        yield block, owners.get(id(block), statement)


def _lines(placements: Sequence[Placement], before: str, behind: str) -> tuple[str | Placement, ...]:
    return tuple(part for given in placements for part in (before, given, behind) if part != "")


def same_program(original: ast.Module, instrumented: ast.Module, edited: Edited) -> bool:
    """Whether the instrumented text holds the original's statements, in order, and the anchors beside them.

    Expressions are copied as text and need no comparison; what can go wrong is where a line was added.
    """
    anchors = set(edited.lines)
    bound = {id(given.statement) for given in edited.placed if given.where == "bind"}
    count = 0
    stack: list[tuple[list[ast.stmt], list[ast.stmt]]] = [(original.body, instrumented.body)]
    while stack:
        first, second = stack.pop()
        rest = []
        for statement in second:
            if statement.lineno in anchors and isinstance(statement, ast.Expr):
                count += 1
            else:
                rest.append(statement)
        position = 0
        for statement in first:
            width = 2 if id(statement) in bound else 1
            group = rest[position : position + width]
            position += width
            expected = (ast.Assign, ast.Return) if width == 2 else (type(statement),)
            if tuple(type(found) for found in group) != expected:
                return False
            inner, found_inner = blocks_of(statement), blocks_of(group[0])
            if len(inner) != len(found_inner):
                return False
            stack.extend(zip(inner, found_inner, strict=True))
        if position != len(rest):
            return False
    return count == len(anchors)
