"""Dynamic sampling: groups that teach nothing give their place to other prompts (DAPO, arXiv 2503.14476, section 3.2).

DAPO samples until the batch is full; here a fixed number of rounds bounds the time, and what is still without variance
after them stays in the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from execution.traces import Trace
from training.grading import Graded
from training.group_credit import without_variance
from training.processes import gathered
from training.training_sections import RlSection

Inputs = dict[str, Any]
Ids = list[int]


@dataclass
class Batch:
    """Rows of a batch with their rollouts and traces, all in group order; `replaced` groups had no variance.
    `drawn_tokens` also counts responses that were given up."""

    inputs: list[Inputs]
    prompt_ids: list[Ids]
    completion_ids: list[Ids]
    graded: list[Graded]
    traces: list[Trace | None]
    replaced: int = 0
    drawn_tokens: int = 0

    def __post_init__(self) -> None:
        self.drawn_tokens = sum(map(len, self.completion_ids))

    def put(self, mine: slice, other: Batch, theirs: slice) -> None:
        """Set the rows `mine` to the rows `theirs` of another batch."""
        self.inputs[mine] = other.inputs[theirs]
        self.prompt_ids[mine] = other.prompt_ids[theirs]
        self.completion_ids[mine] = other.completion_ids[theirs]
        self.graded[mine] = other.graded[theirs]
        self.traces[mine] = other.traces[theirs]

    def dead(self, rows: slice, section: RlSection) -> bool:
        """Whether the group in these rows has no variance."""
        return without_variance(self.graded[rows], self.traces[rows], section)


def allowed_rows(section: RlSection, num_rows: int, update: int) -> int:
    """From how many of the run's first rows a replacement may be drawn: from all; under a curriculum from those that
    the run uses until the end of the third in which `update` (from 0) is."""
    if section.curriculum == "none":
        return num_rows
    third = min(2, 3 * update // section.updates)
    return max(1, num_rows * (third + 1) // 3)


def with_variance(
    inputs: list[Inputs],
    section: RlSection,
    group_size: int,
    sample: Callable[[list[Inputs], int], Batch],
    another: Callable[[int, int], Inputs],
) -> Batch:
    """The batch of `inputs` in which groups without variance are replaced, for `section.dynamic_sampling` rounds.

    `sample(rows, round)` gives rollouts; `another(round, place)` the row that takes a group's place. A replacement
    counts only where it has variance itself. All processes go through the same rounds, some without rows, because an
    engine that they share can't work for one of them alone.
    """
    batch = sample(inputs, 0)
    for number in range(1, section.dynamic_sampling + 1):
        starts = range(0, len(batch.graded), group_size)
        dead = [start for start in starts if batch.dead(slice(start, start + group_size), section)]
        if not any(gathered(bool(dead))):
            break
        rows = [row for place, _ in enumerate(dead) for row in [another(number, place)] * group_size]
        found = sample(rows, number)
        batch.drawn_tokens += found.drawn_tokens
        for place, start in enumerate(dead):
            chosen = slice(place * group_size, (place + 1) * group_size)
            if not found.dead(chosen, section):
                batch.put(slice(start, start + group_size), found, chosen)
                batch.replaced += 1
    return batch
