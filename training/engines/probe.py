"""The probe: after every sync the engine's log-probabilities are compared with those of the trainer's own model.

Two parts, both on the same few prompts. Fixed completions are scored by the engine in one pass, which sees weights
that are stale in whole or in part. Then the engine continues the prompts by some tokens of its own, and what it says of
them is scored by the trainer, which sees what is wrong in decoding only, such as a cache of the old weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedModel

from training.config import Recipe
from training.engines.protocol import Ids, RolloutEngine, Sampling
from training.engines.scores import model_logprobs
from training.errors import EngineMismatch

NUM_PROMPTS, NUM_TOKENS = 3, 16
# Measured with vLLM 0.32 on the CPU, engines that were right: float32 4e-6 (tiny) to 1e-5 (30M); bfloat16 0.012 (1M),
# 0.04 (5M). In bfloat16 an engine is caught once its weights are about 1e-3 behind (0.13 and 0.20; at 1e-4 the
# difference is 0.02 and 0.05, lost in rounding): later than in float32, not never, as what is stale falls behind.
LIMITS = {"float32": 1e-4, "bfloat16": 0.1}


def difference_limit(recipe: Recipe) -> float:
    """`rl.max_engine_difference`, or what the precision allows where it is not set; nats per token."""
    given = recipe.rl.max_engine_difference
    return LIMITS[recipe.model.precision] if given is None else given


@dataclass(frozen=True)
class Probe:
    """A few prompts with completions, which should be texts that the model is meant to write."""

    prompt_ids: Sequence[Ids]
    completion_ids: Sequence[Ids]
    limit: float
    num_tokens: int = NUM_TOKENS

    @classmethod
    def of(cls, texts: Sequence[tuple[Ids, Ids]], limit: float) -> Probe:
        """From the first (prompt, response) pairs, responses cut short."""
        first = texts[:NUM_PROMPTS]
        return cls([prompt for prompt, _ in first], [response[:NUM_TOKENS] for _, response in first], limit)

    def difference(self, engine: RolloutEngine, model: PreTrainedModel) -> float:
        """The largest difference of a token's log-probability between engine and model, in nats; NaN is infinite."""
        expected = model_logprobs(model, self.prompt_ids, self.completion_ids)
        given = engine.logprobs(self.prompt_ids, self.completion_ids)
        groups = engine.generate(self.prompt_ids, Sampling(1, self.num_tokens, 1.0, 0))
        sampled = [group[0].token_ids for group in groups]
        said = [list(group[0].logprobs) for group in groups]
        return max(_largest(expected, given), _largest(model_logprobs(model, self.prompt_ids, sampled), said))

    def check(self, difference: float, engine_name: str, update: int) -> None:
        """EngineMismatch where the difference is beyond the limit."""
        if difference <= self.limit:
            return
        raise EngineMismatch(
            f"update {update}: the rollout engine {engine_name!r} and the trainer's model differ by {difference:.2g}"
            f" nats in the log-probability of a token, and {self.limit:.2g} is the most allowed"
            " (rl.max_engine_difference). The engine has other weights than the trainer, all or some of them, or"
            " another precision; nothing was trained on its responses. Run with rl.engine = 'sampler' to go on from"
            " the last checkpoint"
        )


def _largest(expected: list[list[float]], given: list[list[float]]) -> float:
    pairs = [
        abs(one - other)
        for row, row_given in zip(expected, given, strict=True)
        for one, other in zip(row, row_given, strict=True)
    ]
    return float("inf") if any(value != value for value in pairs) else max(pairs, default=0.0)
