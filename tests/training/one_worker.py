"""One process of `test_two_workers`: an update of Bi-Level GRPO on its share of a scripted batch, figures as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset

from tests.training.tiny_data import make_trace, tiny_recipe
from training.bilevel import BiLevelTrainer
from training.examples import Encoded, io_example
from training.model import load_tokenizer
from training.rl import grpo_arguments
from training.run import leave_group
from training.tokenizer import encode

RIGHT = "<reasoning>r</reasoning><print>a: 3</print><reasoning>r</reasoning><print>b: 6</print><answer>6</answer>"
TEXTS = [RIGHT, RIGHT.replace("b: 6", "b: 5"), "<answer>6</answer>", RIGHT.replace("a: 3", "a: 1"), RIGHT, "<print>"]


def main(model: str, out: Path) -> None:
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    torch.set_num_threads(1)
    recipe = tiny_recipe(rl__prompts_per_update=2, rl__updates=1, rl__micro_batches=world)
    example = io_example(recipe, make_trace([("a", "x + 1"), ("b", "a * 2")], 2), "output")
    assert example is not None
    per_process = len(TEXTS) // world
    mine = TEXTS[rank * per_process : (rank + 1) * per_process]

    def rollouts(prompts: list[str], trainer: Any) -> dict[str, Any]:
        assert len(prompts) == len(mine)
        return {
            "prompt_ids": [encode(tokenizer, prompt) for prompt in prompts],
            "completion_ids": [[*encode(tokenizer, text), tokenizer.eos_token_id] for text in mine],
            "logprobs": None,
        }

    tokenizer = load_tokenizer(model)
    trainer = BiLevelTrainer(
        recipe=recipe,
        examples=[Encoded(example, (), ())] * 2,
        sandbox=None,
        model=model,
        args=grpo_arguments(recipe, out / "checkpoints", world),
        train_dataset=Dataset.from_dict({"prompt": [example.prompt] * 2, "example": [0, 1]}),
        processing_class=tokenizer,
        rollout_func=rollouts,
    )
    trainer.train()
    if rank == 0:
        row = trainer.state.log_history[0]
        (out / "figures.json").write_text(json.dumps({key: row[key] for key in ("loss", "grad_norm")}))
    leave_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
