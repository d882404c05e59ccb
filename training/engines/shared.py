"""One engine that several processes run together, each with a share of every layer (tensor parallelism).

Each process of a group of neighbours holds an engine of its own, and these compute one model: all must be asked the
same at the same time. So the prompts of all of them are gathered, every engine is asked for all, and each process
keeps what belongs to its own prompts, as in TRL's vllm_generation.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from transformers import PreTrainedModel

from evaluation.sampler import Sample
from training.engines.protocol import Ids, RolloutEngine, Sampling
from training.errors import EngineError
from training.processes import gathered, wait_for_all

T = TypeVar("T")


def joined(parts: Sequence[Sequence[T]], rank: int) -> tuple[list[T], slice]:
    """The parts of all processes in one list, and where that of process `rank` lies in it."""
    first = sum(map(len, parts[:rank]))
    return [row for part in parts for row in part], slice(first, first + len(parts[rank]))


class SharedEngine:
    """An engine that the processes of `group` run together; every call is one of all of them.

    They may have different prompts, also different numbers of them and none; all else must be the same.
    """

    def __init__(self, engine: RolloutEngine, group: Any) -> None:
        self.engine = engine
        self.group = group

    def sync(self, model: PreTrainedModel) -> None:
        # vLLM's collectives may hang where NCCL still ends those of the last update (TRL's issue 3671)
        wait_for_all()
        self.engine.sync(model)

    def generate(
        self, prompt_ids: Sequence[Ids], sampling: Sampling, streams: Sequence[int] | None = None
    ) -> list[list[Sample]]:
        numbers = range(len(prompt_ids)) if streams is None else streams
        mine = [(list(prompt), stream) for prompt, stream in zip(prompt_ids, numbers, strict=True)]
        rows, place = self._gathered(sampling, mine)
        if not rows:
            return []
        prompts, everyones = [prompt for prompt, _ in rows], [stream for _, stream in rows]
        return self.engine.generate(prompts, sampling, everyones)[place]

    def logprobs(self, prompt_ids: Sequence[Ids], completion_ids: Sequence[Ids]) -> list[list[float]]:
        mine = [(list(one), list(other)) for one, other in zip(prompt_ids, completion_ids, strict=True)]
        rows, place = self._gathered("logprobs", mine)
        return self.engine.logprobs([prompt for prompt, _ in rows], [ids for _, ids in rows])[place] if rows else []

    def close(self) -> None:
        self.engine.close()

    def _gathered(self, settings: Any, mine: list[T]) -> tuple[list[T], slice]:
        told = gathered((settings, mine), self.group)
        if any(other != settings for other, _ in told):
            raise EngineError(
                f"processes that share an engine asked it for different things at once: {[other for other, _ in told]}"
            )
        return joined([rows for _, rows in told], self.group.rank())
