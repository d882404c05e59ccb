"""vLLM's engine is the trainer's model after every sync, in this process and in a Ray actor.

CI does not install vLLM, so there these tests are skipped (pytest prints why).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
import torch

from tests.training.engines.models import COMPLETIONS, FAMILIES, PROMPTS, STOP, TIED, tiny, update
from tests.training.processes import in_processes
from tests.training.tiny_data import tiny_recipe
from training.engines import Probe, Sampling, open_engine
from training.engines.actor import VllmActorEngine
from training.engines.generate import GenerateEngine
from training.engines.scores import model_logprobs
from training.engines.vllm import VllmEngine
from training.errors import EngineError
from training.processes import gathered

INSTALLED = importlib.util.find_spec("vllm") is not None
needs_vllm = pytest.mark.optional("vllm")
PROBE = Probe(PROMPTS, COMPLETIONS, 1e-4)
Engine = VllmEngine | VllmActorEngine


@pytest.mark.skipif(INSTALLED, reason="vllm is installed")
def test_without_vllm_the_error_says_what_to_install() -> None:
    with pytest.raises(EngineError, match=r"pip install 'stepcode\[gpu\]'.* rl.engine = 'sampler'"):
        VllmEngine(tiny("llama", True).config, "float32", 128)


def test_an_actor_does_not_wait_for_gpus_that_the_cluster_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(EngineError, match=r"actor needs 4 GPUs \(parallel.engine_devices\), and the Ray cluster has 0"):
        VllmActorEngine(tiny("llama", True).config, "float32", 128, tensor_parallel_size=4)
    assert not ray.is_initialized()


def check(engine: Engine, family: str, tied: bool) -> None:
    """Three syncs with changed weights: greedy text of `generate`, log-probabilities of the trainer's model."""
    with pytest.raises(EngineError, match="call sync first"):
        engine.logprobs(PROMPTS, COMPLETIONS)
    model = tiny(family, tied)
    for number in range(3):
        update(model, number)
        engine.sync(model)
        difference = PROBE.difference(engine, model)
        print(f"{family} tied={tied} sync {number + 1}: difference {difference:.2g}")
        PROBE.check(difference, "vllm", number + 1)
        expected = GenerateEngine()
        expected.sync(model)
        greedy = engine.generate(PROMPTS, Sampling(1, 40, 0.0, 0, (STOP, 7)))
        for group, wanted in zip(greedy, expected.generate(PROMPTS, Sampling(1, 40, 0.0, 0, (STOP, 7))), strict=True):
            assert group[0].token_ids == wanted[0].token_ids
            assert group[0].finished == wanted[0].finished
        sampled = engine.generate(PROMPTS, Sampling(4, 20, 0.7, 9, (STOP,)))
        assert engine.generate(PROMPTS, Sampling(4, 20, 0.7, 9, (STOP,))) == sampled
        assert len({sample.token_ids for sample in sampled[0]}) > 1
        for prompt, group in zip(PROMPTS, sampled, strict=True):
            scored = model_logprobs(model, [prompt] * 4, [sample.token_ids for sample in group], 0.7)
            for sample, wanted_scores in zip(group, scored, strict=True):
                assert list(sample.logprobs) == pytest.approx(wanted_scores, abs=1e-4)
    update(model, 9)
    assert PROBE.difference(engine, model) > PROBE.limit, "without a sync the engine should be seen to be stale"


@pytest.fixture
def opened() -> Iterator[Callable[[Engine], Engine]]:
    engines: list[Engine] = []

    def keep(engine: Engine) -> Engine:
        engines.append(engine)
        return engine

    yield keep
    for engine in engines:
        engine.close()


@needs_vllm
@pytest.mark.parametrize("tied", TIED)
@pytest.mark.parametrize("family", FAMILIES)
def test_in_this_process(family: str, tied: bool, opened: Callable[[Engine], Engine]) -> None:
    check(opened(VllmEngine(tiny(family, tied).config, "float32", 128)), family, tied)


def two_ranks_in_one_engine(rank: int, processes_per_engine: int) -> None:
    changes = {"parallel__devices": 2, "parallel__engine_devices": processes_per_engine}
    model = tiny("qwen2", True)
    engine = open_engine(tiny_recipe(rl__engine="vllm", **changes), None, model.config)  # type: ignore[arg-type]
    alone = GenerateEngine()
    drawn = []
    for number in range(2):
        update(model, number)
        engine.sync(model)
        alone.sync(model)
        assert PROBE.difference(engine, model) < PROBE.limit
        mine = PROMPTS[: 2 - rank]
        greedy = engine.generate(mine, Sampling(1, 30, 0.0, 0, (STOP,)))
        for group, wanted in zip(greedy, alone.generate(mine, Sampling(1, 30, 0.0, 0, (STOP,))), strict=True):
            assert group[0].token_ids == wanted[0].token_ids
        drawn += [
            [one.token_ids for one in engine.generate(PROMPTS[:1], Sampling(3, 20, 1.0, 5, (STOP,)), streams=[7])[0]]
        ]
    assert gathered(drawn) == [drawn] * 2
    engine.close()
    assert gathered(rank) == [0, 1], "the trainer's processes still speak to each other"


@needs_vllm
@pytest.mark.slow
@pytest.mark.parametrize("processes_per_engine", [1, 2])
def test_in_two_training_processes(tmp_path: Path, processes_per_engine: int) -> None:
    in_processes(2, tmp_path, two_ranks_in_one_engine, processes_per_engine)


@needs_vllm
@pytest.mark.slow
def test_in_processes_that_it_starts(opened: Callable[[Engine], Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    options = {"tensor_parallel_size": 2, "distributed_executor_backend": "mp"}
    check(opened(VllmEngine(tiny("llama", True).config, "float32", 128, **options)), "llama", True)


@needs_vllm
@pytest.mark.slow
def test_in_a_ray_actor(opened: Callable[[Engine], Engine]) -> None:
    check(opened(VllmActorEngine(tiny("qwen2", True).config, "float32", 128)), "qwen2", True)
