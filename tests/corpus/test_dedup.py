"""Duplicates and contamination."""

from __future__ import annotations

import itertools

import pytest

from corpus.contamination import overlaps
from corpus.dedup import exact_duplicates, near_duplicates, shingles, similar_pairs
from corpus.normal_form import normal_source, tokens
from corpus.synthesis import synthesise

COUNTING = "def count(items):\n    total = 0\n    for item in items:\n        total += item\n    return total\n"
RENAMED = 'def f(xs):\n    """Sum."""\n    t = 0  # so far\n    for x in xs:\n        t += x\n\n    return t\n'
OTHER_START = COUNTING.replace("total = 0", "total = 1")
UNRELATED = "def greet(name):\n    return 'Hello, ' + name.title()\n"


def test_renamed_and_commented_programs_are_the_same_others_are_not() -> None:
    sources = {"c": COUNTING, "a": RENAMED, "b": OTHER_START, "d": UNRELATED}
    assert exact_duplicates(sources) == {"a": "a", "b": "b", "c": "a", "d": "d"}


def test_constants_methods_and_builtins_are_not_renamed() -> None:
    assert normal_source("def f(s):\n    return len(s.upper()) + 2\n") == "def v0(v1):\n    return len(v1.upper()) + 2"


def test_names_of_own_methods_and_keywords_are_renamed() -> None:
    one = "class Box:\n    def put(self, item):\n        return item\n\ndef f(x):\n    return Box().put(x)\n\nf(x=1)\n"
    two = one.replace("put", "add").replace("Box", "Bag").replace("x", "value").replace("item", "thing")
    assert exact_duplicates({"1": one, "2": two.replace("Bovalue", "Bag")}) == {"1": "1", "2": "1"}


def test_what_is_no_python_is_compared_by_its_words() -> None:
    assert exact_duplicates({"1": "def f(:\n  x", "2": "def  f(:\n\n x", "3": "def g(:"}) == {
        "1": "1",
        "2": "1",
        "3": "3",
    }


def test_similarity_is_that_of_five_grams() -> None:
    # 9 tokens have 5 shingles; another last token changes one of them: 4 of 6 are shared.
    left, right = shingles("a = b + c * d - e"), shingles("a = b + c * d - f")
    assert (len(left), len(left & right), len(left | right)) == (5, 4, 6)
    sets = {"1": left, "2": right}
    assert list(similar_pairs(sets, 4 / 6)) == [("1", "2")]
    assert list(similar_pairs(sets, 0.67)) == []


def test_every_similar_pair_is_found() -> None:
    programs = [program for level in (1, 3) for program in synthesise(level, 4, 60, 1, "tiny")]
    sets = {program.source_id: shingles(normal_source(program.source)) for program in programs}
    for threshold in (0.5, 0.7, 0.9):
        by_force = {
            tuple(sorted((a, b)))
            for a, b in itertools.combinations(sets, 2)
            if len(sets[a] & sets[b]) / len(sets[a] | sets[b]) >= threshold
        }
        assert {tuple(sorted(pair)) for pair in similar_pairs(sets, threshold)} == by_force
        assert threshold > 0.5 or by_force


def test_a_chain_of_similar_programs_is_one_cluster_named_by_its_smallest_id() -> None:
    lines = [f"    x{i} = {i} * a + {i}\n" for i in range(30)]
    start = "def f(a):\n"
    chain = {
        "z": start + "".join(lines),
        "m": start + "".join(lines[:-3]),
        "b": start + "".join(lines[:-6]),
        "y": UNRELATED,
    }
    assert near_duplicates(chain, 0.85) == {"b": "b", "m": "b", "z": "b", "y": "y"}
    apart = shingles(normal_source(chain["z"])), shingles(normal_source(chain["b"]))
    assert len(apart[0] & apart[1]) / len(apart[0] | apart[1]) < 0.85


def test_clusters_do_not_depend_on_the_order_of_the_sources() -> None:
    sources = {program.source_id: program.source for program in synthesise(1, 4, 80, 1, "tiny")}
    turned = dict(reversed(sources.items()))
    assert near_duplicates(turned, 0.6) == near_duplicates(sources, 0.6)


@pytest.mark.parametrize("threshold", [0, -1, 1.5])
def test_a_threshold_outside_its_range_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="Jaccard"):
        near_duplicates({}, threshold)


def test_ten_shared_tokens_in_a_row_are_an_overlap_nine_are_not() -> None:
    # Punctuation does not count: def f a b return a + b * 2 are 10 tokens.
    source = "def f(a, b):\n    return a + b * 2\n"
    assert len([token for token in tokens(source) if token not in "(),:"]) == 10
    benchmarks = {"one/1": "x = 1\n" + source, "one/2": source.replace("2", "3"), "two/1": source}
    assert overlaps({"s": source, "t": UNRELATED}, benchmarks) == {"s": ("one/1", "two/1")}
    assert overlaps({"s": source}, {"one/2": benchmarks["one/2"]}, 9) == {"s": ("one/2",)}


def test_layout_and_comments_do_not_hide_an_overlap() -> None:
    source = "def f(a, b):\n    return a + b * 2\n"
    spread = "def f(\n    a,\n    b,\n):  # the same\n    return (a + b * 2)\n"
    assert set(overlaps({"s": spread}, {"x": source})) == {"s"}


def test_a_short_program_overlaps_with_its_equal_only() -> None:
    assert set(overlaps({"s": "x = 1", "t": "x = 2"}, {"b": "x = 1\n"})) == {"s"}


def test_ngrams_of_no_token_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        overlaps({}, {}, 0)
