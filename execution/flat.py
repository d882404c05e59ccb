"""The flattened view of line events: one list over all frames, as REval's official tracer keeps it (r-eval/REval).

REval's published truth is read from such a list. Events that follow each other on one line are one record, whichever
frame they belong to; the line that follows is the next record's, in whatever frame; a variable's value after a line
is looked up in the next record. That is wrong across calls (a caller's line follows the callee's last one, a
namesake's value is taken for the variable's), so nothing of ours learns from it: `evaluation.visits` reads frames
apart. It is here to reproduce published figures.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from execution.shown import Shown, ShownValue
from execution.traces import Event

NO_LINE = -1
# REval leaves values of these types out of a record: modules, functions, built-ins, iterators, generators.
_LEFT_OUT = frozenset(
    {"module", "function", "method", "builtin_function_or_method", "generator", "coroutine", "async_generator"}
    | {"enumerate", "zip", "map", "filter", "reversed"}
)
_ITERTOOLS = (
    "accumulate batched chain combinations combinations_with_replacement compress count cycle dropwhile filterfalse"
    " groupby islice pairwise permutations product repeat starmap takewhile zip_longest"
)
_OF_ITERTOOLS = frozenset(_ITERTOOLS.split())


@dataclass(frozen=True)
class Record:
    """One line of REval's list. `values` are the variables and watched expressions of the last of the merged *line*
    events, before the line ran, as name -> (type name, canonical text): a record of a return alone holds none."""

    line: int
    values: dict[str, Shown] = field(default_factory=dict)


def expressions_to_watch(expression: str) -> tuple[str, ...]:
    """What a job must watch (`execution.sandbox.Job.watched`) so that `Flattened.values` can tell this expression.

    Raises ValueError for text that is no expression.
    """
    node = _parse(expression)
    found = {ast.unparse(node): None}
    found |= {ast.unparse(part): None for part in ast.walk(node) if isinstance(part, ast.expr) and _has_one_name(part)}
    return tuple(text for text in found if not text.isidentifier())


@dataclass(frozen=True)
class Flattened:
    """REval's answers about one run, from its list of records."""

    records: tuple[Record, ...]

    @cached_property
    def _places(self) -> dict[int, list[int]]:
        places: dict[int, list[int]] = {}
        for place, record in enumerate(self.records):
            places.setdefault(record.line, []).append(place)
        return places

    def covered(self, line: int) -> bool:
        return line in self._places

    def next_lines(self, line: int) -> list[int]:
        """Sorted lines of the records that follow one of `line`; -1 is the end, or that `line` was never reached."""
        places = self._places.get(line, [])
        last = len(self.records) - 1
        return sorted({NO_LINE if place == last else self.records[place + 1].line for place in places} or {NO_LINE})

    def values(self, line: int, expression: str) -> list[Shown]:
        """(type name, canonical text) after the visits of `line`, each once, by first appearance; empty means Nil.

        The last record of all is its own successor. Each *name* has one value per visit; where an expression holds
        two names REval combines every value of the one with every value of the other, from whatever visits.
        Raises ValueError for text that is no expression, and where a value was cut at the limits of the run.
        """
        last = len(self.records) - 1
        after = [self.records[min(place + 1, last)] for place in self._places.get(line, [])]
        return values_in(expression, after)


def flattened(events: Iterable[Event]) -> Flattened:
    """The records of one call; what ran before the module's own code ended is left out. The events must not be cut."""
    known: dict[int, dict[str, Shown]] = {}
    records: list[Record] = []
    for event in of_the_call(events):
        values = known.setdefault(event.frame, {})
        values.update(event.changes)
        for name in event.deleted:
            values.pop(name, None)
        if event.kind == "call":
            continue
        goes_on = bool(records) and records[-1].line == event.line
        if event.kind == "line":
            records[len(records) - goes_on :] = [Record(event.line, kept(values))]
        elif not goes_on:
            records.append(Record(event.line))
    return Flattened(tuple(records))


def kept(values: Mapping[str, Shown]) -> dict[str, Shown]:
    """The values that a record holds: those of types that REval leaves out are not among them."""
    return {name: shown for name, shown in values.items() if not _is_left_out(shown)}


def values_in(expression: str, records: Sequence[Record]) -> list[Shown]:
    """The expression's values in these records, each once. Raises as `Flattened.values` does."""
    return list(dict.fromkeys(_evaluate(_parse(expression), records)))


def of_the_call(events: Iterable[Event]) -> Sequence[Event]:
    """The events after the last one of the module's own frame."""
    events = list(events)
    ends = [place for place, event in enumerate(events) if event.depth == 0 and event.kind == "return"]
    return events[ends[-1] + 1 :] if ends else events


def _evaluate(node: ast.expr, after: Sequence[Record]) -> list[Shown]:
    if isinstance(node, ast.Constant):
        return [(type(node.value).__name__, repr(node.value))]
    if _has_one_name(node):
        text = ast.unparse(node)
        return [record.values[text] for record in after if text in record.values]
    if isinstance(node, ast.Tuple):
        parts = [list(dict.fromkeys(_evaluate(part, after))) for part in node.elts]
        return [("tuple", _tuple_text([text for _, text in chosen])) for chosen in itertools.product(*parts)]
    if isinstance(node, ast.Attribute):
        owners = dict.fromkeys(_evaluate(node.value, after))
        return [found for _, text in owners if (found := ShownValue(text).field(node.attr))]
    if isinstance(node, ast.Subscript):
        containers = list(dict.fromkeys(_evaluate(node.value, after)))
        keys = [ast.literal_eval(text) for _, text in dict.fromkeys(_evaluate(node.slice, after)) if _is_literal(text)]
        return [found for _, text in containers for key in keys if (found := ShownValue(text).item(key))]
    return []


def _has_one_name(node: ast.AST) -> bool:
    """Whether the expression holds a single name, so that its value at each visit is all there is to know."""
    while isinstance(node, ast.Attribute) or (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)):
        node = node.value
    return isinstance(node, ast.Name)


def _parse(expression: str) -> ast.expr:
    try:
        return ast.parse(expression, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"no expression: {expression!r}: {error}") from None


def _tuple_text(texts: list[str]) -> str:
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return False
    return True


def _is_left_out(shown: Shown) -> bool:
    kind, text = shown
    of_itertools = kind in _OF_ITERTOOLS and text == f"<{kind} object>"  # and no class of the program with fields
    return kind in _LEFT_OUT or kind.endswith("iterator") or of_itertools
