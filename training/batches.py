"""Batches of SFT: the plan of all updates, drawn once from the seed, so that a resumed run reads the same rows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.config import Recipe
from training.data_sections import SliceSection
from training.examples import Encoded
from training.packing import in_parts, num_tokens, packed
from training.padding import padded_width

MicroBatch = list[list[Encoded]]  # sequences, each the rows that share it


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


def plan_batches(pools: dict[str, list[Encoded]], recipe: Recipe, processes: int = 1) -> list[MicroBatch]:
    """Micro-batches in the order of use; the same number of them makes each update of `sft.batch_size` rows.

    Without packing `sft.micro_batches` of them do, and a sequence is one row; the rows of an update are sorted by
    length before they are split, which saves padding. Packing changes how an update's rows lie, not which they are.
    """
    size = recipe.sft.batch_size
    rows = draw_rows(pools, recipe, recipe.sft.updates * size)
    updates = [rows[start : start + size] for start in range(0, len(rows), size)]
    if recipe.sft.packing:
        return packed(updates, recipe, processes)
    by_length = ([[row] for row in sorted(update, key=lambda row: row.length)] for update in updates)
    return [part for sequences in by_length for part in in_parts(sequences, recipe.sft.micro_batches)]


def rows_of(part: MicroBatch) -> list[Encoded]:
    """The rows of a micro-batch, whatever sequences they are in."""
    return [row for sequence in part for row in sequence]


class MicroBatches(Dataset[dict[str, Tensor]]):
    """The plan as tensors; item i is micro-batch i.

    `weights` are those of the paper's plain SFT on responses, plus `prompt_loss_weight` on prompt tokens, divided
    by the sum over the whole update: the losses of an update's micro-batches add up to its weighted mean.

    Packed sequences have `position_ids` that start again at each row and no `attention_mask`: that is how transformers
    knows that rows must not see each other (`find_packed_sequence_indices`); a mask of two dimensions would switch it
    off, and so would a cache. Flash attention knows it for one sequence only (`_is_packed_sequence`), so `flat` makes
    one of them all.
    """

    def __init__(self, planned: list[MicroBatch], recipe: Recipe, pad_id: int, flat: bool = False) -> None:
        self.planned = planned
        self.parts = len(planned) // recipe.sft.updates
        self.packed, self.flat = recipe.sft.packing, flat
        self.prompt_weight = recipe.sft.prompt_loss_weight
        self.pad_id = pad_id

    def __len__(self) -> int:
        return len(self.planned)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        first = index // self.parts * self.parts
        total = sum(self._weight(row) for part in self.planned[first : first + self.parts] for row in rows_of(part))
        return self.tensors(self.planned[index], total)

    def _weight(self, row: Encoded) -> float:
        # the first token is predicted from nothing
        return self.prompt_weight * (len(row.prompt_ids) - 1) + len(row.response_ids)

    def tensors(self, part: MicroBatch, total_weight: float) -> dict[str, Tensor]:
        """input_ids, attention_mask or position_ids, and weights, each (B, T), padded on the right to a multiple of 16.

        B counts sequences. What is padded has positions of its own, as a further row would.
        """
        part = [rows_of(part)] if self.packed and self.flat else part
        width = padded_width(max(map(num_tokens, part)))
        ids_BT = torch.full((len(part), width), self.pad_id)
        mask_BT, positions_BT = (torch.zeros(len(part), width, dtype=torch.long) for _ in range(2))
        weights_BT = torch.zeros(len(part), width)
        for b, sequence in enumerate(part):
            start = 0
            for row in sequence:
                response, end = start + len(row.prompt_ids), start + row.length
                ids_BT[b, start:end] = torch.tensor(row.prompt_ids + row.response_ids)
                positions_BT[b, start:end] = torch.arange(row.length)
                weights_BT[b, start + 1 : response] = self.prompt_weight
                weights_BT[b, response:end] = 1
                start = end
            mask_BT[b, :start] = 1
            positions_BT[b, start:] = torch.arange(width - start)
        where = {"position_ids": positions_BT} if self.packed else {"attention_mask": mask_BT}
        return {"input_ids": ids_BT, **where, "weights": weights_BT / total_weight}


def only(items: list[Any]) -> Any:
    """Collate function of ready micro-batches, which are loaded one at a time."""
    (item,) = items
    return item
