"""Speed of RL apart from generation: an update of each mode beside stock TRL's on the same rollouts, and grading.

    python -m benchmarks.rl_speed [--prompts 24] [--updates 4] [--rounds 3] [--quick]

Rollouts are the teacher's responses with some numbers changed, so that about half of the steps are wrong; the same for
every trainer. Stock TRL gets its terminal reward from the same grading. Rounds are interleaved; a figure is the median
over rounds, in CPU-seconds of one thread. Ratios carry over to other machines, figures do not.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from transformers import PreTrainedTokenizerFast, TrainerCallback
from trl import GRPOTrainer

from benchmarks.cpu_time import cpu_s
from corpus.synthesis import synthesise
from execution.observe import observe
from execution.sandbox import Sandbox, open_sandbox
from execution.traces import Trace
from training.bilevel import BiLevelTrainer
from training.config import Recipe, load_recipe
from training.examples import Encoded, encoded_within_limits, io_example
from training.grading import grade
from training.model import new_model
from training.rl import grpo_arguments
from training.tokenizer import encode, train_tokenizer

STOCK = "TRL as it is"
MODES = ("terminal", "step", "bilevel", "first_divergence", "dependence", "own_state")
OURS: dict[str, dict[str, Any]] = {
    "bilevel, one part": {"mode": "bilevel", "length_parts": 1},
    **{mode: {"mode": mode} for mode in MODES},
    "bilevel, prompts shared": {"mode": "bilevel", "length_parts": 8, "share_prompts": True},
}
NUM_PROGRAMS = 150


@dataclass(frozen=True)
class Work:
    """What every trainer and grading gets: prompts with their sampled responses, in group order."""

    recipe: Recipe
    tokenizer: PreTrainedTokenizerFast
    model: Path
    examples: list[Encoded]
    completions: list[list[int]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=24, help="prompts of an update")
    parser.add_argument("--updates", type=int, default=4, help="updates measured per round, after one that is not")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    prompts, updates, rounds, num_graded = given.prompts, given.updates, given.rounds, 1000
    if given.quick:
        prompts, updates, rounds, num_graded = 2, 1, 1, 20
    torch.set_num_threads(1)
    out = Console(width=120)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = stack.enter_context(open_sandbox("bubblewrap"))
        second = stack.enter_context(open_sandbox("bubblewrap", hash_seed=1))
        found = traces((sandbox, second), 20 if given.quick else NUM_PROGRAMS)
        work = make_work(folder, found, prompts)
        out.print(update_table(work, updates, rounds, sandbox))
        out.print(grading_table(work.recipe, work.tokenizer, found, num_graded, rounds, sandbox))


def traces(sandboxes: tuple[Sandbox, Sandbox], num_programs: int) -> list[Trace]:
    """Traces of synthesised programs of the levels that the recipe tiny trains on, one call each."""
    programs = [program for level in (1, 3) for program in synthesise(level, 0, num_programs // 2, 1, "tiny")]
    outcomes = [outcome for program in programs for outcome in observe([program], sandboxes)]
    return [outcome for outcome in outcomes if isinstance(outcome, Trace) and len(outcome.states) >= 2]


def make_work(folder: Path, found: Sequence[Trace], prompts: int) -> Work:
    """A model of the recipe tiny with random weights, and one batch of responses to output prompts."""
    recipe = load_recipe(
        "tiny", {"rl.prompts_per_update": prompts, "rl.updates": 1000, "threads": 1, "logging.rollouts_every": 0}
    )
    examples = [example for trace in found if (example := io_example(recipe, trace, "output"))]
    texts = [text for example in examples for text in (example.prompt, example.response)]
    tokenizer = train_tokenizer(texts, recipe.tokenizer.vocab_size, folder / "model")
    new_model(recipe.model, tokenizer).save_pretrained(folder / "model")
    encoded = encoded_within_limits(recipe, tokenizer, examples)
    chosen = [encoded[place % len(encoded)] for place in range(prompts)]
    rng = random.Random(0)
    completions = [
        [*encode(tokenizer, disturbed(row.example.response, rng)), int(tokenizer.eos_token_id or 0)]
        for row in chosen
        for _ in range(recipe.rl.group_size)
    ]
    return Work(recipe, tokenizer, folder / "model", chosen, completions)


def disturbed(response: str, rng: random.Random, share: float = 0.3) -> str:
    """The response with a share of its printed and answered numbers changed."""

    def other(found: re.Match[str]) -> str:
        return str(int(found[0]) + rng.randint(1, 3)) if rng.random() < share else found[0]

    blocks = re.split(r"(<print>.*?</print>|<answer>.*?</answer>)", response)
    return "".join(re.sub(r"\d+", other, one) if place % 2 else one for place, one in enumerate(blocks))


class Clock(TrainerCallback):
    """CPU seconds of each update."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.each: list[float] = []
        self._started = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._started = cpu_s([self.sandbox])

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.each.append(cpu_s([self.sandbox]) - self._started)


