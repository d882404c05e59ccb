"""The sampler against transformers' own generate and against plain forward passes, on tiny random models."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from evaluation.sampler import Sampler

PROMPTS = [[5, 9, 11, 3, 7], [8, 2], [4, 4, 6, 1, 10, 12, 20, 30], [40], [5, 9, 11, 3, 6]]
STOP = 0
NEW = 24


def tiny_model(family: str = "llama", attention: str = "sdpa", hidden_size: int = 32) -> PreTrainedModel:
    torch.manual_seed(3)
    shape = {
        "vocab_size": 48,
        "hidden_size": hidden_size,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "attn_implementation": attention,
        "initializer_range": 0.4,
        "pad_token_id": 1,
        "eos_token_id": STOP,
    }
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**shape)).eval()
    return Qwen2ForCausalLM(Qwen2Config(**shape)).eval()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_greedy_equals_generate_token_for_token(family: str, attention: str) -> None:
    model = tiny_model(family, attention)
    groups = Sampler(model).generate(PROMPTS, max_new_tokens=NEW, temperature=0, stop_ids=[STOP])
    lengths = set()
    for prompt, [sample] in zip(PROMPTS, groups, strict=True):
        with torch.no_grad():
            ids = torch.tensor([prompt])
            whole = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False)
            expected = whole[0, len(prompt) :]
        assert list(sample.token_ids) == expected.tolist()
        assert sample.finished == (expected[-1].item() == STOP)
        lengths.add(len(sample.token_ids))
    assert model.config._attn_implementation == attention, "the model's own attention is put back"
    assert len(lengths) > 1, "all rows ended together: dropping finished rows was not tried"


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_logprobs_equal_those_of_one_whole_forward_pass(family: str, temperature: float) -> None:
    model = tiny_model(family)
    groups = Sampler(model).generate(
        PROMPTS, num_samples=3, max_new_tokens=NEW, temperature=temperature, seed=1, stop_ids=[STOP]
    )
    for prompt, samples in zip(PROMPTS, groups, strict=True):
        for sample in samples:
            ids = torch.tensor([prompt + list(sample.token_ids)])
            with torch.no_grad():
                logits = model(ids).logits[0, len(prompt) - 1 : -1] / (temperature or 1)
            whole = logits.log_softmax(-1).gather(-1, ids[0, len(prompt) :, None])[:, 0]
            assert torch.tensor(sample.logprobs) == pytest.approx(whole, abs=1e-4)


def test_the_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    sampler = Sampler(tiny_model())
    runs = [sampler.generate(PROMPTS, num_samples=4, max_new_tokens=NEW, seed=seed) for seed in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert all(len({sample.token_ids for sample in samples}) == 4 for samples in runs[0])


def test_samples_do_not_depend_on_how_they_are_batched() -> None:
    model = tiny_model()
    together = Sampler(model).generate(PROMPTS, num_samples=4, max_new_tokens=NEW, seed=5, stop_ids=[STOP])
    apart = Sampler(model, max_batch_tokens=3 * NEW).generate(
        PROMPTS, num_samples=4, max_new_tokens=NEW, seed=5, stop_ids=[STOP]
    )
    assert [[sample.token_ids for sample in group] for group in apart] == [
        [sample.token_ids for sample in group] for group in together
    ]


def test_samples_follow_the_models_distribution() -> None:
    model = tiny_model()
    [samples] = Sampler(model).generate([[7, 3]], num_samples=4000, max_new_tokens=1, temperature=1.0, seed=2)
    with torch.no_grad():
        probabilities = model(torch.tensor([[7, 3]])).logits[0, -1].softmax(-1)
    counts = torch.zeros(48)
    for sample in samples:
        counts[sample.token_ids[0]] += 1
    expected = probabilities * 4000
    large = expected > 5
    chi_square = float(((counts - expected)[large] ** 2 / expected[large]).sum())
    # 99.99 % point of the chi-square distribution with 47 degrees of freedom.
    assert chi_square < 93


def test_a_low_temperature_comes_close_to_greedy() -> None:
    sampler = Sampler(tiny_model())
    cold = sampler.generate(PROMPTS, max_new_tokens=8, temperature=1e-3, seed=0)
    greedy = sampler.generate(PROMPTS, max_new_tokens=8, temperature=0)
    assert [group[0].token_ids for group in cold] == [group[0].token_ids for group in greedy]


def test_the_models_mode_is_put_back_and_gradients_still_flow() -> None:
    model = tiny_model().train()
    Sampler(model).generate([[1, 2, 3]], max_new_tokens=4)
    assert model.training
    model(torch.tensor([[1, 2, 3]]), labels=torch.tensor([[1, 2, 3]])).loss.backward()
    assert model.get_input_embeddings().weight.grad is not None


def test_progress_counts_samples_up_to_all_of_them() -> None:
    heard: list[int] = []
    Sampler(tiny_model(), max_batch_tokens=64).generate(PROMPTS, num_samples=2, max_new_tokens=8, progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 10
    assert len(heard) > 1


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="no tokens"):
        Sampler(tiny_model()).generate([[]])


def test_top_p_draws_only_the_likeliest_tokens_in_their_own_proportion() -> None:
    """Of a model that always sees the same prompt: the tokens drawn are the fewest that hold half the probability."""
    model = tiny_model()
    with torch.no_grad():
        probabilities = model(torch.tensor([[7, 3]])).logits[0, -1].softmax(-1)
    ranked = probabilities.sort(descending=True)
    count = int((ranked.values.cumsum(0) < 0.5).sum()) + 1
    assert count > 1, "one token alone holds half: nothing is tried"
    [samples] = Sampler(model).generate(
        [[7, 3]], num_samples=4000, max_new_tokens=1, temperature=1.0, seed=2, top_p=0.5
    )
    drawn = torch.bincount(torch.tensor([sample.token_ids[0] for sample in samples]), minlength=48) / 4000
    assert set(drawn.nonzero()[:, 0].tolist()) == set(ranked.indices[:count].tolist())
    expected = ranked.values[:count] / ranked.values[:count].sum()
    assert drawn[ranked.indices[:count]] == pytest.approx(expected, abs=0.04)
    first = int(samples[0].token_ids[0])
    share = probabilities[first] / ranked.values[:count].sum()
    assert samples[0].logprobs[0] == pytest.approx(share.log().item(), abs=1e-4)


def test_the_likeliest_token_stays_whatever_top_p_is() -> None:
    model = tiny_model()
    narrow = Sampler(model).generate(PROMPTS, max_new_tokens=6, temperature=1.0, top_p=1e-6)
    greedy = Sampler(model).generate(PROMPTS, max_new_tokens=6, temperature=0)
    assert [sample.token_ids for [sample] in narrow] == [sample.token_ids for [sample] in greedy]
