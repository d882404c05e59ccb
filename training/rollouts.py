"""Rollouts for TRL: before each batch of responses the engine gets the trainer's weights, and the probe is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from training.engines.probe import Probe
from training.engines.protocol import RolloutEngine, Sampling
from training.phases import Phases
from training.start_drift import StartDrift
from training.tokenizer import encode
from training.training_sections import RlSection

OpenEngine = Callable[[PretrainedConfig], RolloutEngine]


def rollout_seed(*parts: int) -> int:
    """A seed of 62 bits that depends on every part and on nothing else, so that a resumed run samples the same."""
    digest = hashlib.sha256(" ".join(map(str, ("rollout", *parts))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


class EngineRollouts:
    """TRL's `rollout_func`: prompts come repeated G times in a row, and are prefilled once.

    A sample depends on its prompt's place in the update and its number in the group, not on the process that draws
    it. A group that straddles processes is drawn whole by each of them, and each keeps its part: choose
    rl.prompts_per_update as a multiple of the processes to save that.

    The engine is opened at the first call, by `open_engine` from the model's config. `figures` are those of the last
    call, for the metrics: `engine_difference` (nats, the largest of all processes) and `kl_start_probe` (`drift`;
    absent where its start is not known). `phases` gets the seconds of generation ("generate"), and of opening, sync and
    probe ("sync").
    """

    def __init__(
        self, section: RlSection, seed: int, open_engine: OpenEngine, probe: Probe, phases: Phases | None = None
    ) -> None:
        self.section = section
        self.seed = seed
        self.open_engine = open_engine
        self.probe = probe
        self.phases = phases or Phases()
        self.drift = StartDrift(probe)
        self.figures: dict[str, float] = {}
        self._engine: RolloutEngine | None = None

    def __call__(self, prompts: Sequence[str], trainer: Any) -> dict[str, Any]:
        """prompt_ids and completion_ids; EngineMismatch where the engine's model is not the trainer's.

        In a later round of dynamic sampling (`trainer.sampling_round`) the engine has the weights already.
        """
        tokenizer: PreTrainedTokenizerFast = trainer.processing_class
        process = trainer.accelerator.process_index
        later = (trainer.sampling_round,) if trainer.sampling_round else ()
        engine = self._engine if later else None
        if engine is None:
            with self.phases("sync"):
                engine = self._synced_engine(trainer)
        size = self.section.group_size
        # later rounds have fewer rows, not as many on every process: places are then those of no other process
        first = process * (self.section.prompts_per_update * size if later else len(prompts))
        places = [divmod(row, size) for row in range(first, first + len(prompts))]
        texts = {group: text for (group, _), text in zip(places, prompts, strict=True)}
        ids = {group: encode(tokenizer, text) for group, text in texts.items()}
        eos = tokenizer.eos_token_id
        sampling = Sampling(
            num_samples=size,
            max_new_tokens=self.section.max_completion_tokens,
            temperature=self.section.temperature,
            # the 0 could be any constant; another one gives other rollouts
            seed=rollout_seed(self.seed, trainer.state.global_step, 0, *later),
            stop_ids=(eos,) if isinstance(eos, int) else (),
        )
        with self.phases("generate"):
            samples = engine.generate(list(ids.values()), sampling, list(ids))
        by_group = dict(zip(ids, samples, strict=True))
        return {
            "prompt_ids": [list(ids[group]) for group, _ in places],
            "completion_ids": [list(by_group[group][number].token_ids) for group, number in places],
            "logprobs": None,
        }

    def _synced_engine(self, trainer: Any) -> RolloutEngine:
        """The engine with the trainer's weights, proven so on every process, so that all stop where one must."""
        model: PreTrainedModel = trainer.accelerator.unwrap_model(trainer.model)
        if self._engine is None:
            # an engine that draws random numbers when it starts would shuffle a resumed run's rows otherwise
            with torch.random.fork_rng(devices=[]):
                self._engine = self.open_engine(model.config)
        self._engine.sync(model)
        mine = torch.tensor([self.probe.difference(self._engine, model)], device=trainer.accelerator.device)
        difference = float(trainer.accelerator.gather(mine).max())
        self.figures = {"engine_difference": difference}
        moved = self.drift.measure(model, trainer.state.global_step)
        if moved is not None:
            self.figures["kl_start_probe"] = moved
        self.probe.check(difference, self.section.engine, trainer.state.global_step + 1)
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None
