"""Endpoints: a saved model answers as its sampler does, and a recording answers as the model did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from evaluation.endpoint import EndpointError, RecordingEndpoint, TransformersEndpoint
from evaluation.sampler import Sampler
from tests.evaluation.test_sampler import STOP, tiny_model


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model whose tokens are letters."""
    folder = tmp_path_factory.mktemp("model")
    letters = ["<end>", "<pad>", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"]
    tokenizer = Tokenizer(models.BPE({letter: place for place, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>").save_pretrained(folder)
    tiny_model().save_pretrained(folder)
    return folder


def test_a_saved_model_answers_greedily_as_its_own_sampler(model_folder: Path) -> None:
    endpoint = TransformersEndpoint(model_folder, threads=1)
    groups = endpoint.generate(["abc", "hello"], max_new_tokens=12)
    model = LlamaForCausalLM.from_pretrained(model_folder)
    ids = [[endpoint.tokenizer.vocab[letter] for letter in text] for text in ("abc", "hello")]
    expected = Sampler(model).generate(ids, max_new_tokens=12, temperature=0, stop_ids=[STOP])
    for [completion], [sample] in zip(groups, expected, strict=True):
        letters = endpoint.tokenizer.convert_ids_to_tokens(list(sample.token_ids))
        assert completion.text == "".join(letters).removesuffix("<end>")
        assert completion.token_count == len(sample.token_ids)
        assert completion.finished == sample.finished


def test_a_chat_template_is_used_where_the_tokenizer_has_one(model_folder: Path) -> None:
    endpoint = TransformersEndpoint(model_folder)
    assert not endpoint.chat
    endpoint.tokenizer.chat_template = "{% for m in messages %}U{{ m.content }}A{% endfor %}"
    endpoint.chat = True
    assert endpoint._encode("b") == [endpoint.tokenizer.vocab[letter] for letter in "UbA" if letter != "U"]


def test_a_folder_without_a_model_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match=r"config\.json is missing"):
        TransformersEndpoint(tmp_path)


def test_a_recording_replays_without_the_model(model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    model = TransformersEndpoint(model_folder)
    recorded = RecordingEndpoint(path, model).generate(["abc", "de"], 6, temperature=0.8, num_samples=2, seed=3)
    replayed = RecordingEndpoint(path).generate(["de", "abc"], 6, temperature=0.8, num_samples=2, seed=3)
    assert replayed == recorded[::-1]


def test_an_answer_that_was_not_recorded_is_an_error_without_a_model(model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    RecordingEndpoint(path, TransformersEndpoint(model_folder)).generate(["abc"], 6)
    replay = RecordingEndpoint(path)
    assert replay.generate(["abc"], 6, seed=9) == replay.generate(["abc"], 6), "greedy answers have no seed"
    with pytest.raises(EndpointError, match="not in the recording"):
        replay.generate(["abc"], 7)
    with pytest.raises(EndpointError, match="no recording"):
        RecordingEndpoint(tmp_path / "other.jsonl")


def test_a_torn_last_line_is_dropped_and_a_broken_one_named(model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    model = TransformersEndpoint(model_folder)
    first = RecordingEndpoint(path, model).generate(["abc"], 6)
    with path.open("ab") as file:
        file.write(b'{"key": "torn')
    again = RecordingEndpoint(path, model)
    assert again.generate(["abc", "de"], 6)[0] == first[0]
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2
    path.write_text("{}\n" + path.read_text())
    with pytest.raises(EndpointError, match="line 1"):
        RecordingEndpoint(path)
