"""Packing in SFT: fewer sequences, the same update; no row sees, predicts or disturbs another."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedTokenizerFast
from transformers.masking_utils import flash_attention_mask
from transformers.modeling_flash_attention_utils import _is_packed_sequence, prepare_fa_kwargs_from_position_ids
from transformers.utils.generic import is_flash_attention_requested

from tests.training.test_sft import exact_rows
from tests.training.tiny_data import random_traces, tiny_recipe
from training.batch_plan import plan_updates
from training.batches import MicroBatch, MicroBatches, plan_batches, rows_of
from training.config import Recipe, load_recipe
from training.examples import Encoded, encoded_within_limits, sft_examples
from training.memory import passing_lines
from training.model import load_tokenizer, new_model
from training.packing import fewest_sequences, num_tokens, packed, spread
from training.sft import run_sft, weighted_loss
from training.sizes import KNOWN
from training.trace_pool import Traces

ARCHITECTURES = ("llama", "qwen2")
# two sequences to a micro-batch, so that rows have neighbours in their sequence and beside it
SHAPE: dict[str, Any] = {
    "sft__batch_size": 12,
    "sft__micro_batches": 6,
    "sft__updates": 3,
    "sft__prompt_loss_weight": 0.25,
}


@pytest.fixture(scope="module")
def tokenizer(sft_folder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(sft_folder / "tokenizer"))


@pytest.fixture(scope="module")
def pools(tokenizer: PreTrainedTokenizerFast) -> dict[str, list[Encoded]]:
    traces = Traces.of([trace for seed in range(8) for trace in random_traces(seed)])
    examples = sft_examples(tiny_recipe(**SHAPE), traces)
    return {task: encoded_within_limits(tiny_recipe(), tokenizer, rows) for task, rows in examples.items()}


def batches(recipe: Recipe, pools: dict[str, list[Encoded]], pad_id: int, flat: bool = False) -> MicroBatches:
    return MicroBatches(plan_batches(pools, recipe), recipe, pad_id, flat)


def packing_recipe(**changes: Any) -> Recipe:
    return tiny_recipe(**(SHAPE | {"sft__packing": True} | changes))


def small_model(architecture: str, tokenizer: PreTrainedTokenizerFast, attention: str = "sdpa") -> Any:
    recipe = tiny_recipe(model__architecture=architecture, model__num_layers=2)
    model: Any = new_model(recipe.model, tokenizer, seed=3)
    model.config._attn_implementation = attention  # its setter would look for a kernel
    return model


def update_of(model: Any, planned: MicroBatches, update: int = 0) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradients of an update, summed over its micro-batches."""
    model.zero_grad()
    total = 0.0
    for place in range(update * planned.parts, (update + 1) * planned.parts):
        loss, _ = weighted_loss(model, planned[place])
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def rows_of_update(planned: MicroBatches, update: int) -> list[Encoded]:
    parts = planned.planned[update * planned.parts : (update + 1) * planned.parts]
    return sorted((row for part in parts for row in rows_of(part)), key=lambda row: (row.prompt_ids, row.response_ids))


def lengths(*values: int) -> list[Encoded]:
    return cast(list[Encoded], [SimpleNamespace(length=value) for value in values])


def told(sequences: MicroBatch) -> list[list[int]]:
    return [[row.length for row in sequence] for sequence in sequences]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_and_every_gradient_are_those_of_padded_rows(
    pools: dict[str, list[Encoded]], tokenizer: PreTrainedTokenizerFast, architecture: str, attention: str
) -> None:
    model = small_model(architecture, tokenizer, attention)
    padded = batches(tiny_recipe(**SHAPE), pools, tokenizer.pad_token_id)
    together = batches(packing_recipe(), pools, tokenizer.pad_token_id)
    assert any(len(sequence) > 1 for part in together.planned for sequence in part)
    for update in range(3):
        expected, gradients = update_of(model, padded, update)
        loss, found = update_of(model, together, update)
        assert loss == pytest.approx(expected, rel=1e-6)
        assert found.keys() == gradients.keys()
        for name, gradient in gradients.items():
            assert float(gradient.norm()) > 0, name
            torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-6 * float(gradient.abs().max()))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_rows_logits_are_its_own_whatever_lies_beside_it(
    pools: dict[str, list[Encoded]], tokenizer: PreTrainedTokenizerFast, architecture: str, attention: str
) -> None:
    model = small_model(architecture, tokenizer, attention)
    planned = batches(packing_recipe(), pools, tokenizer.pad_token_id)
    sequence = max((sequence for part in planned.planned for sequence in part), key=len)
    assert len(sequence) > 1
    inputs: dict[str, Any] = planned.tensors([sequence], 1.0) | {"use_cache": False}
    inputs.pop("weights")
    with torch.no_grad():
        before = model(**inputs).logits[0]
        start = 0
        for row in sequence:
            mine = slice(start, start + row.length)
            ids = torch.tensor([row.prompt_ids + row.response_ids])
            torch.testing.assert_close(before[mine], model(input_ids=ids).logits[0], rtol=1e-5, atol=1e-6)
            others = torch.randint_like(inputs["input_ids"], 0, len(tokenizer))
            others[0, mine] = ids[0]
            assert torch.equal(model(**(inputs | {"input_ids": others})).logits[0, mine], before[mine])
            start += row.length


