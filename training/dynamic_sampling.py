"""Dynamic sampling: groups that teach nothing give their place to other prompts (DAPO, arXiv 2503.14476, section 3.2).

DAPO samples until the batch is full; here a fixed number of rounds bounds the time, and what is still without variance
after them stays in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from training.config import RlSection
from training.credit import MODES
from training.grading import Graded

Inputs = dict[str, Any]
Ids = list[int]


@dataclass
class Batch:
    """Rows of a batch with their rollouts, all in group order; `replaced` groups had no variance."""

    inputs: list[Inputs]
    prompt_ids: list[Ids]
    completion_ids: list[Ids]
    graded: list[Graded]
    replaced: int = 0

    def put(self, places: Sequence[int], other: Batch) -> None:
        """Set the rows at `places` to those of `other`, in order."""
        for place, row in zip(places, range(len(other.inputs)), strict=True):
            self.inputs[place] = other.inputs[row]
            self.prompt_ids[place] = other.prompt_ids[row]
            self.completion_ids[place] = other.completion_ids[row]
            self.graded[place] = other.graded[row]


def without_variance(group: Sequence[Graded], section: RlSection) -> bool:
    """Whether all rollouts of a group have the same rewards, as the mode sees them: equation 10 gives them nothing."""
    mode = MODES[section.mode]

    def seen(one: Graded) -> str:
        steps = one.own_rewards if mode.own_states else one.step_rewards
        by_step = () if mode.rule is MODES["terminal"].rule else steps
        return repr((by_step, mode.reward(one.step_rewards, one.final_reward, section)))

    return len({seen(one) for one in group}) == 1


def with_variance(
    inputs: list[Inputs],
    section: RlSection,
    group_size: int,
    sample: Callable[[list[Inputs], int], Batch],
    another: Callable[[int, int], Inputs],
) -> Batch:
    """The batch of `inputs` in which groups without variance are replaced, for `section.dynamic_sampling` rounds.

    `sample(rows, round)` gives rollouts; `another(round, place)` the row that takes a group's place. A replacement
    counts only where it has variance itself.
    """
    batch = sample(inputs, 0)
    for number in range(1, section.dynamic_sampling + 1):
        starts = range(0, len(batch.graded), group_size)
        dead = [start for start in starts if without_variance(batch.graded[start : start + group_size], section)]
        if not dead:
            break
        rows = [row for place, _ in enumerate(dead) for row in [another(number, place)] * group_size]
        found = sample(rows, number)
        for place, start in enumerate(dead):
            chosen = slice(place * group_size, (place + 1) * group_size)
            if without_variance(found.graded[chosen], section):
                continue
            one = Batch(
                found.inputs[chosen], found.prompt_ids[chosen], found.completion_ids[chosen], found.graded[chosen]
            )
            batch.put(range(start, start + group_size), one)
            batch.replaced += 1
    return batch
