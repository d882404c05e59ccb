"""SFT: the loss is the weighted mean that it says, and a run that was killed equals one that was not."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import log_softmax
from transformers import AutoModelForCausalLM

from tests.training.tiny_data import random_traces, tiny_recipe
from training.batches import MicroBatches, plan_batches, rows_of, task_counts
from training.examples import encoded_within_limits, sft_examples
from training.metrics import read_metrics
from training.model import load_tokenizer, new_model
from training.sft import SftTrainer, only, run_sft, training_arguments
from training.trace_pool import Traces

EXACT = ("update", "loss", "grad_norm", "learning_rate", "held_out_step", "held_out_final")


def exact_rows(path: Path) -> list[dict[str, object]]:
    """What a resumed run must repeat: everything but times."""
    return [{key: row[key] for key in EXACT if key in row} for row in read_metrics(path)]


def test_a_killed_run_equals_one_that_was_not(tmp_path: Path, dataset: Path, sft_folder: Path) -> None:
    recipe = tiny_recipe()
    assert run_sft(recipe, dataset, tmp_path, stop_after=3) == {"stopped_after": 3}
    assert not (tmp_path / "model").exists()
    # a kill in the middle of the next checkpoint, and rows written after the last one
    (tmp_path / "checkpoints" / "checkpoint-6").mkdir()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"update": 4, "loss": 9.0}\n{"upd')
    run_sft(recipe, dataset, tmp_path)
    assert exact_rows(tmp_path / "metrics.jsonl") == exact_rows(sft_folder / "metrics.jsonl")
    straight = load_file(sft_folder / "model" / "model.safetensors")
    resumed = load_file(tmp_path / "model" / "model.safetensors")
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_every_update_and_held_out_check_has_its_row(sft_folder: Path) -> None:
    rows = read_metrics(sft_folder / "metrics.jsonl")
    assert [row["update"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert [row["update"] for row in rows if "held_out_step" in row] == [0, 3, 6]
    assert all(row["tokens_per_s"] > 0 for row in rows if "loss" in row)


def test_the_model_folder_loads_with_its_tokenizer(sft_folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(sft_folder / "model")
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.eos_token_id == tokenizer.eos_token_id


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_loss_is_the_weighted_token_mean_of_the_update(tmp_path: Path, sft_folder: Path, micro_batches: int) -> None:
    recipe = tiny_recipe(sft__micro_batches=micro_batches, sft__updates=1, sft__prompt_loss_weight=0.25)
    tokenizer = load_tokenizer(str(sft_folder / "tokenizer"))
    pools = {
        task: encoded_within_limits(recipe, tokenizer, rows)
        for task, rows in sft_examples(recipe, Traces.of(random_traces(1) + random_traces(2))).items()
    }
    planned = plan_batches(pools, recipe)
    assert [len(part) for part in planned] == [4 // micro_batches] * micro_batches
    model = new_model(recipe.model, tokenizer, seed=3)
    # by hand, row by row without padding: sum of w * -log p over sum of w
    total = weight = 0.0
    with torch.no_grad():
        for encoded in (row for part in planned for row in rows_of(part)):
            ids = torch.tensor(encoded.prompt_ids + encoded.response_ids)
            logp = log_softmax(model(input_ids=ids[None]).logits[0, :-1], -1)
            nll = -logp.gather(1, ids[1:, None])[:, 0]
            weights = torch.ones(len(ids) - 1)
            weights[: len(encoded.prompt_ids) - 1] = 0.25
            total += float((nll * weights).sum())
            weight += float(weights.sum())
    trainer = SftTrainer(
        model=model,
        args=training_arguments(recipe, tmp_path, 1, micro_batches),
        train_dataset=MicroBatches(planned, recipe, tokenizer.pad_token_id),
        data_collator=only,
    )
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(total / weight, rel=1e-4)


def test_tasks_get_their_shares_and_absent_tasks_give_theirs_away() -> None:
    part = tiny_recipe(slice__output=0.5, slice__input=0.25, slice__questions=0.25).slice
    everything = ["coverage", "input", "output", "path", "state"]
    assert task_counts(part, everything, 120) == {
        "output": 60,
        "input": 30,
        "coverage": 10,
        "path": 10,
        "state": 10,
    }
    assert task_counts(part, ["output", "input"], 120) == {"output": 80, "input": 40}
    assert sum(task_counts(part, everything, 97).values()) == 97
