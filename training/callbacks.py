"""Trainer callbacks: metrics as they come, the held-out curve, and an end after a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from training.gpu_busy import GpuBusy
from training.held_out import HeldOut
from training.metrics import MetricsFile, Row
from training.phases import Phases

PLAIN_KEYS = ("loss", "grad_norm", "learning_rate", "entropy", "kl")
TOKEN_PHASES = ("generate", "grade", "train")


class MetricsCallback(TrainerCallback):
    """Writes one row per update, and one per held-out check: before the first update, every so many, at the end.

    `extra` are figures of the rollouts, whose seconds are in `phases`.
    """

    def __init__(
        self,
        stage: str,
        metrics: MetricsFile,
        updates: int,
        held_out: HeldOut,
        tokenizer: PreTrainedTokenizerFast,
        evaluate_every: int,
        extra: Callable[[], Row] | None = None,
        phases: Phases | None = None,
        busy: GpuBusy | None = None,
    ) -> None:
        self.stage, self.metrics, self.updates = stage, metrics, updates
        self.held_out, self.tokenizer, self.evaluate_every = held_out, tokenizer, evaluate_every
        self.extra, self.busy = extra, busy
        self.phases = phases or Phases()
        self.tokens_per_update: list[int] = []
        self._started = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._started = time.monotonic()
        if state.global_step == 0 and state.is_world_process_zero:
            self._check(kwargs["model"], 0)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.phases.begin()
        if self.busy is not None:
            self.busy.take()  # of what came between updates

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if not state.is_world_process_zero or logs is None or "loss" not in logs:
            return
        update = state.global_step
        seconds = self.phases.seconds()
        row: Row = {"stage": self.stage, "update": update, "updates": self.updates}
        row |= {key: float(logs[key]) for key in PLAIN_KEYS if logs.get(key) is not None}
        row |= {"update_s": sum(seconds.values()), "time_s": time.monotonic() - self._started}
        if self.tokens_per_update:
            row["tokens"] = self.tokens_per_update[update - 1]
            row["tokens_per_s"] = row["tokens"] / max(1e-9, row["update_s"])
        if self.extra is not None:
            row |= self.extra() | seconds
            row["tokens_per_s"] = row["generated_tokens"] / max(1e-9, row["update_s"])
            for phase in TOKEN_PHASES:
                row[f"{phase}_tokens_per_s"] = row["generated_tokens"] / max(1e-9, row[f"{phase}_s"])
        if torch.cuda.is_available():
            row["peak_memory_gib"] = torch.cuda.max_memory_allocated() / 2**30
        if self.busy is not None:
            row |= self.busy.take()
        self.metrics.append(row)
        if update % self.evaluate_every == 0 or update == self.updates:
            self._check(kwargs["model"], update)

    def _check(self, model: PreTrainedModel, update: int) -> None:
        figures = self.held_out.measure(model, self.tokenizer)
        if figures:
            self.metrics.append({"stage": self.stage, "update": update, "updates": self.updates, **figures})


class StopAfter(TrainerCallback):
    """Ends a run at the checkpoint of an update, as a kill there would."""

    def __init__(self, update: int | None = None) -> None:
        self.update = update

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.update is not None and state.global_step >= self.update:
            control.should_training_stop = True
