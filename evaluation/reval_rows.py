"""REval's incremental consistency from the rows of an evaluation (Chen et al., arXiv 2403.16437, section 4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.scorers.reval_metrics import consistency

_OF_A_POINT = ("coverage", "state", "path")
_TASKS = (*_OF_A_POINT, "output")


@dataclass(frozen=True)
class Consistency:
    """`score` in percent over `num_points` points, nan for none; `num_left_out` points lack one of the four verdicts
    (not asked, left out, or not judged)."""

    score: float
    num_points: int
    num_left_out: int


def consistency_from_rows(rows: Iterable[Mapping[str, Any]], column: str) -> Consistency:
    """Incremental consistency of REval's rows by the verdicts in `column` (True, False, or None: not judged).

    A row tells `item_id`, `task` and `pair`; rows of other benchmarks are passed over. A pair's output verdict counts
    for each of its points. Raises ValueError for two rows about one thing: rows of several forms, or repeats.
    """
    points: dict[tuple[str, int], dict[str, bool | None]] = {}
    outputs: dict[str, bool | None] = {}
    for row in rows:
        if not row["item_id"].startswith("reval/"):
            continue
        pair, task, verdict = row["pair"], row["task"], row.get(column)
        if task == "output":
            known, key = outputs, pair
        elif task in _OF_A_POINT:
            known, key = points.setdefault((pair, point_of(row["item_id"])), {}), task
        else:
            continue
        if key in known:
            raise ValueError(f"two rows about {task} of {pair}: give the rows of one form, each once")
        known[key] = verdict
    told = [[*(said.get(task) for task in _OF_A_POINT), outputs.get(pair)] for (pair, _), said in points.items()]
    whole = [[verdict is True for verdict in verdicts] for verdicts in told if None not in verdicts]
    columns = [list(column_of) for column_of in zip(*whole, strict=True)] or [[] for _ in _TASKS]
    return Consistency(consistency(*columns), len(whole), len(told) - len(whole))


def point_of(item_id: str) -> int:
    """The point's number in its pair, from the id of a row: `reval/PAIR/POINT/TASK`, `@FORM` after it or not."""
    return int(item_id.split("/")[-2])
