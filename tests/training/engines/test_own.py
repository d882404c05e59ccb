"""The engines that are always installed: same greedy text, honest log-probabilities, samples that follow the seed."""

from __future__ import annotations

import pytest

from tests.training.engines.models import COMPLETIONS, FAMILIES, PROMPTS, STOP, TIED, tiny, update
from training.engines import RolloutEngine, Sampling, weights_of
from training.engines.generate import GenerateEngine
from training.engines.sampler import SamplerEngine
from training.engines.scores import model_logprobs
from training.errors import EngineError


def engines() -> list[RolloutEngine]:
    return [SamplerEngine(), GenerateEngine()]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_text_is_the_same_and_ends_at_the_stop_token(family: str) -> None:
    model = tiny(family, True)
    texts = []
    for engine in engines():
        engine.sync(model)
        groups = engine.generate(PROMPTS, Sampling(2, 60, 0.0, 0, (STOP, 7)))
        assert all(group[0].token_ids == group[1].token_ids for group in groups)
        for sample in (sample for group in groups for sample in group):
            assert sample.finished == (sample.token_ids[-1] in (STOP, 7))
            assert not {STOP, 7} & set(sample.token_ids[:-1])
        texts.append([group[0].token_ids for group in groups])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("engine", engines(), ids=["sampler", "transformers"])
def test_a_samples_log_probabilities_are_those_of_its_distribution(engine: RolloutEngine, temperature: float) -> None:
    model = tiny("qwen2", False)
    engine.sync(model)
    groups = engine.generate(PROMPTS, Sampling(3, 20, temperature, 5, (STOP,)))
    for prompt, group in zip(PROMPTS, groups, strict=True):
        expected = model_logprobs(model, [prompt] * 3, [sample.token_ids for sample in group], temperature)
        for sample, wanted in zip(group, expected, strict=True):
            assert list(sample.logprobs) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("engine", engines(), ids=["sampler", "transformers"])
def test_samples_follow_the_seed_and_leave_the_random_state_alone(engine: RolloutEngine) -> None:
    import torch

    engine.sync(tiny("llama", True))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = engine.generate(PROMPTS, Sampling(4, 20, 1.0, 5, (STOP,)))
    assert torch.equal(torch.get_rng_state(), state)
    assert engine.generate(PROMPTS, Sampling(4, 20, 1.0, 5, (STOP,))) == first
    assert engine.generate(PROMPTS, Sampling(4, 20, 1.0, 6, (STOP,))) != first
    assert len({sample.token_ids for sample in first[0]}) > 1


def test_a_prompt_drawn_by_another_process_is_drawn_the_same() -> None:
    engine = SamplerEngine()
    engine.sync(tiny("llama", True))
    together = engine.generate(PROMPTS, Sampling(4, 20, 1.0, 5, (STOP,)))
    for place, prompt in enumerate(PROMPTS):
        apart = engine.generate([prompt], Sampling(4, 20, 1.0, 5, (STOP,)), streams=[place])
        assert [one.token_ids for one in apart[0]] == [one.token_ids for one in together[place]]


def test_small_batches_of_generate_give_the_same_greedy_text() -> None:
    model = tiny("llama", True)
    texts = []
    for engine in (GenerateEngine(), GenerateEngine(max_batch_tokens=1)):
        engine.sync(model)
        texts.append([group[0].token_ids for group in engine.generate(PROMPTS, Sampling(2, 30, 0.0, 0, (STOP,)))])
    assert texts[0] == texts[1]


def test_the_models_own_generation_settings_are_not_used() -> None:
    model = tiny("llama", True)
    engine = GenerateEngine()
    engine.sync(model)
    expected = engine.generate(PROMPTS, Sampling(1, 30, 0.0, 0, (STOP,)))
    model.generation_config.repetition_penalty = 5.0
    model.generation_config.eos_token_id = list(range(48))
    model.generation_config.no_repeat_ngram_size = 1
    assert engine.generate(PROMPTS, Sampling(1, 30, 0.0, 0, (STOP,))) == expected


@pytest.mark.parametrize("engine", engines(), ids=["sampler", "transformers"])
def test_an_engine_without_weights_says_so(engine: RolloutEngine) -> None:
    with pytest.raises(EngineError, match="call sync first"):
        engine.logprobs(PROMPTS, COMPLETIONS)
    engine.sync(tiny("llama", True))
    engine.close()
    with pytest.raises(EngineError, match="call sync first"):
        engine.generate(PROMPTS, Sampling(1, 4, 1.0, 0))


@pytest.mark.parametrize("tied", TIED)
def test_the_output_head_is_among_the_weights_sent_tied_or_not(tied: bool) -> None:
    model = tiny("qwen2", tied)
    update(model, 1)
    sent = dict(weights_of(model))
    assert sent.keys() >= {"lm_head.weight", "model.embed_tokens.weight"}
    assert bool((sent["lm_head.weight"] == model.get_output_embeddings().weight).all())