def update_table(work: Work, updates: int, rounds: int, sandbox: Sandbox) -> Table:
    arms: dict[str, Callable[[Clock, Path], GRPOTrainer]] = {
        STOCK: lambda clock, folder: stock(work, clock, folder, updates),
    }
    for name, changes in OURS.items():
        arms[name] = lambda clock, folder, changes=changes: ours(  # type: ignore[misc]
            work, changes, clock, folder, updates, sandbox
        )
    measured: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, make in arms.items():
            clock = Clock(sandbox)
            with tempfile.TemporaryDirectory() as folder:
                make(clock, Path(folder)).train()
            measured[name] += clock.each[1:]
    base = statistics.median(measured[STOCK])
    rollouts = len(work.completions)
    title = f"an update of {rollouts} rollouts ({sum(map(len, work.completions)):,} tokens) without generation"
    table = Table("trainer", "CPU-s, median", "of TRL as it is", box=SIMPLE, title=title)
    for name, values in measured.items():
        middle = statistics.median(values)
        table.add_row(name, f"{middle:.3f}", f"{middle / base:.2f}")
    return table


def _given(work: Work, folder: Path, updates: int, recipe: Recipe) -> dict[str, Any]:
    args = grpo_arguments(recipe, folder)
    args.max_steps, args.save_strategy, args.logging_strategy = updates + 1, "no", "no"
    repeated = work.examples * (updates + 2)

    def rollouts(prompts: Sequence[str], trainer: Any) -> dict[str, Any]:
        prompt_ids = [list(row.prompt_ids) for row in work.examples for _ in range(recipe.rl.group_size)]
        return {"prompt_ids": prompt_ids, "completion_ids": [list(ids) for ids in work.completions], "logprobs": None}

    rows = {"prompt": [row.example.prompt for row in repeated], "example": list(range(len(repeated)))}
    return {
        "model": str(work.model),
        "args": args,
        "train_dataset": Dataset.from_dict(rows),
        "processing_class": work.tokenizer,
        "rollout_func": rollouts,
    }


def ours(
    work: Work, changes: dict[str, Any], clock: Clock, folder: Path, updates: int, sandbox: Sandbox
) -> BiLevelTrainer:
    recipe = work.recipe.model_copy(update={"rl": work.recipe.rl.model_copy(update=changes)})
    given = _given(work, folder, updates, recipe)
    examples = work.examples * (updates + 2)
    return BiLevelTrainer(recipe=recipe, examples=examples, sandbox=sandbox, callbacks=[clock], **given)


def stock(work: Work, clock: Clock, folder: Path, updates: int) -> GRPOTrainer:
    examples = work.examples * (updates + 2)

    def reward(completion_ids: list[list[int]], example: list[int], **_: Any) -> list[float]:
        return [
            grade("output", examples[place].example.trace, ids, work.tokenizer, None).final_reward
            for place, ids in zip(example, completion_ids, strict=True)
        ]

    return GRPOTrainer(reward_funcs=[reward], callbacks=[clock], **_given(work, folder, updates, work.recipe))


def grading_table(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerFast,
    found: Sequence[Trace],
    num_rollouts: int,
    rounds: int,
    sandbox: Sandbox,
) -> Table:
    """Grading of rollouts of which 0, 50 and 100 % are input prediction, and of output prediction by own states."""
    ready = {task: _responses(recipe, tokenizer, found, task, num_rollouts) for task in ("output", "input")}
    title = f"grading, CPU-s and wall seconds per 1,000 rollouts (of {num_rollouts:,}; the sandbox included)"
    table = Table("rollouts", "CPU-s", "wall s", "of output prediction", box=SIMPLE, title=title)
    base = None
    for label, input_share, own in (
        ("output prediction", 0.0, False),
        ("50 % input prediction", 0.5, False),
        ("100 % input prediction", 1.0, False),
        ("output prediction by own states", 0.0, True),
    ):
        cpu, wall = [], []
        for _ in range(rounds):
            num_input = round(num_rollouts * input_share)
            mixed = [("input", *one) for one in ready["input"][:num_input]]
            mixed += [("output", *one) for one in ready["output"][: num_rollouts - num_input]]
            with open_sandbox("bubblewrap") as fresh:  # which remembers no run
                fresh_cpu, started = cpu_s([fresh]), time.perf_counter()
                for task, trace, ids in mixed:
                    grade(task, trace, ids, tokenizer, fresh, own_states=own)
                wall.append(time.perf_counter() - started)
                cpu.append(cpu_s([fresh]) - fresh_cpu)
        per_thousand = statistics.median(cpu) * 1000 / num_rollouts
        base = base or per_thousand
        walls = statistics.median(wall) * 1000 / num_rollouts
        table.add_row(label, f"{per_thousand:.2f}", f"{walls:.2f}", f"{per_thousand / base:.1f}")
    return table


def _responses(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, found: Sequence[Trace], task: str, count: int
) -> list[tuple[Trace, list[int]]]:
    """Disturbed responses, five to each trace, as the rollouts of a group."""
    rng = random.Random(1)
    rows: list[tuple[Trace, list[int]]] = []
    while len(rows) < count:
        for trace in found:
            if example := io_example(recipe, trace, task):
                rows += [(trace, encode(tokenizer, _with_input(example.response, rng))) for _ in range(5)]
    return rows[:count]


def _with_input(response: str, rng: random.Random) -> str:
    """Disturbed in the committed input too, so that a group's rollouts commit to several."""
    blocks = re.split(r"(<input>.*?</input>)", response)
    changed = [
        re.sub(r"\d+", lambda found: str(int(found[0]) + rng.randint(0, 2)), one) if place % 2 else disturbed(one, rng)
        for place, one in enumerate(blocks)
    ]
    return "".join(changed)


if __name__ == "__main__":
    main()
