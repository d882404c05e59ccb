"""Curriculum: the run's thirds draw from the easiest third of the traces, the easier two, and all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.tiny_data import make_trace, tiny_recipe
from training.examples import rl_examples, training_traces
from training.model import load_tokenizer
from training.trace_pool import Traces


def traces() -> Traces:
    """Thirty programs: ten of two anchors, ten of three, ten of four; levels 3, none and 1."""
    lines = [("a", "x + 1"), ("b", "a * 2"), ("c", "b - 3"), ("d", "c + a")]
    levels = (3, None, 1)
    return Traces.of([make_trace(lines[: 2 + place // 10], place, levels[place // 10]) for place in range(30)])


@pytest.mark.parametrize(
    ("difficulty", "expected"), [("anchors", [[2], [2, 3], [2, 3, 4]]), ("level", [[4], [2, 4], [2, 3, 4]])]
)
def test_prompts_get_harder_by_thirds(sft_folder: Path, difficulty: str, expected: list[list[int]]) -> None:
    recipe = tiny_recipe(rl__curriculum=difficulty, rl__updates=9, rl__prompts_per_update=3, slice__max_states=10)
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    examples = rl_examples(recipe, tokenizer, traces())
    num_states = [len(row.example.trace.states) for row in examples]
    assert len(num_states) == 27
    assert [sorted(set(num_states[start : start + 9])) for start in (0, 9, 18)] == expected
    assert [row.prompt_ids for row in examples] == [row.prompt_ids for row in rl_examples(recipe, tokenizer, traces())]


def test_a_dataset_knows_its_difficulty(dataset: Path) -> None:
    pool = training_traces(tiny_recipe(), dataset, "rl")
    assert list(pool.anchors) == [len(pool[place].states) for place in range(len(pool))]
    assert set(pool.levels) == {1}
    easiest, easier, every = pool.thirds("anchors")
    assert len(easiest) < len(easier) < len(every) == len(pool)
    assert max(pool.anchors[place] for place in easiest) <= min(
        pool.anchors[place] for place in set(every) - set(easiest)
    )
