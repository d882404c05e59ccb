"""How far the policy has come from the one that its stage started with, on the probe's few fixed texts.

The exact KL divergence of the policy's next-token distribution from the start's, in nats, at each place of texts that
never change: no sampling, so no noise, and no reference model. Of three texts it is no estimate of the divergence over
rollouts, which TRL logs as `kl` where `rl.beta` > 0; it shows whether, and how fast, the policy moves. The start's
distributions are kept with every checkpoint, so that a resumed run measures from the same start.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from training.engines.probe import Probe
from training.engines.scores import model_distributions

START = "start_probe.safetensors"


class StartDrift:
    """`start_PV`: the start's log-probabilities at P places over the vocabulary; None until they are known."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.start_PV: torch.Tensor | None = None

    def measure(self, model: PreTrainedModel, update: int) -> float | None:
        """Nats per place of the model after `update` updates; the model of update 0 is the start.

        None where the start is not known: the checkpoint that the run goes on from does not have it.
        """
        if self.start_PV is None and update > 0:
            return None
        now_PV = model_distributions(model, self.probe.prompt_ids, self.probe.completion_ids)
        if self.start_PV is None:
            self.start_PV = now_PV
        if not now_PV.numel():
            return None
        now_PV, start_PV = now_PV.double(), self.start_PV.double()
        return max(0.0, float((now_PV.exp() * (now_PV - start_PV)).sum(-1).mean()))

    def save(self, checkpoint: Path) -> None:
        if self.start_PV is not None:
            save_file({"start": self.start_PV.contiguous()}, checkpoint / START)

    def load(self, checkpoint: Path) -> None:
        """The start of the run that wrote the checkpoint, where it is there."""
        if (checkpoint / START).exists():
            self.start_PV = load_file(checkpoint / START)["start"]
