"""Random and synthesised programs behave the same with anchors and without.

STEPCODE_GRAMMAR_EXAMPLES sets how many random programs are tried.
"""

from __future__ import annotations

import os
import random
import re

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from corpus.synthesis import synthesise
from execution.anchors import instrument
from tests.execution.behaviour_batch import compile_anchored, outcome
from tests.execution.grammar import Grammar
from tests.execution.test_anchor_behaviour import expect_equal_behaviour, expect_sound_line_map

EXAMPLES = int(os.environ.get("STEPCODE_GRAMMAR_EXAMPLES", "30"))
_ADDRESS = re.compile(r"0x[0-9a-f]+")
CALLS = ("f(1, [1, 2])", "f([3, 1], 'xy')", "f({'k': 0}, 2)")


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**32))
def test_a_random_program_behaves_the_same_with_anchors(seed: int) -> None:
    source = Grammar(random.Random(seed)).program()
    try:
        original = compile(source, "program", "exec")
    except SyntaxError:  # a name declared after its use, a starred walrus: no program
        assume(False)
    placed = instrument(source)
    expect_sound_line_map(source, placed)
    anchored = compile_anchored(source)
    for call in CALLS:
        expected = outcome(original, {"call": call}, _drop)
        found = outcome(anchored, {"call": call}, _drop)
        assert _ADDRESS.sub("0x", repr(found)) == _ADDRESS.sub("0x", repr(expected)), (source, placed.source)


def _drop(text: str) -> None:
    pass


def test_synthesised_programs_behave_the_same_with_anchors() -> None:
    programs = [program for level in range(1, 7) for program in synthesise(level, 3, 10, 2, "general")]
    results = expect_equal_behaviour(
        [{"id": str(place), "source": given.source, "call": given.call} for place, given in enumerate(programs)]
    )
    assert len(results) == 120
