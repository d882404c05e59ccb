"""Which programs a recipe trains and measures on."""

from pathlib import Path

import pytest

from tests.training.tiny_data import make_trace, random_traces, row, tiny_recipe, write_dataset
from training.examples import ExamplesError, encoded_within_limits, in_slice, rl_examples, sft_examples, training_traces
from training.held_out_rows import held_out_order, select_held_out
from training.model import load_tokenizer
from training.trace_pool import Traces


@pytest.mark.parametrize(
    ("level", "num_states", "expected"),
    [(1, 2, True), (2, 2, True), (3, 2, False), (None, 2, False), (1, 1, False), (1, 6, True), (1, 7, False)],
)
def test_the_slice_is_levels_and_numbers_of_states(level: int | None, num_states: int, expected: bool) -> None:
    recipe = tiny_recipe(slice__levels=[1, 2], slice__min_states=2, slice__max_states=6)
    assert in_slice(recipe, level, num_states) is expected


def test_real_programs_have_no_level() -> None:
    assert in_slice(tiny_recipe(slice__real_programs=True), None, 3)


def test_an_empty_slice_says_what_was_asked_for(dataset: Path) -> None:
    with pytest.raises(ExamplesError, match=r"levels \(6,\)"):
        training_traces(tiny_recipe(slice__levels=[6]), dataset, "sft")


def test_a_folder_without_the_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExamplesError, match=r"train\.parquet"):
        training_traces(tiny_recipe(), tmp_path, "sft")


def test_pools_of_sft_and_rl_share_no_source_and_hold_them_all(dataset: Path) -> None:
    recipe = tiny_recipe(slice__rl_share=0.3)
    pools = [training_traces(recipe, dataset, stage) for stage in ("sft", "rl")]
    sources = [{trace.program.source_id for trace in pool} for pool in pools]
    assert all(sources)
    assert not sources[0] & sources[1]
    whole = training_traces(tiny_recipe(slice__rl_share=0.0), dataset, "rl")
    assert sources[0] | sources[1] == {trace.program.source_id for trace in whole}


def test_a_pool_without_programs_is_an_error(dataset: Path) -> None:
    with pytest.raises(ExamplesError, match="leaves no program"):
        training_traces(tiny_recipe(slice__rl_share=1e-9), dataset, "rl")


def test_long_prompts_and_responses_are_left_out(sft_folder: Path) -> None:
    recipe = tiny_recipe()
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    (example,) = sft_examples(tiny_recipe(slice__output=1.0, slice__input=0.0), Traces.of([random_traces(1)[0]]))[
        "output"
    ]
    (encoded,) = encoded_within_limits(recipe, tokenizer, [example])
    prompt, response = len(encoded.prompt_ids), len(encoded.response_ids)
    assert encoded.response_ids[-1] == tokenizer.eos_token_id
    for limits, kept in (((prompt, response), 1), ((prompt - 1, response), 0), ((prompt, response - 1), 0)):
        narrow = tiny_recipe(slice__max_prompt_tokens=limits[0], slice__max_response_tokens=limits[1])
        assert len(encoded_within_limits(narrow, tokenizer, [example])) == kept


def test_rl_prompts_have_their_share_of_input_prediction_evenly_spread(sft_folder: Path) -> None:
    recipe = tiny_recipe(slice__rl_input=0.25, rl__updates=8, rl__prompts_per_update=4)
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    traces = Traces.of([trace for seed in range(20) for trace in random_traces(seed)])
    tasks = [encoded.example.task for encoded in rl_examples(recipe, tokenizer, traces)]
    assert len(tasks) == 32
    assert [tasks[start : start + 4].count("input") for start in range(0, 32, 4)] == [1] * 8


def test_rl_prompts_start_over_only_after_all_programs(sft_folder: Path) -> None:
    recipe = tiny_recipe(rl__updates=3, rl__prompts_per_update=2)
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    traces = Traces.of([trace for seed in range(2) for trace in random_traces(seed)])
    ids = [one.example.program_id for one in rl_examples(recipe, tokenizer, traces)]
    assert len(set(ids[:4])) == 4
    assert ids[4:] == ids[:2]


def test_no_fitting_prompt_is_an_error(sft_folder: Path) -> None:
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    with pytest.raises(ExamplesError, match="8 prompt"):
        rl_examples(tiny_recipe(slice__max_prompt_tokens=8), tokenizer, Traces.of(random_traces(0)))


def test_held_out_takes_all_sources_before_second_calls() -> None:
    rows = [{**row(trace), "name": seed} for seed in range(5) for trace in random_traces(seed)]
    ordered = held_out_order(rows)
    assert len(ordered) == 10
    assert len({line["source_id"] for line in ordered[:5]}) == 5
    assert ordered == held_out_order(rows[::-1])


def test_held_out_rows_are_in_the_slice_and_within_limits(tmp_path: Path, sft_folder: Path) -> None:
    folder = write_dataset(tmp_path, num_train=1, num_held_out=30)
    recipe = tiny_recipe(slice__max_states=2)
    rows = select_held_out(recipe, folder, sft_folder / "model", count=7)
    assert len(rows) == 7
    assert all(line["num_states"] == 2 for line in rows)
    assert rows == select_held_out(recipe, folder, sft_folder / "model", count=9)[:7]
    other_seed = recipe.model_copy(update={"seed": 1})
    assert rows == select_held_out(other_seed, folder, sft_folder / "model", count=7), "of whatever training"
    assert select_held_out(tiny_recipe(slice__max_prompt_tokens=8), folder, sft_folder / "model") == []


def test_a_trace_without_a_result_is_not_asked(sft_folder: Path) -> None:
    import dataclasses

    silent = dataclasses.replace(make_trace([("a", "x"), ("b", "a")], 1), result=None)
    assert sft_examples(tiny_recipe(), Traces.of([silent])) == {}
