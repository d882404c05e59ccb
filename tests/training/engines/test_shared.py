"""An engine that processes share: all are asked for the same, and each gets what it would get alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedModel

from evaluation.sampler import Sample
from tests.training.engines.models import COMPLETIONS, PROMPTS, STOP, tiny
from tests.training.processes import in_processes
from tests.training.tiny_data import tiny_recipe
from training.engines import Probe, Sampling, open_engine
from training.engines.protocol import Ids
from training.engines.sampler import SamplerEngine
from training.engines.shared import SharedEngine, joined
from training.errors import EngineError
from training.processes import gathered, neighbours


def test_parts_are_joined_in_the_order_of_ranks() -> None:
    parts = [["a", "b"], [], ["c"]]
    assert [joined(parts, rank) for rank in range(3)] == [
        (["a", "b", "c"], slice(0, 2)),
        (["a", "b", "c"], slice(2, 2)),
        (["a", "b", "c"], slice(2, 3)),
    ]


class LockstepEngine(SamplerEngine):
    """Refuses to work where a process of its group is asked something else, as tensor parallelism would hang."""

    def __init__(self, group: Any) -> None:
        super().__init__()
        self.group = group

    def generate(self, *arguments: Any, **named: Any) -> list[list[Sample]]:
        self._compare([arguments, named])
        return super().generate(*arguments, **named)

    def logprobs(self, prompt_ids: Sequence[Ids], completion_ids: Sequence[Ids]) -> list[list[float]]:
        self._compare([prompt_ids, completion_ids])
        return super().logprobs(prompt_ids, completion_ids)

    def _compare(self, asked: Any) -> None:
        assert gathered(asked, self.group) == [asked] * 2


def ids(groups: list[list[Sample]]) -> list[list[tuple[int, ...]]]:
    return [[sample.token_ids for sample in group] for group in groups]


def synced(engine: Any, model: PreTrainedModel) -> Any:
    engine.sync(model)
    return engine


def four_ranks_in_two_engines(rank: int) -> None:
    model = tiny("llama", True)
    alone = synced(SamplerEngine(), model)
    group = neighbours(2)
    assert gathered(rank, group) == [rank // 2 * 2, rank // 2 * 2 + 1]
    shared = synced(SharedEngine(LockstepEngine(group), group), model)

    mine, streams = [PROMPTS[rank % 2], [rank + 5, 7]], [2 * rank, 2 * rank + 1]
    for number in (2, rank % 2):  # as many on each, then none on some
        asked = (mine[:number], Sampling(3, 12, 1.0, 5, (STOP,)), streams[:number])
        assert ids(shared.generate(*asked)) == ids(alone.generate(*asked))
    assert shared.generate([], Sampling(1, 12, 1.0, 5, (STOP,))) == []

    scores = shared.logprobs(mine, [[rank + 1, 3], [4]])
    for one, other in zip(scores, alone.logprobs(mine, [[rank + 1, 3], [4]]), strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert Probe(PROMPTS, COMPLETIONS, 1e-4).difference(shared, model) < 2e-5

    if rank < 2:
        with pytest.raises(EngineError, match="asked it for different things"):
            shared.generate(mine, Sampling(1, 12, 1.0, 5 + rank, (STOP,)))


def test_an_engine_for_more_processes_than_there_are_is_refused() -> None:
    recipe = tiny_recipe(rl__engine="vllm", parallel__devices=2, parallel__engine_devices=2)
    with pytest.raises(EngineError, match=r"2 training processes share an engine .* and there are 1"):
        open_engine(recipe, None, tiny("llama", True).config)  # type: ignore[arg-type]


@pytest.mark.slow
def test_each_process_gets_what_it_would_get_alone(tmp_path: Path) -> None:
    in_processes(4, tmp_path, four_ranks_in_two_engines)
