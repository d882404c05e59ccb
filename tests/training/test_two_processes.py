"""Two gloo processes take the update of one: the loss and every gradient, before anything is rounded or clipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.first_update import assert_same_update, first_update
from tests.training.tiny_data import taught_recipe
from tests.training.together import together

SHARED: dict[str, Any] = {"sft__micro_batches": 4, "rl__micro_batches": 4, "parallel__devices": 2}


@pytest.mark.parametrize(
    ("stage", "changes"), [("sft", {}), ("sft", {"sft__packing": True}), ("rl", {})], ids=["sft", "packed sft", "rl"]
)
def test_two_processes_have_the_loss_and_the_gradients_of_one(
    tmp_path: Path, taught_dataset: Path, taught_model: Path, stage: str, changes: dict[str, Any]
) -> None:
    torch.set_num_threads(1)
    recipe = taught_recipe(**SHARED, **changes)
    alone = first_update(stage, recipe, taught_dataset, taught_model, tmp_path / "one")
    first, second = together(first_update, stage, recipe, taught_dataset, taught_model, tmp_path / "two")
    assert_same_update(first, alone)
    assert_same_update(second, alone)
