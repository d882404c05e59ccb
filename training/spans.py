"""Spans: from characters of a decoded response to the sampled tokens, without tokenising the text again.

Tokenising the decoded text again gives other ids than the sampled ones in some responses, which would shift every
later span silently; so positions are found by decoding prefixes of the sampled ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]


class TokenMap:
    """Token positions of character offsets in one sampled response.

    `decode` turns ids to text and must keep special tokens and spaces as they are.
    """

    def __init__(self, token_ids: Sequence[int], decode: Decode) -> None:
        self._ids = list(token_ids)
        self._decode = decode
        self._lengths = {0: 0}
        self.text = decode(self._ids)
        self._lengths[len(self._ids)] = len(self.text)

    def _length(self, num_tokens: int) -> int:
        if num_tokens not in self._lengths:
            self._lengths[num_tokens] = len(self._decode(self._ids[:num_tokens]))
        return self._lengths[num_tokens]

    def tokens_covering(self, offset: int) -> int:
        """The fewest tokens whose text has at least `offset` characters.

        A prefix's length never shrinks as tokens are added (an unfinished character decodes to one replacement
        character), so it is found by bisection. Raises ValueError where the text is shorter than `offset`.
        """
        if offset < 0 or offset > len(self.text):
            raise ValueError(f"offset {offset} lies outside of a text of {len(self.text)} characters")
        low, high = 0, len(self._ids)
        while low < high:
            middle = (low + high) // 2
            if self._length(middle) >= offset:
                high = middle
            else:
                low = middle + 1
        return low

    def token_span(self, start: int, end: int) -> tuple[int, int]:
        """Tokens (first, past the last) of the characters start <= c < end.

        A token that holds a boundary inside belongs to the span that ends in it: with plain BPE the `>` of
        `</print>` often shares a token with the `<` of the next tag, and it is the finishing step that wrote it.
        """
        return self.tokens_covering(start), self.tokens_covering(end)