def test_every_target_follows_its_own_rows_tokens_with_its_own_weight(
    pools: dict[str, list[Encoded]], tokenizer: PreTrainedTokenizerFast
) -> None:
    planned = batches(packing_recipe(), pools, tokenizer.pad_token_id)
    for place, part in enumerate(planned.planned[: planned.parts]):
        found = planned[place]
        total = sum(planned._weight(row) for row in rows_of_update(planned, 0))
        ids_BT, weights_BT, positions_BT = (found[name] for name in ("input_ids", "weights", "position_ids"))
        assert "attention_mask" not in found
        for b, sequence in enumerate(part):
            start = 0
            for row in sequence:
                prompt, end = start + len(row.prompt_ids), start + row.length
                assert tuple(ids_BT[b, start:end].tolist()) == row.prompt_ids + row.response_ids
                assert positions_BT[b, start:end].tolist() == list(range(row.length))
                assert weights_BT[b, start] == 0, "the first token would be predicted from the row before"
                expected = torch.tensor([0.25] * (prompt - start - 1) + [1.0] * (end - prompt)) / total
                assert torch.equal(weights_BT[b, start + 1 : end], expected)
                start = end
            assert positions_BT[b, start:].tolist() == list(range(ids_BT.shape[1] - start))
            assert not weights_BT[b, start:].any()


def test_an_update_has_the_rows_it_had_in_fewer_sequences(
    pools: dict[str, list[Encoded]], tokenizer: PreTrainedTokenizerFast
) -> None:
    padded = batches(tiny_recipe(**SHAPE), pools, tokenizer.pad_token_id)
    together = batches(packing_recipe(sft__packed_tokens=600), pools, tokenizer.pad_token_id)
    assert len(together) < len(padded) == 18
    assert sum(map(len, together.planned)) <= sum(map(len, padded.planned)) / 2
    for update in range(3):
        assert rows_of_update(together, update) == rows_of_update(padded, update)
    assert max(num_tokens(sequence) for part in together.planned for sequence in part) <= 600


def test_rows_go_where_most_space_is_left_by_hand() -> None:
    rows = lengths(3, 5, 3, 4, 3)
    assert told(spread(rows, 2)) == [[5, 3], [4, 3, 3]]
    assert fewest_sequences(rows, 10) == 2
    assert fewest_sequences(rows, 9) == 3
    assert fewest_sequences(rows, 4) == 5
    # 12 is more than a sequence may have: it is alone, and the limit holds for the others
    assert told(spread(lengths(12, 5, 4), 2)) == [[12], [5, 4]]
    assert fewest_sequences(lengths(12, 5, 4), 9) == 2
    assert fewest_sequences(lengths(12, 5, 4), 8) == 3


def test_as_many_sequences_as_the_fullest_update_needs_by_hand() -> None:
    recipe = load_recipe("tiny", {"sft.batch_size": 4, "sft.micro_batches": 4, "sft.packing": True})
    recipe = recipe.model_copy(update={"sft": recipe.sft.model_copy(update={"packed_tokens": 8})})
    # one sequence a micro-batch; the second update needs two, so the first has two as well
    updates = [lengths(2, 2, 2, 2), lengths(5, 5, 3, 2)]
    assert [told(part) for part in packed(updates, recipe, 1)] == [[[2, 2]], [[2, 2]], [[5, 2]], [[5, 3]]]
    three = load_recipe("tiny", {"sft.batch_size": 6, "sft.micro_batches": 6, "sft.packing": True})
    assert [told(part) for part in packed([lengths(9, 8, 7, 6, 5, 4)], three, 3)] == [[[9, 4]], [[8, 5]], [[7, 6]]]


