"""Rollouts for TRL: before each batch of responses the engine gets the trainer's weights, and the probe is asked."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from training.config import RlSection
from training.engines.probe import Probe
from training.engines.protocol import RolloutEngine
from training.tokenizer import encode

OpenEngine = Callable[[PretrainedConfig], RolloutEngine]


def rollout_seed(*parts: int) -> int:
    """A seed of 62 bits that depends on every part and on nothing else, so that a resumed run samples the same."""
    digest = hashlib.sha256(" ".join(map(str, ("rollout", *parts))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


class EngineRollouts:
    """TRL's `rollout_func`: prompts come repeated G times in a row, and are prefilled once.

    The engine is opened at the first call, by `open_engine` from the model's config. `figures` are those of the last
    call, for the metrics: `engine_difference` (nats, the largest of all processes) and `sync_s` (sync and probe).
    """

    def __init__(self, section: RlSection, seed: int, open_engine: OpenEngine, probe: Probe) -> None:
        self.section = section
        self.seed = seed
        self.open_engine = open_engine
        self.probe = probe
        self.figures: dict[str, float] = {}
        self._engine: RolloutEngine | None = None

    def __call__(self, prompts: Sequence[str], trainer: Any) -> dict[str, Any]:
        """prompt_ids and completion_ids; EngineMismatch where the engine's model is not the trainer's.

        In a later round of dynamic sampling (`trainer.sampling_round`) the engine has the weights already.
        """
        tokenizer: PreTrainedTokenizerFast = trainer.processing_class
        later: tuple[int, ...] = (trainer.sampling_round,) if trainer.sampling_round else ()
        engine = self._engine if later and self._engine else self._synced_engine(trainer)
        runs = [(text, len(list(same))) for text, same in groupby(prompts)]
        unique = [encode(tokenizer, text) for text, _ in runs]
        eos = tokenizer.eos_token_id
        groups = engine.generate(
            unique,
            num_samples=max(count for _, count in runs),
            max_new_tokens=self.section.max_completion_tokens,
            temperature=self.section.temperature,
            seed=rollout_seed(self.seed, trainer.state.global_step, trainer.accelerator.process_index, *later),
            stop_ids=[eos] if isinstance(eos, int) else [],
        )
        prompt_ids, completion_ids = [], []
        for ids, (_, count), samples in zip(unique, runs, groups, strict=True):
            for sample in samples[:count]:
                prompt_ids.append(list(ids))
                completion_ids.append(list(sample.token_ids))
        return {"prompt_ids": prompt_ids, "completion_ids": completion_ids, "logprobs": None}

    def _synced_engine(self, trainer: Any) -> RolloutEngine:
        """The engine with the trainer's weights, proven so on every process, so that all stop where one must."""
        started = time.monotonic()
        model: PreTrainedModel = trainer.accelerator.unwrap_model(trainer.model)
        if self._engine is None:
            self._engine = self.open_engine(model.config)
        self._engine.sync(model)
        mine = torch.tensor([self.probe.difference(self._engine, model)], device=trainer.accelerator.device)
        difference = float(trainer.accelerator.gather(mine).max())
        self.figures = {"engine_difference": difference, "sync_s": time.monotonic() - started}
        self.probe.check(difference, self.section.engine, trainer.state.global_step + 1)
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None
