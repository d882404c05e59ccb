"""Gradient checkpointing: less is kept for the backward pass, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.first_update import assert_same_update, first_update
from tests.training.test_sizes import saved_bytes
from tests.training.tiny_data import taught_recipe
from training.bilevel import BiLevelTrainer
from training.sft import SftTrainer

TRAINERS = {"sft": SftTrainer, "rl": BiLevelTrainer}


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_gradients_are_the_same_and_less_is_saved(
    tmp_path: Path, taught_dataset: Path, taught_model: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    torch.set_num_threads(1)
    trainer = TRAINERS[stage]
    plain = trainer.compute_loss
    saved: list[int] = []

    def measured(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        losses: list[Any] = []
        saved.append(saved_bytes(model, lambda: losses.append(plain(self, model, *args, **kwargs))))
        return losses[0]

    monkeypatch.setattr(trainer, "compute_loss", measured)
    found = []
    for on in (False, True):
        key = {f"{stage}__gradient_checkpointing": on}
        recipe = taught_recipe(model__num_layers=3, **key)
        found.append(first_update(stage, recipe, taught_dataset, taught_model, tmp_path / str(on)))
    assert_same_update(found[1], found[0])
    half = len(saved) // 2
    for off, on in zip(saved[:half], saved[half:], strict=True):
        assert on < off * 0.8, saved
