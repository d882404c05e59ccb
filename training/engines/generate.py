"""transformers' `generate` as a rollout engine: the slow one that every other is compared with.

Shapes: R rows, P prompt tokens with padding on the left, T new tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, PreTrainedModel

from evaluation.sampler import Sample
from training.engines.protocol import Ids, Sampling
from training.engines.scores import model_logprobs
from training.errors import EngineError


class GenerateEngine:
    """Calls `generate` of the trainer's own module; `max_batch_tokens` bounds rows x (prompt + new tokens)."""

    def __init__(self, pad_id: int = 0, max_batch_tokens: int = 32768) -> None:
        self.pad_id = pad_id
        self.max_batch_tokens = max_batch_tokens
        self._model: PreTrainedModel | None = None

    def sync(self, model: PreTrainedModel) -> None:
        self._model = model

    def generate(
        self, prompt_ids: Sequence[Ids], sampling: Sampling, streams: Sequence[int] | None = None
    ) -> list[list[Sample]]:
        model = self._synced()
        groups: list[list[Sample]] = [[] for _ in prompt_ids]
        was_training = model.training
        model.eval()
        try:
            with torch.no_grad(), torch.random.fork_rng():
                torch.manual_seed(sampling.seed + (streams[0] if streams else 0))
                for places in self._batches([len(ids) for ids in prompt_ids], sampling):
                    prompts = [list(prompt_ids[place]) for place in places]
                    made = iter(self._batch(model, prompts, sampling))
                    for place in places:
                        groups[place] = list(islice(made, sampling.num_samples))
        finally:
            model.train(was_training)
        return groups

    def logprobs(self, prompt_ids: Sequence[Ids], completion_ids: Sequence[Ids]) -> list[list[float]]:
        return model_logprobs(self._synced(), prompt_ids, completion_ids)

    def close(self) -> None:
        self._model = None

    def _synced(self) -> PreTrainedModel:
        if self._model is None:
            raise EngineError("generate has no weights yet: call sync first")
        return self._model

    def _batches(self, lengths: list[int], sampling: Sampling) -> Iterator[list[int]]:
        order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
        while order:
            width = sampling.num_samples * (lengths[order[0]] + sampling.max_new_tokens)
            count = max(1, self.max_batch_tokens // width)
            yield order[:count]
            order = order[count:]

    def _batch(self, model: PreTrainedModel, prompts: list[list[int]], sampling: Sampling) -> list[Sample]:
        width = max(map(len, prompts))
        ids_RP = torch.full((len(prompts), width), self.pad_id, dtype=torch.long)
        mask_RP = torch.zeros_like(ids_RP)
        for row, prompt in enumerate(prompts):
            ids_RP[row, width - len(prompt) :] = torch.tensor(prompt)
            mask_RP[row, width - len(prompt) :] = 1
        chosen = _ChosenLogprobs(width, sampling.temperature)
        config = GenerationConfig(
            do_sample=sampling.temperature > 0,
            num_return_sequences=sampling.num_samples if sampling.temperature > 0 else 1,
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature or 1.0,
            top_k=0,
            eos_token_id=list(sampling.stop_ids) or None,
            pad_token_id=self.pad_id,
        )
        # What a config leaves out would come from the model's own one, such as a repetition penalty.
        own, model.generation_config = model.generation_config, config
        try:
            out = model.generate(  # type: ignore[operator]
                ids_RP.to(model.device),
                attention_mask=mask_RP.to(model.device),
                logits_processor=LogitsProcessorList([chosen]),
            )
        finally:
            model.generation_config = own
        logprobs = chosen.all(out).tolist()
        stops = set(sampling.stop_ids)
        made = []
        for ids, scores in zip(out[:, width:].tolist(), logprobs, strict=True):
            end = next((place + 1 for place, token in enumerate(ids) if token in stops), None)
            made.append(Sample(tuple(ids[:end]), tuple(scores[: len(ids[:end])]), end is not None))
        return made if sampling.temperature > 0 else [sample for sample in made for _ in range(sampling.num_samples)]


class _ChosenLogprobs(LogitsProcessor):
    """Keeps the log-probability of each token that is chosen, and of no other: (R, V) for a step, not for all."""

    def __init__(self, prompt_width: int, temperature: float) -> None:
        self.prompt_width = prompt_width
        self.temperature = temperature or 1.0
        self._columns: list[torch.Tensor] = []
        self._last_RV: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._take(input_ids)
        self._last_RV = (scores.float() / self.temperature).log_softmax(-1)
        return scores

    def all(self, out_RL: torch.Tensor) -> torch.Tensor:
        """(R, T), once everything has been generated."""
        self._take(out_RL)
        return torch.stack(self._columns, 1)

    def _take(self, ids_RL: torch.Tensor) -> None:
        if self._last_RV is not None:
            self._columns.append(self._last_RV.gather(1, ids_RL[:, -1:])[:, 0])
