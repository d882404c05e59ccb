"""The traces that a stage may draw from: in an order from hashes, the same on any machine, read when they are used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import Any, Literal, TypeVar

from execution.traces import Trace

T = TypeVar("T")


def draw_hash(seed: int, *parts: str) -> str:
    """A hash that orders things at random but the same everywhere."""
    return hashlib.sha256("\0".join((str(seed), *parts)).encode()).hexdigest()


def placed_by_hash(seed: int, purpose: str, things: Sequence[T], name: Callable[[T], str]) -> list[T]:
    """Things in a random order that depends on the seed, the purpose and their names alone."""
    return sorted(things, key=lambda one: draw_hash(seed, purpose, name(one)))


class Traces(Sequence[Trace]):
    """Traces of a dataset in the order of program_id, each read from its JSON when it is first asked for.

    The other columns are known without reading: sources, numbers of `anchors`, and `levels` (None: of no level).
    """

    def __init__(
        self,
        program_ids: Sequence[str],
        texts: Sequence[str],
        source_ids: Sequence[str],
        anchors: Sequence[int],
        levels: Sequence[int | None],
    ) -> None:
        self.program_ids, self.source_ids = list(program_ids), list(source_ids)
        self.anchors, self.levels = list(anchors), list(levels)
        self._texts = texts
        self._read: dict[int, Trace] = {}

    @staticmethod
    def of(traces: Sequence[Trace]) -> Traces:
        return Traces(
            [trace.program.program_id for trace in traces],
            [trace.to_json() for trace in traces],
            [trace.program.source_id for trace in traces],
            [len(trace.states) for trace in traces],
            [trace.program.level for trace in traces],
        )

    def __len__(self) -> int:
        return len(self.program_ids)

    def __getitem__(self, index: Any) -> Any:
        if index not in self._read:
            self._read[index] = Trace.from_json(self._texts[index])
        return self._read[index]

    def drawn(self, seed: int, purpose: str, among: Sequence[int] | None = None) -> Iterator[Trace]:
        """All traces (or those at the places `among`) in a random order that depends on the seed, the purpose and the
        programs alone."""
        places: Sequence[int] = range(len(self)) if among is None else among
        return map(self.__getitem__, placed_by_hash(seed, purpose, places, self.program_ids.__getitem__))

    def drawn_sources(self, seed: int, purpose: str) -> Iterator[list[Trace]]:
        """The traces of each source together, sources in a random order as in `drawn`."""
        by_source: dict[str, list[int]] = {}
        for index, source_id in enumerate(self.source_ids):
            by_source.setdefault(source_id, []).append(index)
        for source_id in placed_by_hash(seed, purpose, list(by_source), str):
            yield [self[index] for index in by_source[source_id]]

    def thirds(self, difficulty: Literal["anchors", "level"]) -> list[list[int]]:
        """Places of the easiest third, of the easier two thirds, and of all; programs of no level are the hardest."""
        known: Sequence[int | None] = self.anchors if difficulty == "anchors" else self.levels
        hardest = max((key for key in known if key is not None), default=0) + 1
        keys = [hardest if key is None else key for key in known]
        order = sorted(range(len(self)), key=keys.__getitem__)
        return [order[: ceil(len(order) * part / 3)] for part in (1, 2, 3)]
