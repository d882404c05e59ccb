"""Rollout engines: what generates the responses that reinforcement learning learns from.

"sampler" is the project's own (`evaluation.sampler`), "transformers" is TRL's path through `generate`, "vllm" is
TRL's colocated vLLM, for GPUs. The first is a function that TRL calls; the others are settings of TRL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from evaluation.sampler import Sampler
from training.config import RlSection
from training.tokenizer import encode


def rollout_seed(*parts: int) -> int:
    """A seed of 62 bits that depends on every part and on nothing else, so that a resumed run samples the same."""
    digest = hashlib.sha256(" ".join(map(str, ("rollout", *parts))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


class SamplerRollouts:
    """TRL's `rollout_func`: prompts come repeated G times in a row, and are prefilled once."""

    def __init__(self, section: RlSection, seed: int) -> None:
        self.section = section
        self.seed = seed
        self._sampler: Sampler | None = None

    def __call__(self, prompts: Sequence[str], trainer: Any) -> dict[str, Any]:
        """prompt_ids, completion_ids and logprobs (of the sampled tokens, at the sampling temperature)."""
        tokenizer: PreTrainedTokenizerFast = trainer.processing_class
        if self._sampler is None:
            model: PreTrainedModel = trainer.accelerator.unwrap_model(trainer.model)
            self._sampler = Sampler(model, tokenizer)
        runs = [(text, len(list(same))) for text, same in groupby(prompts)]
        unique = [encode(tokenizer, text) for text, _ in runs]
        num_samples = max(count for _, count in runs)
        groups = self._sampler.generate(
            unique,
            num_samples=num_samples,
            max_new_tokens=self.section.max_completion_tokens,
            temperature=self.section.temperature,
            seed=rollout_seed(self.seed, trainer.state.global_step, trainer.accelerator.process_index),
            stop_ids=[tokenizer.eos_token_id],
        )
        prompt_ids, completion_ids = [], []
        for ids, (_, count), samples in zip(unique, runs, groups, strict=True):
            for sample in samples[:count]:
                prompt_ids.append(list(ids))
                completion_ids.append(list(sample.token_ids))
        return {"prompt_ids": prompt_ids, "completion_ids": completion_ids, "logprobs": None}
