"""Packing: the rows of an update put end to end in few sequences, planned for the whole run before it starts.

An update has a fixed number of micro-batches (gradients are accumulated over as many, on every process), so every
update of a run has the same number of sequences: the fewest that hold the rows of each. Rows are put where most space
is left, the longest first. That keeps the sequences of an update almost equal in length: little padding, no process
waits for another, and attention, whose cost grows with the square of a sequence, is cheapest.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from training.config import Recipe

if TYPE_CHECKING:  # the dry run asks for the longest sequence, without torch
    from training.examples import Encoded


def most_tokens(recipe: Recipe) -> int:
    """The longest sequence that a packed recipe allows: `sft.packed_tokens`, or one row that is longer."""
    return max(recipe.sft.packed_tokens, recipe.slice.max_prompt_tokens + recipe.slice.max_response_tokens)


def num_tokens(rows: Sequence[Encoded]) -> int:
    """Of rows that share a sequence."""
    return sum(row.length for row in rows)


def spread(rows: Sequence[Encoded], num_sequences: int) -> list[list[Encoded]]:
    """The rows in that many sequences: the longest row first, each to the sequence that is shortest so far.

    With more sequences none gets longer.
    """
    sequences: list[list[Encoded]] = [[] for _ in range(num_sequences)]
    shortest = [(0, place) for place in range(num_sequences)]
    for row in sorted(rows, key=lambda row: -row.length):
        length, place = heapq.heappop(shortest)
        sequences[place].append(row)
        heapq.heappush(shortest, (length + row.length, place))
    return sequences


def fewest_sequences(rows: Sequence[Encoded], limit: int) -> int:
    """Least number of sequences of at most `limit` tokens; a row that is longer has one of its own."""
    num = -(-sum(min(row.length, limit) for row in rows) // limit)
    while any(len(shared) > 1 and num_tokens(shared) > limit for shared in spread(rows, num)):
        num += 1
    return num


def packed(updates: Sequence[Sequence[Encoded]], recipe: Recipe, processes: int) -> list[list[list[Encoded]]]:
    """Micro-batches of all updates, in the order of use, each a list of sequences.

    A micro-batch has at most as many sequences as one of padded rows has rows. There are no more of them than
    `sft.micro_batches`, and the processes share them evenly.
    """
    sft = recipe.sft
    limit = sft.packed_tokens or most_tokens(recipe)
    needed = max(fewest_sequences(rows, limit) for rows in updates)
    parts = -(-needed // -(-sft.batch_size // sft.micro_batches))
    parts = -(-parts // processes) * processes
    num = min(sft.batch_size, -(-needed // parts) * parts)
    return [part for rows in updates for part in in_parts(sorted(spread(rows, num), key=num_tokens), parts)]


def in_parts(sequences: list[list[Encoded]], parts: int) -> list[list[list[Encoded]]]:
    """The sequences of an update, in their order, in so many parts of nearly equal number."""
    edges = [round(part * len(sequences) / parts) for part in range(parts + 1)]
    return [sequences[low:high] for low, high in itertools.pairwise(edges)]
