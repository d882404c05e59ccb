"""Contamination: which sources of the corpus share a run of tokens with a benchmark's programs.

Source: 10-gram decontamination of StepCodeReasoner (arXiv 2605.11922, §3.2), which does not say what a token is.
Here: Python's tokens (a string is one) without comments, layout and pure punctuation, names as they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from corpus.normal_form import tokens

NGRAM = 10
_PUNCTUATION = frozenset("()[]{},:;.")


def overlaps(
    sources: Mapping[str, str], benchmarks: Mapping[str, str], ngram: int = NGRAM
) -> dict[str, tuple[str, ...]]:
    """source_id -> names of the benchmark programs that share `ngram` tokens in a row with it, sorted.

    `benchmarks` maps a name to a program text. Sources that share nothing are not in the result. A text of fewer
    than `ngram` tokens counts as one n-gram of its own.
    """
    if ngram < 1:
        raise ValueError(f"n-grams of {ngram} tokens: give at least 1")
    where: dict[tuple[str, ...], set[str]] = {}
    for name, text in benchmarks.items():
        for gram in _ngrams(text, ngram):
            where.setdefault(gram, set()).add(name)
    found: dict[str, tuple[str, ...]] = {}
    for source_id, text in sources.items():
        names: set[str] = set().union(*(where[gram] for gram in _ngrams(text, ngram) if gram in where))
        if names:
            found[source_id] = tuple(sorted(names))
    return found


def _ngrams(text: str, size: int) -> Iterator[tuple[str, ...]]:
    words = [token for token in tokens(text) if token not in _PUNCTUATION]
    for start in range(max(1, len(words) - size + 1)):
        yield tuple(words[start : start + size])
