"""What a rollout engine does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from transformers import PreTrainedModel

from evaluation.sampler import Sample

Ids = Sequence[int]


@dataclass(frozen=True)
class Sampling:
    """How prompts are continued: `num_samples` times each, by at most `max_new_tokens` tokens, of which the first of
    `stop_ids` is the last; at temperature 0 always by the likeliest."""

    num_samples: int
    max_new_tokens: int
    temperature: float
    seed: int
    stop_ids: tuple[int, ...] = ()


class RolloutEngine(Protocol):
    """Samples responses from the weights that it was last given; used by one thread at a time.

    Log-probabilities are natural logarithms. A sample's are those of the distribution sampled from (at temperature 0:
    of temperature 1), `logprobs` are always those of temperature 1.
    """

    def sync(self, model: PreTrainedModel) -> None:
        """Take the weights of the trainer's model as they are now; to be called before the first use."""

    def generate(
        self, prompt_ids: Sequence[Ids], sampling: Sampling, streams: Sequence[int] | None = None
    ) -> list[list[Sample]]:
        """The samples of each prompt, in the order of the prompts; the same for the same seed.

        `streams` number the prompts for the seed (by default their places): processes that share the prompts of an
        update name each by its place there. What an engine draws for a prompt depends on its stream ("transformers":
        on all prompts of the call and the first stream).
        """

    def logprobs(self, prompt_ids: Sequence[Ids], completion_ids: Sequence[Ids]) -> list[list[float]]:
        """The log-probability of each token of each completion after its prompt."""

    def close(self) -> None:
        """Give back memory and processes; the engine can't be used afterwards."""
