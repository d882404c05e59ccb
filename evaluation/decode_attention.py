"""Attention of one new token over cached keys and values that are shared by groups of heads, without copying them.

transformers repeats keys and values for every query head at every token, which costs more than the attention itself
in small models on a CPU. Here the queries that share a key head are put beside each other instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

NAME = "stepcode_decode"
# Architectures whose attention is nothing but queries, keys, values and a mask (no sinks, caps or biases).
_MODEL_TYPES = frozenset({"llama", "qwen2"})


def decode_attention_forward(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """query (rows, heads, new, dim), key and value (rows, key heads, all, dim) -> (rows, new, heads, dim)."""
    rows, heads, new, dim = query.shape
    if new > 1:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    key_heads = key.shape[1]
    grouped = query.reshape(rows, key_heads, heads // key_heads, dim) * (dim**-0.5 if scaling is None else scaling)
    scores = torch.matmul(grouped, key.transpose(2, 3))
    if attention_mask is not None:
        scores += attention_mask
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
    return torch.matmul(weights, value).reshape(rows, 1, heads, dim), None


ALL_ATTENTION_FUNCTIONS.register(NAME, decode_attention_forward)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, eager_mask)


@contextmanager
def fast_decoding(model: PreTrainedModel) -> Iterator[None]:
    """Within the context, a model on the CPU that it is right for uses `decode_attention_forward`."""
    config = model.config
    before = config._attn_implementation
    if model.device.type != "cpu" or config.model_type not in _MODEL_TYPES or before not in ("sdpa", "eager"):
        yield
        return
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
