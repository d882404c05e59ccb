"""Batches of SFT: the plan of all updates, drawn once from the seed, so that a resumed run reads the same rows."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.config import Recipe, SliceSection
from training.examples import Encoded

PAD_MULTIPLE = 16
IGNORED = -100


def task_counts(part: SliceSection, available: Sequence[str], num_rows: int) -> dict[str, int]:
    """How many of `num_rows` rows each task gets: shares of the slice, rounded by the largest remainder.

    The share of questions is split evenly over the kinds of question that are there; the share of a task that has
    no example goes to the others.
    """
    own = {"output": part.output, "input": part.input, "code": part.code}
    kinds = [task for task in available if task not in own]
    shares = {task: share for task, share in own.items() if task in available}
    shares |= {task: part.questions / len(kinds) for task in kinds}
    total = sum(shares.values())
    exact = {task: num_rows * share / total for task, share in shares.items() if share}
    counts = {task: int(value) for task, value in exact.items()}
    left = sorted(exact, key=lambda task: (counts[task] - exact[task], task))
    for task in left[: num_rows - sum(counts.values())]:
        counts[task] += 1
    return counts


def draw_rows(pools: dict[str, list[Encoded]], recipe: Recipe, num_rows: int) -> list[Encoded]:
    """`num_rows` rows at random: each task goes through its pool in a new order each time."""
    rng = random.Random(f"sft rows {recipe.seed}")
    drawn: list[Encoded] = []
    for task, count in sorted(task_counts(recipe.slice, sorted(pools), num_rows).items()):
        rows: list[Encoded] = []
        while len(rows) < count:
            rows += rng.sample(pools[task], len(pools[task]))
        drawn += rows[:count]
    rng.shuffle(drawn)
    return drawn


def plan_batches(pools: dict[str, list[Encoded]], recipe: Recipe) -> list[list[Encoded]]:
    """Micro-batches in the order of use: `sft.micro_batches` of them make an update of `sft.batch_size` rows.

    The rows of an update are sorted by length before they are split, which saves padding.
    """
    size, parts = recipe.sft.batch_size, recipe.sft.micro_batches
    rows = draw_rows(pools, recipe, recipe.sft.updates * size)
    planned = []
    for start in range(0, len(rows), size):
        batch = sorted(rows[start : start + size], key=lambda row: row.length)
        edges = [round(part * size / parts) for part in range(parts + 1)]
        planned += [batch[low:high] for low, high in itertools.pairwise(edges)]
    return planned


class MicroBatches(Dataset[dict[str, Tensor]]):
    """The plan as tensors; item i is micro-batch i.

    `weights` are those of the paper's plain SFT on responses, plus `prompt_loss_weight` on prompt tokens, divided
    by the sum over the whole update: the losses of an update's micro-batches add up to its weighted mean.
    """

    def __init__(self, planned: list[list[Encoded]], recipe: Recipe, pad_id: int) -> None:
        self.planned = planned
        self.parts = recipe.sft.micro_batches
        self.prompt_weight = recipe.sft.prompt_loss_weight
        self.pad_id = pad_id

    def __len__(self) -> int:
        return len(self.planned)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        first = index // self.parts * self.parts
        total = sum(self._weight(row) for part in self.planned[first : first + self.parts] for row in part)
        return self.tensors(self.planned[index], total)

    def _weight(self, row: Encoded) -> float:
        # the first token is predicted from nothing
        return self.prompt_weight * (len(row.prompt_ids) - 1) + len(row.response_ids)

    def tensors(self, rows: Sequence[Encoded], total_weight: float) -> dict[str, Tensor]:
        """input_ids, attention_mask and weights, each (B, T), padded on the right to a multiple of 16."""
        longest = max(row.length for row in rows)
        width = -(-longest // PAD_MULTIPLE) * PAD_MULTIPLE
        ids_BT = torch.full((len(rows), width), self.pad_id)
        mask_BT = torch.zeros(len(rows), width, dtype=torch.long)
        weights_BT = torch.zeros(len(rows), width)
        for b, row in enumerate(rows):
            start, length = len(row.prompt_ids), row.length
            ids_BT[b, :length] = torch.tensor(row.prompt_ids + row.response_ids)
            mask_BT[b, :length] = 1
            weights_BT[b, 1:start] = self.prompt_weight
            weights_BT[b, start:length] = 1
        return {"input_ids": ids_BT, "attention_mask": mask_BT, "weights": weights_BT / total_weight}


def only(items: list[Any]) -> Any:
    """Collate function of ready micro-batches, which are loaded one at a time."""
    (item,) = items
    return item
