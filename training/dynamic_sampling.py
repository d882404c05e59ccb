"""Dynamic sampling: groups that teach nothing give their place to other prompts (DAPO, arXiv 2503.14476, section 3.2).

DAPO samples until the batch is full; here a fixed number of rounds bounds the time, and what is still without variance
after them stays in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from training.config import WHOLE_RESPONSE_MODES, RlSection
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

    def put(self, mine: slice, other: Batch, theirs: slice) -> None:
        """Set the rows `mine` to the rows `theirs` of another batch."""
        self.inputs[mine] = other.inputs[theirs]
        self.prompt_ids[mine] = other.prompt_ids[theirs]
        self.completion_ids[mine] = other.completion_ids[theirs]
        self.graded[mine] = other.graded[theirs]


def without_variance(group: Sequence[Graded], section: RlSection) -> bool:
    """Whether all rollouts of a group have the same rewards, as the mode sees them: equation 10 gives them nothing."""
    reward = MODES[section.mode].reward

    def seen(one: Graded) -> str:
        by_step = () if section.mode in WHOLE_RESPONSE_MODES else one.credited
        return repr((by_step, reward(one.step_rewards, one.final_reward, section)))

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
            if not without_variance(found.graded[chosen], section):
                batch.put(slice(start, start + group_size), found, chosen)
                batch.replaced += 1
    return batch