def test_micro_batches_divide_and_are_never_more_or_wider_than_without_packing() -> None:
    rng = random.Random(0)
    for _ in range(300):
        processes = rng.choice([1, 2, 3, 8])
        parts = processes * rng.randint(1, 4)
        size = parts + rng.randint(0, 20)
        limit = rng.randint(20, 200)
        updates = [lengths(*(rng.randint(2, limit) for _ in range(size))) for _ in range(3)]
        changes = {"sft.batch_size": size, "sft.micro_batches": parts, "sft.packing": True, "sft.packed_tokens": limit}
        planned = packed(updates, load_recipe("tiny", changes), processes)
        used, rest = divmod(len(planned), 3)
        assert rest == 0
        assert used % processes == 0
        assert used <= parts
        assert all(1 <= len(part) <= -(-size // parts) for part in planned)
        for number, rows in enumerate(updates):
            sequences = [sequence for part in planned[number * used : (number + 1) * used] for sequence in part]
            assert all(sequences)
            assert max(map(num_tokens, sequences)) <= limit
            assert sorted(id(row) for sequence in sequences for row in sequence) == sorted(map(id, rows))


def varlen(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **more: Any) -> tuple[Tensor, None]:
    """What flash attention does with position ids, by transformers' own functions, on the CPU."""
    assert mask is None
    positions = more["position_ids"]
    edges = [0, query.shape[2]]
    if _is_packed_sequence(positions, query.shape[0]):
        (ends, _), _ = prepare_fa_kwargs_from_position_ids(positions)
        edges = ends.tolist()
    key, value = (one.repeat_interleave(module.num_key_value_groups, 1) for one in (key, value))
    parts = [
        scaled_dot_product_attention(*(one[:, :, low:high] for one in (query, key, value)), is_causal=True)
        for low, high in pairwise(edges)
    ]
    return torch.cat(parts, 2).transpose(1, 2).contiguous(), None


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_flash_attention_gets_the_form_in_which_it_sees_rows(
    pools: dict[str, list[Encoded]], tokenizer: PreTrainedTokenizerFast, architecture: str
) -> None:
    AttentionInterface.register("flash_of_a_test", varlen)
    AttentionMaskInterface.register("flash_of_a_test", flash_attention_mask)
    recipe = packing_recipe()
    expected, gradients = update_of(
        small_model(architecture, tokenizer), batches(recipe, pools, tokenizer.pad_token_id)
    )
    model = small_model(architecture, tokenizer, "flash_of_a_test")
    assert is_flash_attention_requested(model.config)
    planned = batches(recipe, pools, tokenizer.pad_token_id, flat=True)
    assert any(len(part) > 1 for part in planned.planned)
    assert all(planned[place]["input_ids"].shape[0] == 1 for place in range(len(planned)))
    loss, found = update_of(model, planned)
    assert loss == pytest.approx(expected, rel=1e-6)
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-6 * float(gradient.abs().max()))


def test_a_killed_packed_run_equals_one_that_was_not_and_learns_as_a_padded_one(tmp_path: Path, dataset: Path) -> None:
    torch.set_num_threads(1)
    recipe = tiny_recipe(sft__packing=True, sft__batch_size=8, sft__micro_batches=4, sft__packed_tokens=500)
    summary = run_sft(recipe, dataset, tmp_path / "straight")
    assert run_sft(recipe, dataset, tmp_path / "killed", stop_after=3) == {"stopped_after": 3}
    run_sft(recipe, dataset, tmp_path / "killed")
    rows = exact_rows(tmp_path / "straight" / "metrics.jsonl")
    assert exact_rows(tmp_path / "killed" / "metrics.jsonl") == rows
    assert [row["update"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert summary["micro_batches"] < 4
    changed = recipe.sft.model_copy(update={"packing": False})
    run_sft(recipe.model_copy(update={"sft": changed}), dataset, tmp_path / "p")
    for mine, padded in zip(rows, exact_rows(tmp_path / "p" / "metrics.jsonl"), strict=True):
        if "loss" in mine:
            assert mine == pytest.approx(padded, rel=1e-3)
    one, other = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("straight", "killed"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_dry_run_shows_packed_figures_by_hand() -> None:
    recipe = load_recipe("qwen7b", {"sft.packing": True, "sft.packed_tokens": 8192, "sft.micro_batches": 16})
    batch = plan_updates(recipe)
    found = {line.what: line.value for line in batch.lines if line.stage == "sft"}
    assert found["packed sequences per micro-batch"] == 32 // 16
    assert found["tokens per sequence"] == 8192
    assert found["micro-batches per process"] == 16 // 8
    assert "rows per micro-batch" not in found
    shape = batch.shapes[0]
    assert (shape.rows, shape.row_tokens) == (2, 8192)
    memory = {line.what: line for line in passing_lines(recipe, KNOWN["Qwen/Qwen2.5-Coder-7B-Instruct"], shape)}
    assert memory["logits"].num_bytes == 2 * 8192 * 152_064 * 12
    assert memory["mask"].num_bytes == 2 * 8192**2 * 3
    assert "2 packed sequences x 8,192 tokens" in memory["activations"].formula
    # a row at the limits is longer than 2,048 and has a sequence of its own
    short = plan_updates(load_recipe("qwen7b", {"sft.packing": True, "sft.packed_tokens": 2048}))
    assert short.shapes[0].row_tokens == 1024 + 4096
