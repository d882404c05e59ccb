"""Widths of padded batches: multiples of 16 tokens, so that few shapes occur."""

from __future__ import annotations

PAD_MULTIPLE = 16


def padded_width(length: int) -> int:
    """The least multiple of PAD_MULTIPLE that holds `length` tokens, and at least one of them."""
    return -(-max(1, length) // PAD_MULTIPLE) * PAD_MULTIPLE
