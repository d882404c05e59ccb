"""Batched sampling from a transformers causal language model: prompts prefilled once, finished rows dropped.

Shapes: R rows (one per sample), P prompt tokens with padding on the left, V vocabulary.

A sample depends on its prompt, its number and the seed only, not on what shares its batch: each prompt has its own
stream of uniform numbers, one per token, turned into a token by the inverse of the cumulative distribution. (Equal up
to rounding: another batch shape can round a logit otherwise.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicCache

from evaluation.decode_attention import fast_decoding
from evaluation.kv_cache import new_cache

# Rows are dropped once this share of them has finished: each drop copies the cache of those that stay.
DROP_SHARE = 0.1
# A text that ends a generation is looked for after so many tokens.
ENDS_EVERY = 16


@dataclass(frozen=True)
class Sample:
    """Sampled ids, the stop token included where it came.

    `logprobs` are natural logarithms under the distribution sampled from (logits / temperature; at temperature 0 the
    distribution of temperature 1). `finished` is False where the token limit cut it.
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool


@dataclass(frozen=True)
class _Request:
    """Samples first..last-1 of one prompt: what a batch is made of."""

    prompt: int
    first: int
    last: int


class Sampler:
    """Samples from `model` as it is when `generate` is called; weights may change between calls.

    `max_batch_tokens` bounds rows x (prompt + new tokens) of a batch, and so the size of the cache.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase | None = None,
        *,
        max_batch_tokens: int = 32768,
    ) -> None:
        self.model = model
        self.max_batch_tokens = max_batch_tokens
        pad = None if tokenizer is None else tokenizer.pad_token_id
        self.pad_id = pad if isinstance(pad, int) else 0

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        num_samples: int = 1,
        max_new_tokens: int = 256,
        temperature: float = 1.0,
        seed: int = 0,
        stop_ids: Sequence[int] = (),
        progress: Callable[[int], None] | None = None,
        *,
        streams: Sequence[int] | None = None,
        top_p: float = 1.0,
        ends: Callable[[Sequence[int]], bool] | None = None,
        on_samples: Callable[[int, int, list[Sample]], None] | None = None,
    ) -> list[list[Sample]]:
        """`num_samples` samples of each prompt (token ids, not empty), in the order of `prompts`.

        Temperature 0 takes the likeliest token. `streams` number the prompts for the seed (by default their places).
        `top_p` below 1 draws from the fewest tokens of that much probability.
        `ends` says of the ids of a running sample that it is finished; it is asked every ENDS_EVERY tokens. After each
        batch `on_samples` hears (prompt, number of the first, samples), and `progress` how many samples are complete.
        """
        if any(len(prompt) == 0 for prompt in prompts):
            raise ValueError("a prompt has no tokens: there is nothing to continue")
        if num_samples < 1 or max_new_tokens < 1 or temperature < 0 or not 0 < top_p <= 1:
            raise ValueError(
                "num_samples and max_new_tokens must be at least 1, temperature at least 0, top_p above 0 and at most 1"
            )
        results: list[list[Sample]] = [[] for _ in prompts]
        was_training = self.model.training
        self.model.eval()
        done = 0
        try:
            with torch.no_grad(), fast_decoding(self.model):
                for batch in self._batches([len(prompt) for prompt in prompts], num_samples, max_new_tokens):
                    run = _Run(self, [list(prompts[r.prompt]) for r in batch], batch, max_new_tokens, temperature)
                    run.top_p = top_p
                    run.draw_uniforms(seed, num_samples, streams)
                    for request, samples in zip(batch, run.samples(stop_ids, ends), strict=True):
                        results[request.prompt] += samples
                        done += len(samples)
                        if on_samples is not None:
                            on_samples(request.prompt, request.first, samples)
                    if progress is not None:
                        progress(done)
        finally:
            self.model.train(was_training)
        return results

    def _batches(self, lengths: list[int], num_samples: int, max_new_tokens: int) -> Iterator[list[_Request]]:
        """Requests by falling prompt length (little padding, the largest batch first), cut at the token budget."""
        batch: list[_Request] = []
        room = width = 0
        for prompt in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
            first = 0
            while first < num_samples:
                if not batch:
                    width = lengths[prompt] + max_new_tokens
                    room = max(1, self.max_batch_tokens // width)
                last = min(num_samples, first + room)
                batch.append(_Request(prompt, first, last))
                room -= last - first
                first = last
                if room == 0:
                    yield batch
                    batch = []
        if batch:
            yield batch


class _Run:
    """One batch from prefill to the last token."""

    def __init__(
        self,
        sampler: Sampler,
        prompts: list[list[int]],
        batch: list[_Request],
        max_new_tokens: int,
        temperature: float,
    ) -> None:
        self.model = sampler.model
        self.device = sampler.model.device
        self.batch = batch
        self.max_new_tokens = max_new_tokens
        self.temperature = temperature
        self.top_p = 1.0
        width = max(map(len, prompts))
        ids_RP = torch.full((len(prompts), width), sampler.pad_id, dtype=torch.long)
        mask_RP = torch.zeros((len(prompts), width), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids_RP[row, width - len(prompt) :] = torch.tensor(prompt)
            mask_RP[row, width - len(prompt) :] = 1
        self.ids_RP = ids_RP.to(self.device)
        self.mask_RP = mask_RP.to(self.device)
        self.padded = not bool(mask_RP.all())
        self.uniforms: torch.Tensor | None = None

    def draw_uniforms(self, seed: int, num_samples: int, streams: Sequence[int] | None) -> None:
        """One uniform number per row and token, from a stream that belongs to the prompt."""
        if self.temperature == 0:
            return
        rows = []
        for request in self.batch:
            stream = request.prompt if streams is None else streams[request.prompt]
            generator = torch.Generator().manual_seed(_stream_seed(seed, stream))
            numbers = torch.rand((num_samples, self.max_new_tokens), generator=generator)
            rows.append(numbers[request.first : request.last])
        self.uniforms = torch.cat(rows).to(self.device)

    def samples(
        self, stop_ids: Sequence[int], ends: Callable[[Sequence[int]], bool] | None = None
    ) -> list[list[Sample]]:
        """Samples of each request of the batch."""
        cache = new_cache(self.model)
        positions_RP = (self.mask_RP.cumsum(-1) - 1).clamp_(min=0)
        logits_RV = self._forward(self.ids_RP, self.mask_RP, positions_RP, cache)
        counts = torch.tensor([request.last - request.first for request in self.batch], device=self.device)
        origin_R = torch.repeat_interleave(torch.arange(len(self.batch), device=self.device), counts)
        cache.batch_select_indices(origin_R)
        logits_RV, mask, position_R = logits_RV[origin_R], self.mask_RP[origin_R], positions_RP[origin_R, -1]

        num_rows = len(origin_R)
        tokens = torch.zeros((num_rows, self.max_new_tokens), dtype=torch.long, device=self.device)
        logprobs = torch.zeros((num_rows, self.max_new_tokens), device=self.device)
        lengths = torch.full((num_rows,), self.max_new_tokens, dtype=torch.long, device=self.device)
        finished = torch.zeros(num_rows, dtype=torch.bool, device=self.device)
        stops = torch.tensor(list(stop_ids), dtype=torch.long, device=self.device)
        alive = torch.arange(num_rows, device=self.device)
        for step in range(self.max_new_tokens):
            token_R, logprob_R = self._choose(logits_RV, alive, step)
            tokens[alive, step] = token_R
            logprobs[alive, step] = logprob_R
            ended_R = torch.isin(token_R, stops) & ~finished[alive]
            if ends is not None and (step + 1) % ENDS_EVERY == 0:
                asked = [ends(ids) for ids in tokens[alive, : step + 1].tolist()]
                ended_R |= torch.tensor(asked, device=self.device) & ~finished[alive]
            if bool(ended_R.any()):
                ended = alive[ended_R]
                finished[ended] = True
                lengths[ended] = step + 1
            going_R = ~finished[alive]
            num_going = int(going_R.sum())
            if num_going == 0 or step + 1 == self.max_new_tokens:
                break
            if num_going <= (1 - DROP_SHARE) * len(alive):
                keep = going_R.nonzero()[:, 0]
                alive, token_R, mask, position_R = alive[keep], token_R[keep], mask[keep], position_R[keep]
                cache.batch_select_indices(keep)
            position_R = position_R + 1
            mask = torch.nn.functional.pad(mask, (0, 1), value=1)
            logits_RV = self._forward(token_R[:, None], mask, position_R[:, None], cache)
        return self._collect(tokens, logprobs, lengths, finished)

    def _forward(
        self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: DynamicCache
    ) -> torch.Tensor:
        """Logits of the last token, (R, V), in float32."""
        output = self.model(
            input_ids=ids,
            attention_mask=mask if self.padded else None,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1].float()

    def _choose(self, logits_RV: torch.Tensor, alive: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The next token of each row and its log-probability."""
        if self.temperature not in (0, 1):
            logits_RV = logits_RV / self.temperature
        if self.top_p < 1 and self.uniforms is not None:
            logits_RV = _nucleus(logits_RV, self.top_p)
        logprob_RV = torch.log_softmax(logits_RV, dim=-1)
        if self.uniforms is None:
            token_R = logits_RV.argmax(dim=-1)
        else:
            cumulative_RV = logprob_RV.exp().cumsum(dim=-1)
            point_R1 = self.uniforms[alive, step, None] * cumulative_RV[:, -1:]
            token_R = torch.searchsorted(cumulative_RV, point_R1, right=True)[:, 0]
            token_R.clamp_(max=logits_RV.shape[-1] - 1)
        return token_R, logprob_RV.gather(-1, token_R[:, None])[:, 0]

    def _collect(
        self, tokens: torch.Tensor, logprobs: torch.Tensor, lengths: torch.Tensor, finished: torch.Tensor
    ) -> list[list[Sample]]:
        rows = iter(zip(tokens.tolist(), logprobs.tolist(), lengths.tolist(), finished.tolist(), strict=True))
        collected = []
        for request in self.batch:
            group = []
            for _ in range(request.first, request.last):
                ids, scores, length, ended = next(rows)
                group.append(Sample(tuple(ids[:length]), tuple(scores[:length]), ended))
            collected.append(group)
        return collected


def _nucleus(logits_RV: torch.Tensor, top_p: float) -> torch.Tensor:
    """Logits of the fewest likeliest tokens whose probabilities sum to `top_p` at least; -inf for all others."""
    sorted_RV, order_RV = logits_RV.sort(dim=-1, descending=True, stable=True)
    probability_RV = sorted_RV.softmax(dim=-1)
    beyond_RV = probability_RV.cumsum(dim=-1) - probability_RV >= top_p
    return logits_RV.masked_fill(torch.zeros_like(beyond_RV).scatter(-1, order_RV, beyond_RV), -torch.inf)


def _stream_seed(seed: int, prompt: int) -> int:
    """63 bits that depend on both numbers."""
    return int.from_bytes(hashlib.sha256(f"sampler {seed} {prompt}".encode()).digest()[:8], "big") >> 1
