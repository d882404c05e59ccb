"""The learning curve: a small fixed set of held-out programs, answered greedily while training goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from evaluation.sampler import Sampler
from execution.traces import Trace
from training.config import Recipe
from training.examples import io_example
from training.grading import Graded, grade
from training.held_out_rows import select_held_out
from training.tokenizer import encode


class HeldOut:
    """Output prediction on the first `evaluation.curve_programs` held-out programs."""

    def __init__(self, recipe: Recipe, dataset: Path, tokenizer_path: Path) -> None:
        rows = select_held_out(recipe, dataset, tokenizer_path, recipe.evaluation.curve_programs)
        traces = [Trace.from_json(row["trace"]) for row in rows]
        examples = [example for trace in traces if (example := io_example(recipe, trace, "output"))]
        self.traces = [example.trace for example in examples if example.trace]
        self.prompts = [example.prompt for example in examples]
        self.max_new_tokens = recipe.evaluation.max_new_tokens

    def answers(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> list[Graded]:
        """One graded greedy answer per program. Leaves the model's mode and the random state as they were."""
        was_training = model.training
        model.eval()
        with torch.random.fork_rng(devices=[]):
            groups = Sampler(model, tokenizer).generate(
                [encode(tokenizer, prompt) for prompt in self.prompts],
                num_samples=1,
                max_new_tokens=self.max_new_tokens,
                temperature=0.0,
                seed=0,
                stop_ids=[tokenizer.eos_token_id],
            )
        model.train(was_training)
        return [
            grade("output", trace, samples[0].token_ids, tokenizer, None)
            for trace, samples in zip(self.traces, groups, strict=True)
        ]

    def measure(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
        """Figures for a metrics row; nothing where there are no held-out programs."""
        if not self.traces:
            return {}
        started = time.monotonic()
        figures = accuracy(self.answers(model, tokenizer))
        return {**figures, "evaluate_s": time.monotonic() - started}


def accuracy(graded: Sequence[Graded]) -> dict[str, Any]:
    """Shares of right steps (over all anchors), right answers, wholly right and well-formed responses."""
    steps = [reward for one in graded for reward in one.step_rewards if one.judged]
    judged = [one for one in graded if one.judged]
    num = max(1, len(judged))
    return {
        "held_out_step": sum(steps) / max(1, len(steps)),
        "held_out_final": sum(one.final_reward for one in judged) / num,
        "held_out_all_correct": sum(one.all_correct for one in judged) / num,
        "held_out_format": sum(not one.faults for one in judged) / num,
        "held_out_programs": len(judged),
    }
