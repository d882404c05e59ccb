"""Duplicates: which sources are the same program, or nearly, so that no twin is on both sides of a split.

Departure from the usual MinHash index: pairs are found by a prefix-filtered set-similarity join (Chaudhuri et al.,
2006; Bayardo et al., 2007), which is exact. An approximate index misses some pairs just over the threshold, and each
one may put a twin of a training program among those that the model is measured on.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from corpus.normal_form import normal_source, tokens

SHINGLE = 5


def exact_duplicates(sources: Mapping[str, str]) -> dict[str, str]:
    """source_id -> cluster_id, the smallest source_id of those with the same normal form.

    The normal form keeps constants and forgets the names of locals, layout, comments and docstrings.
    """
    return _clusters(sources, _same({key: normal_source(text) for key, text in sources.items()}))


def near_duplicates(sources: Mapping[str, str], threshold: float = 0.85) -> dict[str, str]:
    """source_id -> cluster_id, the smallest source_id of the cluster.

    Two sources belong together where the Jaccard similarity of the sets of 5-grams of their normal forms' tokens
    is at least `threshold` (0 < threshold <= 1), or where a chain of such pairs joins them.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"a threshold of {threshold}: give a Jaccard similarity above 0, at most 1")
    normal = {key: normal_source(text) for key, text in sources.items()}
    # Each different normal form is compared once.
    first_of: dict[str, str] = {}
    for key in sorted(normal):
        first_of.setdefault(normal[key], key)
    pairs = similar_pairs({key: shingles(text) for text, key in first_of.items()}, threshold)
    return _clusters(sources, (*_same(normal), *pairs))


def shingles(text: str, size: int = SHINGLE) -> frozenset[tuple[str, ...]]:
    """The set of the text's token n-grams; a shorter text is one shingle."""
    found = tokens(text)
    return frozenset(tuple(found[start : start + size]) for start in range(max(1, len(found) - size + 1)))


def similar_pairs(sets: Mapping[str, frozenset[tuple[str, ...]]], threshold: float) -> Iterator[tuple[str, str]]:
    """All pairs of keys whose sets have a Jaccard similarity of at least `threshold`; every one is found.

    Elements are ordered from rare to common. Two sets that are similar enough share an element among the first
    few of each (the prefix), so only those are looked up.
    """
    counts = Counter(element for elements in sets.values() for element in elements)
    ranks = {element: rank for rank, element in enumerate(sorted(counts, key=lambda each: (counts[each], each)))}
    ordered = {key: sorted(ranks[element] for element in elements) for key, elements in sets.items()}
    whole = {key: frozenset(elements) for key, elements in ordered.items()}
    index: dict[int, list[str]] = defaultdict(list)
    for key in sorted(ordered, key=lambda each: (len(ordered[each]), each)):
        elements = ordered[key]
        least = threshold * len(elements) - 1e-9
        prefix = elements[: len(elements) - math.ceil(least) + 1]
        candidates = {other for element in prefix for other in index[element] if len(ordered[other]) >= least}
        for other in sorted(candidates):
            shared = len(whole[key] & whole[other])
            if shared >= threshold * (len(elements) + len(ordered[other]) - shared) - 1e-9:
                yield other, key
        for element in prefix:
            index[element].append(key)


def _same(values: Mapping[str, str]) -> list[tuple[str, str]]:
    first: dict[str, str] = {}
    return [(first.setdefault(value, key), key) for key, value in values.items()]


def _clusters(keys: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Connected components by union-find; the root is the smallest key."""
    parent = {key: key for key in keys}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for one, two in pairs:
        low, high = sorted((root(one), root(two)))
        parent[high] = low
    return {key: root(key) for key in sorted(parent)}
