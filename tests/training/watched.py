"""A trainer whose responses are given, and which keeps what TRL hands to the methods that ours overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from torch import Tensor

from tests.training.test_bilevel import END, STEP_A, STEP_B, TRACE, WRONG_A, WRONG_B, WRONG_END
from tests.training.tiny_data import make_trace
from training.bilevel import BiLevelTrainer
from training.config import Recipe
from training.examples import Encoded, io_example
from training.model import load_tokenizer
from training.rl import grpo_arguments
from training.tokenizer import encode

TEXTS = [STEP_A + STEP_B + END, STEP_A + WRONG_B + WRONG_END, WRONG_A + END]


class Watched(BiLevelTrainer):
    """Keeps what TRL hands to the methods that BiLevelTrainer overrides, and what they return."""

    def __init__(self, **kwargs: Any) -> None:
        self.reward_calls: list[tuple[Any, ...]] = []
        self.outputs: list[dict[str, Any]] = []
        self.logps_calls: list[dict[str, Any]] = []
        super().__init__(**kwargs)

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Tensor:
        self.reward_calls.append((inputs, prompts, completion_ids_list))
        return super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.outputs.append(super()._generate_and_score_completions(inputs))
        return self.outputs[-1]

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        self.logps_calls.append({"positional": len(args), **kwargs})
        return super()._get_per_token_logps_and_entropies(*args, **kwargs)


class Rollouts:
    """A rollout function that gives every group the same three responses, and keeps what it was asked."""

    def __init__(self, without: str = "") -> None:
        self.calls: list[tuple[list[str], Any]] = []
        self.without = without
        self.completion_ids: list[list[int]] = []

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        self.calls.append((prompts, trainer))
        tokenizer = trainer.processing_class
        texts = (TEXTS * len(prompts))[: len(prompts)]
        self.completion_ids = [[*encode(tokenizer, text), tokenizer.eos_token_id] for text in texts]
        answer = {
            "prompt_ids": [encode(tokenizer, prompt) for prompt in prompts],
            "completion_ids": self.completion_ids,
            "logprobs": None,
        }
        return {key: value for key, value in answer.items() if key != self.without}


def watched(recipe: Recipe, sft_folder: Path, folder: Path, rollouts: Rollouts) -> Any:
    """A trainer on two prompts in turn, two per update."""
    examples = [io_example(recipe, trace, "output") for trace in (TRACE, make_trace([("c", "x + 5"), ("d", "c")], 1))]
    rows = [Encoded(example, (), ()) for example in examples if example is not None] * recipe.rl.updates
    return Watched(
        recipe=recipe,
        examples=rows,
        sandbox=None,
        model=str(sft_folder / "model"),
        args=grpo_arguments(recipe, folder),
        train_dataset=Dataset.from_dict(
            {"prompt": [row.example.prompt for row in rows], "example": list(range(len(rows)))}
        ),
        processing_class=load_tokenizer(str(sft_folder / "model")),
        rollout_func=rollouts,
    )
