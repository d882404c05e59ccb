"""The project's own sampler as a rollout engine: it shares the trainer's module, so a sync costs nothing."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from evaluation.sampler import Sample, Sampler
from training.engines.protocol import Ids, Sampling
from training.engines.scores import model_logprobs
from training.errors import EngineError


class SamplerEngine:
    """Samples from the trainer's own module as it is."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase | None = None) -> None:
        self.tokenizer = tokenizer
        self._sampler: Sampler | None = None

    def sync(self, model: PreTrainedModel) -> None:
        if self._sampler is None or self._sampler.model is not model:
            self._sampler = Sampler(model, self.tokenizer)

    def generate(
        self, prompt_ids: Sequence[Ids], sampling: Sampling, streams: Sequence[int] | None = None
    ) -> list[list[Sample]]:
        return self._synced().generate(prompt_ids, **vars(sampling), streams=streams)

    def logprobs(self, prompt_ids: Sequence[Ids], completion_ids: Sequence[Ids]) -> list[list[float]]:
        return model_logprobs(self._synced().model, prompt_ids, completion_ids)

    def close(self) -> None:
        self._sampler = None

    def _synced(self) -> Sampler:
        if self._sampler is None:
            raise EngineError("the sampler has no weights yet: call sync first")
        return self._sampler
