"""An endpoint without a model, for tests: it answers by a function of the prompt, and counts what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evaluation.endpoint import Completion


class Scripted:
    """`answer` takes the prompt, and the sample's number too where several are drawn. After `die_after` calls the next
    one is as a kill."""

    def __init__(self, answer: Callable[..., str], die_after: int | None = None) -> None:
        self.answer = answer
        self.die_after = die_after
        self.asked: list[str] = []
        self.num_calls = 0

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        temperature: float = 0.0,
        num_samples: int = 1,
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
        **given: Any,
    ) -> list[list[Completion]]:
        if self.die_after is not None and self.num_calls >= self.die_after:
            raise KeyboardInterrupt
        self.num_calls += 1
        self.asked += prompts
        several = num_samples > 1
        answers = [
            [
                Completion(self.answer(prompt, k) if several else self.answer(prompt), 3, True)
                for k in range(num_samples)
            ]
            for prompt in prompts
        ]
        if (heard := given.get("on_answer")) is not None:
            for place, drawn in enumerate(answers):
                heard(place, dict(enumerate(drawn)))
        if progress is not None:
            progress(len(prompts) * num_samples)
        return answers
