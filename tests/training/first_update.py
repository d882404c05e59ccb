"""The first update of a stage before anything is rounded or clipped: its loss, and the gradient of every weight.

Models are float64, and TRL does not shuffle, so that a micro-batch has the same rows wherever it is: in float32, with
other rows, the order of additions moves a gradient of 0.3 by up to 3e-7. (TRL's output head is float32 in any case.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from training.bilevel import BiLevelTrainer
from training.config import Recipe
from training.processes import gathered
from training.rl import run_rl
from training.sft import SftTrainer, run_sft


class Update(NamedTuple):
    """`split`: whether every gradient lay in parts on the processes; here they are whole."""

    loss: float
    gradients: dict[str, Tensor]
    split: bool


RELATIVE, ABSOLUTE = 1e-6, 1e-9


class _Keep(TrainerCallback):
    """Keeps the losses of the first update's micro-batches, and its gradients before the optimiser takes them."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.gradients: dict[str, Tensor] = {}
        self.split = False

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not self.gradients:
            self.split = all(isinstance(p.grad, DTensor) for p in kwargs["model"].parameters())
            self.gradients = {
                name.replace("_checkpoint_wrapped_module.", ""): _whole(p.grad)
                for name, p in kwargs["model"].named_parameters()
            }


def _whole(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return (gradient.full_tensor() if isinstance(gradient, DTensor) else gradient).detach().clone()


def _keeping(trainer: Any, kept: _Keep) -> type[Any]:
    """The trainer's class with its model in float64, which hands its first update to `kept`."""

    class Keeping(trainer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.model.double()
            self.add_callback(kept)

        def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
            loss: Tensor = super().training_step(*args, **kwargs)
            if not kept.gradients:
                kept.losses.append(float(loss))
            return loss

    return Keeping


def first_update(stage: str, recipe: Recipe, dataset: Path, model: Path, out: Path) -> Update:
    """Loss (over all processes) and gradients of the first update, by a run of the stage of that one update."""
    one = {"updates": 1, "max_grad_norm": 1e9}
    recipe = recipe.model_copy(
        update={
            "sft": recipe.sft.model_copy(update=one),
            "rl": recipe.rl.model_copy(update=one),
            "evaluation": recipe.evaluation.model_copy(update={"curve_programs": 0}),
        }
    )
    kept = _Keep()
    if stage == "sft":
        with mock.patch("training.sft.SftTrainer", _keeping(SftTrainer, kept)):
            run_sft(recipe, dataset, out)
    else:
        with (
            mock.patch("training.rl.BiLevelTrainer", _keeping(BiLevelTrainer, kept)),
            mock.patch("trl.trainer.grpo_trainer.shuffle_sequence_dict", lambda batch: batch),
        ):
            run_rl(recipe, dataset, model, out, "local")
    losses = gathered(sum(kept.losses))
    return Update(sum(losses) / len(losses), kept.gradients, kept.split)


def assert_same_update(got: Update, expected: Update) -> None:
    """To six digits, and where a gradient is near 0 to 1e-9."""
    torch.testing.assert_close(got.loss, expected.loss, rtol=RELATIVE, atol=ABSOLUTE)
    assert got.gradients.keys() == expected.gradients.keys()
    assert {value.dtype for value in got.gradients.values()} == {torch.float64}
    assert max(float(value.abs().max()) for value in expected.gradients.values()) > 0.01, "nothing to compare"
    for name, value in expected.gradients.items():
        torch.testing.assert_close(
            got.gradients[name], value, rtol=RELATIVE, atol=ABSOLUTE, msg=lambda m, n=name: f"{n}: {m}"
        )
