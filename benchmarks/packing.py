"""Packing in SFT beside padding: what an update of the recipe tiny costs on the CPU, and how its rows lie.

    python -m benchmarks.packing [--updates 6] [--rounds 5] [--quick]

Every arm gets the same rows in the same updates, and one model of random weights. Rounds are interleaved; a figure is
the median over rounds, in CPU-seconds of one thread, forward and backward. Ratios carry over to similar machines; on a
GPU, where small passes leave most of the device idle, they are others.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from torch import nn

from corpus.synthesis import synthesise
from execution.observe import observe
from execution.sandbox import open_sandbox
from execution.traces import Trace
from training.batches import MicroBatches, plan_batches, rows_of
from training.config import load_recipe
from training.examples import Encoded, encoded_within_limits, sft_examples
from training.model import new_model
from training.packing import num_tokens
from training.sft import weighted_loss
from training.tokenizer import train_tokenizer
from training.trace_pool import Traces

# the first is what the others are compared with
ARMS: dict[str, dict[str, Any]] = {
    "padded, as the recipe": {},
    "padded, one micro-batch": {"sft.micro_batches": 1},
    "packed to the longest row": {"sft.packing": True},
    "packed to 512 tokens": {"sft.packing": True, "sft.packed_tokens": 512},
    "packed to 1024 tokens": {"sft.packing": True, "sft.packed_tokens": 1024},
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=6, help="updates measured per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    updates, rounds, num_programs = (1, 1, 20) if given.quick else (given.updates, given.rounds, 150)
    torch.set_num_threads(1)
    pools, model, pad_id = make_work(num_programs)
    batches = {arm: batches_of(changes, pools, updates, pad_id) for arm, changes in ARMS.items()}
    seconds: dict[str, list[float]] = {arm: [] for arm in batches}
    for number in range(rounds + 1):
        for arm, one in batches.items():
            took = pass_s(model, one)
            if number:  # the first warms up
                seconds[arm].append(took / updates)
    Console(width=120).print(shown(batches, {arm: statistics.median(found) for arm, found in seconds.items()}, updates))


def make_work(num_programs: int) -> tuple[dict[str, list[Encoded]], nn.Module, int]:
    """The rows of every task of the recipe tiny, its model with random weights, and the pad token."""
    recipe = load_recipe("tiny", {"sft.updates": 100})
    with open_sandbox("bubblewrap") as sandbox, open_sandbox("bubblewrap", hash_seed=1) as second:
        programs = [program for level in (1, 3) for program in synthesise(level, 0, num_programs // 2, 1, "tiny")]
        found = [outcome for program in programs for outcome in observe([program], (sandbox, second))]
    examples = sft_examples(recipe, Traces.of([one for one in found if isinstance(one, Trace)]))
    texts = [example.prompt + example.response for rows in examples.values() for example in rows]
    tokenizer = train_tokenizer(texts, recipe.tokenizer.vocab_size)
    pools = {task: encoded_within_limits(recipe, tokenizer, rows) for task, rows in examples.items()}
    pad_id = tokenizer.pad_token_id
    assert isinstance(pad_id, int)
    return {task: rows for task, rows in pools.items() if rows}, new_model(recipe.model, tokenizer), pad_id


def batches_of(changes: dict[str, Any], pools: dict[str, list[Encoded]], updates: int, pad_id: int) -> MicroBatches:
    """The micro-batches of an arm."""
    recipe = load_recipe("tiny", {"sft.updates": updates} | changes)
    return MicroBatches(plan_batches(pools, recipe), recipe, pad_id)


def pass_s(model: nn.Module, batches: MicroBatches) -> float:
    """CPU-seconds of forward and backward over all micro-batches, tensors made beforehand."""
    ready = [batches[place] for place in range(len(batches))]
    model.zero_grad()
    started = time.process_time()
    for inputs in ready:
        weighted_loss(model, inputs)[0].backward()  # type: ignore[no-untyped-call]
    return time.process_time() - started


def shown(batches: dict[str, MicroBatches], seconds: dict[str, float], updates: int) -> Table:
    table = Table("rows", box=SIMPLE, title="An update of 32 rows")
    for name in ("micro-batches", "sequences", "of tokens", "padding", "CPU-s", "tokens / CPU-s", "of padded"):
        table.add_column(name, justify="right")
    base = seconds[next(iter(seconds))]
    for arm, one in batches.items():
        widest = max(num_tokens(sequence) for part in one.planned for sequence in part)
        tokens = sum(row.length for part in one.planned for row in rows_of(part))
        held = sum(one[place]["input_ids"].numel() for place in range(len(one)))
        table.add_row(
            arm,
            str(one.parts),
            f"{sum(map(len, one.planned)) / updates:.0f}",
            f"up to {widest}",
            f"{1 - tokens / held:.0%}",
            f"{seconds[arm]:.3f}",
            f"{tokens / updates / seconds[arm]:,.0f}",
            f"{seconds[arm] / base:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
