"""The traces that a stage may draw from: in an order from hashes, the same on any machine, read when they are used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, Literal

from execution.traces import Trace


def draw_hash(seed: int, *parts: str) -> str:
    """A hash that orders things at random but the same everywhere."""
    return hashlib.sha256("\0".join((str(seed), *parts)).encode()).hexdigest()


class Traces(Sequence[Trace]):
    """Traces of a dataset in the order of program_id, each read from its JSON when it is first asked for. `anchors` and
    `levels` (None: of no level) are known without reading."""

    def __init__(
        self,
        program_ids: Sequence[str],
        texts: Sequence[str],
        anchors: Sequence[int] = (),
        levels: Sequence[int | None] = (),
    ) -> None:
        self.program_ids = list(program_ids)
        self.anchors, self.levels = anchors, levels
        self._texts = texts
        self._read: dict[int, Trace] = {}

    @staticmethod
    def of(traces: Sequence[Trace]) -> Traces:
        return Traces([trace.program.program_id for trace in traces], [trace.to_json() for trace in traces])

    def __len__(self) -> int:
        return len(self.program_ids)

    def __getitem__(self, index: Any) -> Any:
        if index not in self._read:
            self._read[index] = Trace.from_json(self._texts[index])
        return self._read[index]

    def drawn(self, seed: int, purpose: str, among: Sequence[int] | None = None) -> Iterator[Trace]:
        """All traces (or those at the places `among`) in a random order that depends on the seed, the purpose and the
        programs alone."""
        places = range(len(self)) if among is None else among
        order = sorted(places, key=lambda index: draw_hash(seed, purpose, self.program_ids[index]))
        return map(self.__getitem__, order)

    def thirds(self, difficulty: Literal["anchors", "level"]) -> list[list[int]]:
        """Places of the easiest third, of the easier two thirds, and of all; programs of no level are the hardest."""
        known = list(self.anchors if difficulty == "anchors" else self.levels)
        hardest = max((key for key in known if key is not None), default=0) + 1
        keys = [hardest if key is None else key for key in known]
        order = sorted(range(len(self)), key=keys.__getitem__)
        return [order[: ceil(len(order) * part / 3)] for part in (1, 2, 3)]
