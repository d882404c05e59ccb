"""Speed of the project's sampler beside transformers' `generate`, on a small random model: tokens per CPU-second.

    python benchmarks/sampler_speed.py [--prompts 12] [--samples 5] [--new-tokens 160] [--repeats 3]

Both draw at temperature 1 from the same prompts and stop each row at a length of its own, so that rows end
at different times as in training; the ratio, not the figure, is what carries over to other machines.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from evaluation.sampler import Sampler

# About 1 token in 65 is a stop token under a uniform distribution over the vocabulary, as long as the responses
# that the tiny recipe trains on.
VOCABULARY, STOPS = 364, tuple(range(6))


def tiny_llama() -> LlamaForCausalLM:
    """The shape of the recipe `tiny`: 0.6M parameters, random."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=VOCABULARY - 1,
    )
    model = LlamaForCausalLM(config).eval()
    model.generation_config.eos_token_id = list(STOPS)
    return model


def measure(name: str, work: Callable[[], int], repeats: int) -> float:
    """Prints tokens per wall and CPU second, the best of the repeats; returns the latter."""
    best_wall = best_cpu = 0.0
    work()
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        tokens = work()
        best_wall = max(best_wall, tokens / (time.perf_counter() - wall))
        best_cpu = max(best_cpu, tokens / (time.process_time() - cpu))
    print(f"{name:<40} {best_wall:>10,.0f} {best_cpu:>12,.0f}")
    return best_cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=12)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--new-tokens", type=int, default=160)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    model = tiny_llama()
    generator = torch.Generator().manual_seed(1)
    prompts = [
        torch.randint(10, VOCABULARY - 1, (int(length),), generator=generator).tolist()
        for length in torch.randint(60, 124, (options.prompts,), generator=generator)
    ]
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), VOCABULARY - 1)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1

    def by_generate() -> int:
        torch.manual_seed(0)
        with torch.no_grad():
            out = model.generate(
                ids,
                attention_mask=mask,
                do_sample=True,
                top_k=0,
                max_new_tokens=options.new_tokens,
                num_return_sequences=options.samples,
            )[:, width:]
        stopped = torch.isin(out, torch.tensor(STOPS))
        first = torch.where(stopped.any(1), stopped.int().argmax(1) + 1, out.shape[1])
        return int(first.sum())

    def by_sampler() -> int:
        groups = Sampler(model).generate(
            prompts, num_samples=options.samples, max_new_tokens=options.new_tokens, stop_ids=STOPS
        )
        return sum(len(sample.token_ids) for group in groups for sample in group)

    print(f"{'':<40} {'tok/s wall':>10} {'tok/CPU-s':>12}")
    base = measure("transformers generate", by_generate, options.repeats)
    own = measure("evaluation.sampler", by_sampler, options.repeats)
    print(f"ratio per CPU-second {own / base:.2f}")


if __name__ == "__main__":
    main()
