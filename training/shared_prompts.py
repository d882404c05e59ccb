"""A group's rollouts in one row of the forward pass: the prompt once, then the responses, none of which sees another.

The prompt's last token stands again in front of each response, at the same position, so that every response token has
the token that it follows on its left. Log-probabilities and gradients are those of a row per rollout; the prompt is
computed once for a group instead of G times. Attention is a mask of its own, which flash attention does not take.

B rollouts, R packed rows of W tokens, K response tokens in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training.padding import padded_width

IGNORED = -100
MOST_RESPONSES = 8
_PROMPT, _PADDING = 0, -1


@dataclass(frozen=True)
class Packed:
    """Tensors of a forward pass, and where each response token came from."""

    input_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    packed_2K: Tensor
    source_2K: Tensor

    def inputs(self) -> dict[str, Tensor]:
        """What the model's forward takes."""
        names = ("input_ids", "position_ids", "attention_mask", "labels")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class _Group:
    prompt: list[int]
    rollouts: list[tuple[int, list[int]]]

    @property
    def length(self) -> int:
        return len(self.prompt) - 1 + sum(1 + len(response) for _, response in self.rollouts)


def packed_parts(
    input_ids: Tensor, attention_mask: Tensor, keep: int, parts: int, dtype: torch.dtype | None = None
) -> Iterator[Packed]:
    """The rollouts' groups, sorted by length, in at most `parts` parts.

    `input_ids` and `attention_mask` (B, S): prompts padded on the left, the last `keep` columns responses padded on the
    right. The parts' attention is a mask of booleans; with a `dtype` one that is added.
    """
    groups = sorted(_groups(input_ids, attention_mask.bool(), keep), key=lambda group: group.length)
    for part in torch.arange(len(groups)).tensor_split(min(parts, len(groups))):
        yield _pack([groups[place] for place in part.tolist()], input_ids.device, dtype)


def _groups(input_ids: Tensor, seen: Tensor, keep: int) -> list[_Group]:
    by_prompt: dict[tuple[int, ...], list[tuple[int, list[int]]]] = {}
    ids, mask = input_ids.tolist(), seen.tolist()
    for row, (tokens, present) in enumerate(zip(ids, mask, strict=True)):
        known = [token for token, there in zip(tokens[:-keep], present[:-keep], strict=True) if there]
        response = [token for token, there in zip(tokens[-keep:], present[-keep:], strict=True) if there]
        by_prompt.setdefault(tuple(known), []).append((row, response))
    return [
        _Group(list(prompt), rollouts[start : start + MOST_RESPONSES])
        for prompt, rollouts in by_prompt.items()
        for start in range(0, len(rollouts), MOST_RESPONSES)
    ]


def _pack(groups: Sequence[_Group], device: torch.device, dtype: torch.dtype | None) -> Packed:
    width = padded_width(max(group.length for group in groups))
    shape = (len(groups), width)
    ids_RW, labels_RW = torch.zeros(shape, dtype=torch.long), torch.full(shape, IGNORED)
    position_RW, segment_RW = torch.zeros_like(ids_RW), torch.full(shape, _PADDING)
    packed: list[tuple[int, int]] = []
    source: list[tuple[int, int]] = []
    for row, group in enumerate(groups):
        shared = len(group.prompt) - 1
        ids_RW[row, :shared] = torch.tensor(group.prompt[:-1], dtype=torch.long)
        position_RW[row, :shared] = torch.arange(shared)
        segment_RW[row, :shared] = _PROMPT
        start = shared
        for number, (rollout, response) in enumerate(group.rollouts, start=1):
            end = start + 1 + len(response)
            tokens = torch.tensor([group.prompt[-1], *response])
            ids_RW[row, start:end] = tokens
            labels_RW[row, start + 1 : end] = tokens[1:]
            position_RW[row, start:end] = torch.arange(shared, shared + 1 + len(response))
            segment_RW[row, start:end] = number
            packed += [(row, column) for column in range(start, end - 1)]
            source += [(rollout, column) for column in range(len(response))]
            start = end
    return Packed(
        ids_RW.to(device),
        position_RW.to(device),
        _attention(segment_RW.to(device), dtype),
        labels_RW.to(device),
        torch.tensor(packed, dtype=torch.long).reshape(-1, 2).T.to(device),
        torch.tensor(source, dtype=torch.long).reshape(-1, 2).T.to(device),
    )


def _attention(segment_RW: Tensor, dtype: torch.dtype | None) -> Tensor:
    """(R, 1, W, W): where a token sees another (itself, what is before it in its response, the shared prompt)."""
    own = segment_RW[:, :, None] == segment_RW[:, None, :]
    sees = (own | (segment_RW == _PROMPT)[:, None, :]).tril()
    return (sees if dtype is None else torch.where(sees, 0.0, torch.finfo(dtype).min).to(dtype))[:, None]


def responses_of(part: Packed, value_RV: Tensor, into_BT: Tensor) -> Tensor:
    """`into_BT` with the part's values of response tokens; column w of `value_RV` belongs to token w + 1."""
    (row_K, column_K), (rollout_K, place_K) = part.packed_2K, part.source_2K
    return into_BT.index_put((rollout_K, place_K), value_RV[row_K, column_K].to(into_BT.dtype))


def in_order_of(batches: Sequence[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """The same micro-batches with rows sorted by the column `key`, which TRL's shuffle had spread over them."""
    order = torch.cat([batch[key] for batch in batches]).argsort()
    size = len(order) // len(batches)
    ordered = [dict(batch) for batch in batches]
    for name, first in batches[0].items():
        if isinstance(first, Tensor) and first.ndim:
            whole = torch.cat([batch[name] for batch in batches])[order]
            for batch, part in zip(ordered, whole.split(size), strict=True):
                batch[name] = part
    return ordered


def mask_dtype(model: Any) -> torch.dtype | None:
    """What `packed_parts` needs for the model's attention; ValueError where that takes no mask of ours."""
    kind = model.config._attn_implementation
    if kind not in ("sdpa", "eager"):
        raise ValueError(f"rl.share_prompts needs attention 'sdpa' or 'eager', not {kind!r}: set it to false")
    return None if kind == "sdpa" else model.dtype
