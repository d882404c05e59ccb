"""Characters to sampled tokens, boundaries inside tokens included."""

from collections.abc import Sequence

import pytest

from training.spans import TokenMap


def pieces(*texts: str) -> TokenMap:
    def decode(token_ids: Sequence[int]) -> str:
        return "".join(texts[token_id] for token_id in token_ids)

    return TokenMap(range(len(texts)), decode)


def test_boundaries_on_token_edges() -> None:
    mapped = pieces("ab", "c", "def")
    assert mapped.text == "abcdef"
    assert mapped.token_span(0, 3) == (0, 2)
    assert mapped.token_span(3, 6) == (2, 3)


def test_a_token_that_holds_the_boundary_belongs_to_the_finishing_step() -> None:
    # "<print>a</print" "><" "print>b</print>": the first block ends inside the second token
    mapped = pieces("<print>a", "</print", "><", "print>b", "</print>")
    first = len("<print>a</print>")
    assert mapped.token_span(0, first) == (0, 3)
    assert mapped.token_span(first, len(mapped.text)) == (3, 5)


def test_a_span_within_one_token_owns_nothing_twice() -> None:
    mapped = pieces("abcd", "e")
    assert mapped.token_span(0, 2) == (0, 1)
    assert mapped.token_span(2, 4) == (1, 1)


def test_bytes_of_one_character_spread_over_tokens() -> None:
    raw = [b"a", b"\xf0\x9f", b"\x98", b"\x80", b"b"]

    def decode(token_ids: Sequence[int]) -> str:
        return b"".join(raw[token_id] for token_id in token_ids).decode("utf-8", "replace")

    mapped = TokenMap(range(5), decode)
    assert mapped.text == "a\N{GRINNING FACE}b"
    assert mapped.token_span(0, 1) == (0, 1)
    assert mapped.tokens_covering(3) == 5


def test_agrees_with_a_linear_search_on_every_offset() -> None:
    texts = ["<print>", "a: 1", "", "</print", "><", "reasoning>", "x", "é"] * 4
    mapped = pieces(*texts)
    for offset in range(len(mapped.text) + 1):
        linear = next(k for k in range(len(texts) + 1) if len("".join(texts[:k])) >= offset)
        assert mapped.tokens_covering(offset) == linear


@pytest.mark.parametrize("offset", [-1, 4])
def test_an_offset_outside_of_the_text_is_refused(offset: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        pieces("ab", "c").tokens_covering(offset)
