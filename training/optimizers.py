"""Muon for hidden matrices and AdamW for everything else, as one torch optimiser.

Muon orthogonalises the momentum of a matrix (Keller Jordan, "Muon: an optimizer for hidden layers in neural
networks", 2024; also `torch.optim.Muon`). One optimiser with two kinds of groups lets a trainer schedule, clip, save
and restore them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NUM_ITERATIONS = 5


def orthogonalised(matrix_KMN: Tensor, num_iterations: int = NUM_ITERATIONS) -> Tensor:
    """K matrices with their singular values moved near 1 (0.5 to 1.5), by the quintic Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    wide = matrix_KMN.shape[-2] <= matrix_KMN.shape[-1]
    x_KMN = matrix_KMN if wide else matrix_KMN.mT
    x_KMN = x_KMN / x_KMN.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]
    for _ in range(num_iterations):
        gram_KMM = x_KMN @ x_KMN.mT
        x_KMN = a * x_KMN + (b * gram_KMM + c * gram_KMM @ gram_KMM) @ x_KMN
    return x_KMN if wide else x_KMN.mT


class MuonAdamW(Optimizer):
    """Groups with `muon: True` hold matrices only and take Muon's rule; the others take AdamW's."""

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.95),
        epsilon: float = 1e-8,
    ) -> None:
        defaults = {
            "lr": 1e-3,
            "muon": False,
            "momentum": momentum,
            "betas": betas,
            "epsilon": epsilon,
            "weight_decay": 0.0,
        }
        super().__init__(list(groups), defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["weight_decay"]:
                for p in parameters:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
            if group["muon"]:
                self._muon(group, parameters)
            else:
                self._adamw(group, parameters)
        return loss

    def _muon(self, group: dict[str, Any], parameters: list[nn.Parameter]) -> None:
        """Matrices of one shape are orthogonalised in one batch; many small matrix products are slow one by one."""
        by_shape: dict[torch.Size, list[nn.Parameter]] = {}
        for p in parameters:
            by_shape.setdefault(p.shape, []).append(p)
        for shape, alike in by_shape.items():
            gradients, momenta = [_gradient(p) for p in alike], [self._momentum(p) for p in alike]
            torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
            nesterov = torch._foreach_lerp(gradients, momenta, group["momentum"])
            update_KMN = orthogonalised(torch.stack(list(nesterov)))
            rate = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
            torch._foreach_add_([p.data for p in alike], list(update_KMN.unbind()), alpha=-rate)

    def _momentum(self, p: nn.Parameter) -> Tensor:
        state = self.state[p]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        momentum: Tensor = state["momentum"]
        return momentum

    def _adamw(self, group: dict[str, Any], parameters: list[nn.Parameter]) -> None:
        beta1, beta2 = group["betas"]
        for p in parameters:
            state, gradient = self.state[p], _gradient(p)
            if "step" not in state:
                state["step"] = torch.zeros(())
                state["mean"], state["square"] = torch.zeros_like(p), torch.zeros_like(p)
            state["step"] += 1
            count = state["step"].item()
            state["mean"].lerp_(gradient, 1 - beta1)
            state["square"].lerp_(gradient.square(), 1 - beta2)
            scale = (state["square"] / (1 - beta2**count)).sqrt_().add_(group["epsilon"])
            p.addcdiv_(state["mean"], scale, value=-group["lr"] / (1 - beta1**count))


def _gradient(p: nn.Parameter) -> Tensor:
    assert p.grad is not None
    return p.grad


def muon_adamw(
    model: nn.Module, muon_learning_rate: float, learning_rate: float, weight_decay: float = 0.0
) -> MuonAdamW:
    """Muon for the matrices inside the model, AdamW for embeddings, the output head, norms and biases."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, p in model.named_parameters():
        hidden = p.ndim == 2 and "embed" not in name and "lm_head" not in name
        (matrices if hidden else rest).append(p)
    return MuonAdamW(
        [
            {"params": matrices, "lr": muon_learning_rate, "weight_decay": weight_decay, "muon": True},
            {"params": rest, "lr": learning_rate, "weight_decay": weight_decay},
        ]
    )
