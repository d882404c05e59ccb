"""Recipes: the project's own load, defaults are the paper's, and what is wrong is named."""

from pathlib import Path
from typing import get_args

import pytest

from evaluation.catalogue import ENTRIES
from training.config import BenchmarkName, Recipe, RecipeError, load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_the_projects_recipes_load_and_survive_json(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_defaults_are_the_papers() -> None:
    rl = Recipe(name="x").rl
    assert (rl.mode, rl.group_size, rl.lambda_intra, rl.learning_rate) == ("bilevel", 5, 0.3, 1e-6)
    assert (rl.max_completion_tokens, rl.temperature, rl.importance_sampling_level) == (4096, 1.0, "token")


def test_lambda_counts_in_bilevel_mode_only() -> None:
    weights = [load_recipe("tiny", {"rl.mode": mode}).rl.intra_weight for mode in ("bilevel", "step", "terminal")]
    assert weights == [0.3, 0.0, 0.0]


def test_an_unknown_key_is_named_with_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[rl]\nlamda_intra = 0.5\n')
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    text = str(caught.value)
    assert str(path) in text
    assert "rl.lamda_intra" in text
    assert "did you mean lambda_intra" in text
    assert "group_size" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rl.importance_sampling_level": "sequence"}, "cancels step credit"),
        ({"rl.loss_type": "vespo"}, "one advantage per response"),
        ({"rl.loss_type": "cispo"}, "epsilon_high to 1 or more"),
        ({"rl.loss_type": "cispo", "rl.epsilon_high": 0.28, "rl.mode": "terminal"}, "epsilon_high to 1 or more"),
        ({"rl.loss_type": "luspo"}, "one advantage per response"),
        ({"slice.output": 0.9}, "sum to 1"),
        ({"model.kind": "pretrained"}, "needs name_or_path"),
        ({"model.num_heads": 3}, "no multiple of num_heads"),
        ({"corpus.programs_per_level": [1, 2, 3, 4, 5, 6, 7]}, "levels are 1 to 6"),
        ({"rl.group_size": 1}, "rl.group_size"),
        ({"trace.hash_seeds": [0]}, "trace.hash_seeds"),
        ({"sft": 3}, "sft"),
        ({"nonsense": 3}, "unknown key nonsense"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("tiny", changes)


def test_sequence_ratios_are_allowed_where_there_is_no_step_credit() -> None:
    changes = {"rl.importance_sampling_level": "sequence", "rl.mode": "terminal"}
    assert load_recipe("tiny", changes).rl.importance_sampling_level == "sequence"


def test_ratios_that_are_only_cut_from_above_keep_those_of_one() -> None:
    changes = {"rl.loss_type": "cispo", "rl.epsilon_high": 5.0}
    assert load_recipe("tiny", changes).rl.epsilon_high == 5


@pytest.mark.parametrize("name", ["no_such", "../tiny", "missing.toml"])
def test_a_recipe_that_is_not_there_lists_those_that_are(name: str) -> None:
    with pytest.raises(RecipeError, match="tiny"):
        load_recipe(name)


def test_toml_that_does_not_parse_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("name = \n")
    with pytest.raises(RecipeError, match="line 1"):
        load_recipe(path)


def test_every_benchmark_of_the_catalogue_can_be_asked_for() -> None:
    assert set(get_args(BenchmarkName)) == set(ENTRIES)
