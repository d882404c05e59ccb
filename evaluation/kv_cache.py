"""Key-value cache whose buffers grow by doubling: appending one token writes one slice instead of copying all."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer


class GrowingLayer(DynamicLayer):
    """A `DynamicLayer` with spare room: `keys` and `values` are views of larger buffers.

    transformers' own layer concatenates at every token, which copies the whole cache each time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._key_buffer: torch.Tensor | None = None
        self._value_buffer: torch.Tensor | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append states of shape (rows, heads, new, head_dim); returns all keys and values so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        if self._key_buffer is None or self._value_buffer is None or after > self._key_buffer.shape[-2]:
            self._key_buffer = _with_room(key_states, self.keys, before, after)
            self._value_buffer = _with_room(value_states, self.values, before, after)
        self._key_buffer[:, :, before:after] = key_states
        self._value_buffer[:, :, before:after] = value_states
        self.keys = self._key_buffer[:, :, :after]
        self.values = self._value_buffer[:, :, :after]
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._key_buffer = self._value_buffer = None

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        super().batch_select_indices(indices)
        self._key_buffer = self._value_buffer = None


def _with_room(like: torch.Tensor, old: torch.Tensor | None, before: int, after: int) -> torch.Tensor:
    """A buffer for at least `after` tokens (the next multiple of 64 above 1.5 times as many), old states in it."""
    rows, heads, _, head_dim = like.shape
    room = -(-(after + after // 2) // 64) * 64
    buffer = like.new_empty((rows, heads, room, head_dim))
    if before and old is not None:
        buffer[:, :, :before] = old
    return buffer


def new_cache(model: PreTrainedModel) -> DynamicCache:
    """An empty cache for the model; layers that look back without limit get growing buffers."""
    cache = DynamicCache(config=model.config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
