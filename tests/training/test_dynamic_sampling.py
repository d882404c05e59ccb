"""Dynamic sampling: groups without variance give their place to prompts that have some, in the trainer too."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.test_bilevel import END, STEP_A, STEP_B, WRONG_A, WRONG_B, WRONG_END, make_trainer, scored
from tests.training.tiny_data import tiny_recipe
from training import dynamic_sampling
from training.bilevel import BiLevelTrainer
from training.dynamic_sampling import Batch, allowed_rows, with_variance
from training.grading import Graded
from training.group_credit import without_variance
from training.metrics import ROLLOUTS, read_metrics
from training.rl import run_rl
from training.soundness import UnsupportedSetting
from training.tokenizer import encode
from training.training_sections import RlSection

NAN = math.nan
RIGHT, HALF, WRONG = STEP_A + STEP_B + END, STEP_A + WRONG_B + WRONG_END, WRONG_A + WRONG_B + WRONG_END


def graded(
    steps: tuple[float, ...],
    final: float,
    own: tuple[float, ...] = (),
    sequence: tuple[str, ...] = ("0", "1"),
) -> Graded:
    return Graded("", steps, ((0, 1),) * len(steps), final, sequence, (), not math.isnan(final), "", own)


def no_run(num_blocks: int) -> Graded:
    """An unusable input with so many blocks after it."""
    return graded((0.0,) * num_blocks, 0, (), ("no run",) * num_blocks)


@pytest.mark.parametrize(
    ("mode", "group", "dead"),
    [
        ("bilevel", [graded((1, 0), 0)] * 3, True),
        ("bilevel", [graded((1, 0), 0), graded((0, 0), 0)], False),
        ("terminal", [graded((1, 0), 0), graded((0, 0), 0)], True),  # which credits no steps
        ("terminal", [graded((1, 0), 0), graded((1, 0), 1)], False),
        ("whitebox", [graded((1, 0), 0), graded((0, 0), 0)], False),
        ("whitebox_gated", [graded((1, 0), 0), graded((0, 0), 0)], True),
        ("bilevel", [graded((1, NAN), NAN)] * 2, True),
        ("own_state", [graded((0, 0), 0, (0, 1)), graded((0, 0), 0, (0, 0))], False),
        ("bilevel", [no_run(2), no_run(3)], True),  # all are wrong, and no two are compared
        ("step", [no_run(2), no_run(3)], True),
        ("bilevel", [graded((1,), 1), graded((0,), 1)], True),  # a single anchor is trained by the answer alone
        ("bilevel", [graded((1,), 1), graded((0,), 0)], False),
        ("first_divergence", [graded((0, 1), 0), graded((0, 0), 0)], True),  # alike until they diverge
        ("first_divergence", [graded((1, 1), 0), graded((1, 0), 0)], False),
        ("bilevel", [graded((0, 1), 0), graded((0, 0), 0)], False),
        # runs of their own, not compared: A_intra alone pays one and not the other
        ("bilevel", [graded((1, 1), 0, (), ("0", "1")), graded((0, 0), 0, (), ("0", "2"))], False),
        ("step", [graded((1, 1), 0, (), ("0", "1")), graded((0, 0), 0, (), ("0", "2"))], True),
        ("dependence", [graded((1, 0), 0)] * 3, True),
        ("terminal", [graded((), 0.5), graded((), 1.05)], False),
    ],
)
def test_what_a_group_without_variance_is(mode: str, group: list[Graded], dead: bool) -> None:
    assert without_variance(group, [None] * len(group), RlSection(mode=mode)) is dead
    centred = RlSection(mode=mode, center_intra=True)
    assert without_variance(group, [None] * len(group), centred) is (dead or group[0].sequence != group[1].sequence)


def test_replacements_stay_within_the_curriculum() -> None:
    plain, easy_first = RlSection(updates=6), RlSection(updates=6, curriculum="anchors")
    assert [allowed_rows(plain, 18, update) for update in range(6)] == [18] * 6
    assert [allowed_rows(easy_first, 18, update) for update in range(6)] == [6, 6, 12, 12, 18, 18]
    # thirds that divide nothing evenly: no row of a later update's third
    short = RlSection(updates=4, curriculum="level")
    assert [allowed_rows(short, 8, update) for update in range(4)] == [2, 2, 5, 8]
    assert allowed_rows(RlSection(updates=1, curriculum="level"), 1, 0) == 1


@pytest.mark.parametrize(("curriculum", "most"), [("anchors", 3), ("none", 9)])
def test_the_trainer_draws_replacements_from_what_the_curriculum_allows(
    tmp_path: Path, sft_folder: Path, curriculum: str, most: int
) -> None:
    recipe = tiny_recipe(rl__updates=9, rl__prompts_per_update=1, rl__dynamic_sampling=1, rl__curriculum=curriculum)
    trainer = make_trainer(recipe, sft_folder, tmp_path, [])
    drawn = [trainer._another(1, place)["example"] for place in range(60)]
    assert set(drawn) == set(range(most))
    trainer.state.global_step = 8
    assert set(range(9)) == {trainer._another(1, place)["example"] for place in range(90)}


def test_a_dead_group_is_replaced_by_one_that_teaches_and_no_other() -> None:
    """Groups of two; "a" is dead at once, "c" is what takes its place at first and is dead too, then "d" is not."""
    finals = {"a": [1, 1], "b": [0, 1], "c": [0, 0], "d": [1, 0]}
    asked: list[tuple[int, list[str]]] = []

    def sample(rows: list[dict[str, Any]], number: int) -> Batch:
        names = [row["name"] for row in rows]
        asked.append((number, names))
        values = [graded((), finals[name][place % 2]) for place, name in enumerate(names)]
        prompts, samples = [[ord(name)] for name in names], [[number] for _ in names]
        return Batch(list(rows), prompts, samples, values, [None] * len(names))

    section = RlSection(dynamic_sampling=3, group_size=2)
    inputs = [{"name": name} for name in "aabb"]
    found = with_variance(inputs, section, 2, sample, lambda number, place: {"name": " cd"[number]})
    assert asked == [(0, ["a", "a", "b", "b"]), (1, ["c", "c"]), (2, ["d", "d"])]
    assert [row["name"] for row in found.inputs] == ["d", "d", "b", "b"]
    assert (found.prompt_ids, found.completion_ids) == ([[100], [100], [98], [98]], [[2], [2], [0], [0]])
    assert [one.final_reward for one in found.graded] == [1, 0, 0, 1]
    assert (found.replaced, found.drawn_tokens) == (1, 8)
    assert [row["name"] for row in inputs] == list("aabb")


def test_a_process_without_dead_groups_goes_through_the_rounds_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [[True], [False]]
    monkeypatch.setattr(dynamic_sampling, "gathered", lambda mine: [mine, *others.pop(0)])
    asked: list[int] = []

    def sample(rows: list[dict[str, Any]], number: int) -> Batch:
        asked.append(len(rows))
        values = [graded((), row["final"]) for row in rows]
        return Batch(list(rows), [[1]] * len(rows), [[1]] * len(rows), values, [None] * len(rows))

    section = RlSection(dynamic_sampling=3, group_size=2)
    found = with_variance([{"final": 0}, {"final": 1}], section, 2, sample, lambda number, place: {"final": 0})
    assert asked == [2, 0]
    assert found.replaced == 0


def by_round(trainer: BiLevelTrainer, rounds: list[list[str]]) -> None:
    """The trainer "samples" these texts, those of its round of dynamic sampling."""

    def rollouts(prompts: list[str], asker: BiLevelTrainer) -> dict[str, Any]:
        tokenizer = asker.processing_class
        texts = rounds[asker.sampling_round]
        assert len(texts) == len(prompts)
        ids = [[*encode(tokenizer, text), tokenizer.eos_token_id] for text in texts]
        return {"prompt_ids": [encode(tokenizer, one) for one in prompts], "completion_ids": ids, "logprobs": None}

    trainer.rollout_func = rollouts


def test_the_trainer_learns_from_the_replacement(tmp_path: Path, sft_folder: Path) -> None:
    recipe = tiny_recipe(rl__prompts_per_update=2, rl__dynamic_sampling=2)
    trainer = make_trainer(recipe, sft_folder, tmp_path, [])
    rounds = [[RIGHT] * 3 + [RIGHT, HALF, WRONG], [HALF, WRONG, WRONG]]
    by_round(trainer, rounds)
    output = scored(trainer)
    tokenizer = trainer.processing_class
    first = tokenizer.decode(output["completion_ids"][0][output["completion_mask"][0].bool()], skip_special_tokens=True)
    assert first == HALF
    assert float(output["advantages"][0, 0]) == pytest.approx(math.sqrt(2) + 0.3, abs=1e-4)
    assert trainer.row()["replaced_groups"] == 1
    drawn = sum(len(encode(tokenizer, text)) + 1 for texts in rounds for text in texts)
    assert trainer.row()["generated_tokens"] == drawn > int(output["completion_mask"].sum())
    assert trainer.row()["zero_std_final"] == 0.5  # the replacement differs in its steps alone


def test_without_it_nothing_is_sampled_again(tmp_path: Path, sft_folder: Path) -> None:
    trainer = make_trainer(tiny_recipe(rl__prompts_per_update=1), sft_folder, tmp_path, [])
    by_round(trainer, [[RIGHT] * 3])
    assert scored(trainer)["advantages"][0, 0] == pytest.approx(0.6)
    assert "replaced_groups" not in trainer.row()


def test_groups_on_several_processes_are_refused(tmp_path: Path, sft_folder: Path) -> None:
    trainer = make_trainer(tiny_recipe(rl__prompts_per_update=2, rl__dynamic_sampling=1), sft_folder, tmp_path, [])
    trainer.model.train()
    with pytest.raises(UnsupportedSetting, match="whole groups on every process"):
        trainer._generate_and_score_completions([trainer.train_dataset[0]] * 5)


def test_a_stopped_run_samples_the_same(tmp_path: Path, dataset: Path, sft_folder: Path) -> None:
    torch.set_num_threads(1)
    recipe = tiny_recipe(rl__dynamic_sampling=2, logging__rollouts_every=1, rl__temperature=1.5)

    def rollouts(folder: Path) -> list[list[str]]:
        return [row["tokens"] for row in read_metrics(folder / ROLLOUTS)]

    run_rl(recipe, dataset, sft_folder / "model", tmp_path / "whole", "local")
    run_rl(recipe, dataset, sft_folder / "model", tmp_path / "cut", "local", stop_after=2)
    run_rl(recipe, dataset, sft_folder / "model", tmp_path / "cut", "local")
    assert rollouts(tmp_path / "cut") == rollouts(tmp_path / "whole")
    replaced = [row["replaced_groups"] for row in read_metrics(tmp_path / "whole" / "metrics.jsonl") if "loss" in row]
    assert len(replaced) == recipe.rl.updates, json.dumps(replaced)
