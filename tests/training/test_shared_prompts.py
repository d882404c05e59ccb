"""A group's rollouts in one row: the layout by hand, and the same log-probabilities and gradients as row by row."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from training.model import CLASSES
from training.shared_prompts import MOST_RESPONSES, in_order_of, mask_dtype, packed_parts, responses_of

PAD, A, B = 0, [11, 12, 13], [21]
RESPONSES = [(A, [31, 32, 2]), (B, [41, 2]), (A, [33, 2])]


def batch(rows: list[tuple[list[int], list[int]]]) -> tuple[Tensor, Tensor, int]:
    """Ids and mask as the trainer has them, prompts padded on the left, responses on the right; the width of these."""
    before, keep = max(len(prompt) for prompt, _ in rows), max(len(response) for _, response in rows)
    ids, mask = torch.full((len(rows), before + keep), PAD), torch.zeros(len(rows), before + keep, dtype=torch.long)
    for row, (prompt, response) in enumerate(rows):
        columns = slice(before - len(prompt), before + len(response))
        ids[row, columns] = torch.tensor(prompt + response)
        mask[row, columns] = 1
    return ids, mask, keep


def test_layout_by_hand() -> None:
    [part] = packed_parts(*batch(RESPONSES), parts=1)
    # the shorter group first; the prompt's last token stands in front of each response, at the same position
    assert part.input_ids[0, :3].tolist() == [21, 41, 2]
    assert part.input_ids[1, :9].tolist() == [11, 12, 13, 31, 32, 2, 13, 33, 2]
    assert part.position_ids[1, :9].tolist() == [0, 1, 2, 3, 4, 5, 2, 3, 4]
    assert part.labels[1, :9].tolist() == [-100, -100, -100, 31, 32, 2, -100, 33, 2]
    assert part.source_2K.T.tolist() == [[1, 0], [1, 1], [0, 0], [0, 1], [0, 2], [2, 0], [2, 1]]
    sees = part.attention_mask[1, 0]
    assert sees[5, :9].tolist() == [True] * 6 + [False] * 3
    assert sees[8, :9].tolist() == [True, True] + [False] * 4 + [True] * 3
    assert sees.any(1).all(), "padding sees itself: a row of nothing would be NaN"


def test_values_go_back_to_their_rollouts() -> None:
    ids, mask, keep = batch(RESPONSES)
    found = torch.zeros(3, keep)
    for part in packed_parts(ids, mask, keep, parts=2):
        found = responses_of(part, part.input_ids[:, 1:].float(), found)
    assert found.tolist() == [[31, 32, 2], [41, 2, 0], [33, 2, 0]]


def test_a_large_group_is_split_and_none_is_lost() -> None:
    rows = [(A, [30 + number]) for number in range(2 * MOST_RESPONSES + 1)]
    parts = list(packed_parts(*batch(rows), parts=9))
    assert [part.source_2K.shape[1] for part in parts] == [1, MOST_RESPONSES, MOST_RESPONSES]


def small_model(architecture: str, attention: str) -> Any:
    config_class, model_class = CLASSES[architecture]
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    config = config_class(**sizes, num_attention_heads=4, num_key_value_heads=2, attn_implementation=attention)
    torch.manual_seed(0)
    return model_class(config)


def test_the_model_in_bfloat16_takes_the_mask() -> None:
    ids, mask, keep = batch(RESPONSES)
    for attention in ("sdpa", "eager"):
        model = small_model("qwen2", attention).bfloat16()
        [part] = packed_parts(ids, mask, keep, 1, mask_dtype(model))
        given = part.inputs()
        del given["labels"]
        assert bool(model(**given).logits.isfinite().all())


@pytest.mark.parametrize("architecture", sorted(CLASSES))
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_gradients_are_those_of_a_row_per_rollout(architecture: str, attention: str) -> None:
    model = small_model(architecture, attention)
    rows = [([5, 6, 7, 8], [9, 10, 2]), ([7], [4, 2]), ([5, 6, 7, 8], [9, 11, 12, 13, 2]), ([7], [3])]
    ids, mask, keep = batch(rows)
    weight = torch.rand(len(rows), keep, generator=torch.Generator().manual_seed(0))

    def gradients(logps: Tensor) -> list[Tensor]:
        model.zero_grad()
        (logps * weight * mask[:, -keep:]).sum().backward()
        return [one.grad.clone() for one in model.parameters()]

    plain = model(input_ids=ids, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)).logits
    expected = logps_of(plain, ids)[:, -keep:] * mask[:, -keep:]
    found = torch.zeros(len(rows), keep)
    for part in packed_parts(ids, mask, keep, 2, mask_dtype(model)):
        given = part.inputs()
        labels = given.pop("labels")
        found = responses_of(part, logps_of(model(**given).logits, labels.clamp(min=0)), found)
    assert torch.allclose(found, expected, atol=1e-5)
    pairs = zip(gradients(expected), gradients(found), strict=True)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in pairs)


def logps_of(logits: Tensor, ids: Tensor) -> Tensor:
    return logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]


def test_rows_spread_over_micro_batches_come_back_in_order() -> None:
    batches = [
        {"rollout": torch.tensor(rows), "x": torch.tensor(rows) * 10, "n": torch.tensor(7)} for rows in ([3, 0], [2, 1])
    ]
    found = in_order_of([{**one, "none": None} for one in batches], "rollout")
    assert [one["x"].tolist() for one in found] == [[0, 10], [20, 30]]
    assert [int(one["n"]) for one in found] == [7, 7] and found[0]["none"] is None


def test_attention_that_takes_no_mask_is_refused() -> None:
    model = small_model("llama", "sdpa")
    mask_dtype(model)
    model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(ValueError, match="share_prompts"):
        mask_dtype(model)
