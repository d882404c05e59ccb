"""The rollout log: some groups of some updates with everything that led to each token's advantage, as JSON lines.

`stepcode explain` prints it. Resuming drops the rows that are written again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerFast

from training.config import Recipe
from training.examples import Example
from training.grading import Graded
from training.group_credit import Credit
from training.metrics import ROLLOUTS, MetricsFile, Row
from training.tokenizer import decode

_ROUNDED = 6


class RolloutLog:
    """Writes the first `rollout_groups` groups of every `rollouts_every`-th update, the first update included."""

    def __init__(self, folder: Path, recipe: Recipe, last_update: int) -> None:
        self.section = recipe.logging
        self.mode: Row = {"mode": recipe.rl.mode, "lambda_intra": recipe.rl.intra_weight}
        self.file = MetricsFile(folder / ROLLOUTS)
        self.file.keep_until(last_update)

    def wants(self, update: int) -> bool:
        every = self.section.rollouts_every
        return every > 0 and (update - 1) % every == 0

    def write(
        self,
        update: int,
        examples: Sequence[Example],
        graded: Sequence[Graded],
        credit: Credit,
        token_ids: Sequence[Sequence[int]],
        advantage_BT: Tensor,
        group_size: int,
        tokenizer: PreTrainedTokenizerFast,
    ) -> None:
        """The rows of this process's first groups; tensors as in `training.group_credit.Credit`."""
        for b in range(min(len(graded), self.section.rollout_groups * group_size)):
            num_steps = len(graded[b].step_rewards)
            row: Row = {
                "update": update,
                "group": b // group_size,
                "rollout": b % group_size,
                **self.mode,
                **_truth(examples[b]),
                **_rewards(graded[b]),
                "tokens": [decode(tokenizer, [token]) for token in token_ids[b]],
                "group_advantages": _numbers(credit.group_BN[b, :num_steps]),
                "step_advantages": _numbers(credit.step_BN[b, :num_steps]),
                "final_advantage": _numbers(credit.final_B[b : b + 1])[0],
                "advantages": _numbers(advantage_BT[b, : len(token_ids[b])]),
            }
            self.file.append(row)


def _truth(example: Example) -> Row:
    trace = example.trace
    return {
        "task": example.task,
        "program_id": example.program_id,
        "call": trace.program.call if trace else "",
        "prompt": example.prompt,
        "result": trace.result if trace else None,
        "states": [state.text for state in trace.states] if trace else [],
    }


def _rewards(graded: Graded) -> Row:
    return {
        "text": graded.text,
        "spans": [list(span) for span in graded.spans],
        "step_rewards": _numbers(graded.step_rewards),
        "own_rewards": _numbers(graded.own_rewards),
        "final_reward": _numbers([graded.final_reward])[0],
        "sequence": list(graded.sequence),
        "reason": graded.reason,
        "faults": list(graded.faults),
    }


def _numbers(values: Sequence[float] | Tensor) -> list[float | None]:
    """Rounded; None where there is no number."""
    plain: list[Any] = values.tolist() if isinstance(values, Tensor) else list(values)
    return [None if math.isnan(value) else round(value, _ROUNDED) for value in plain]
