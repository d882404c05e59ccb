"""Endpoints: a saved model answers as its sampler does, and a recording answers as the model did."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from evaluation.endpoint import Completion, EndpointError, RecordingEndpoint, Sampling, TransformersEndpoint
from evaluation.endpoint.protocol import cut_at_stop
from evaluation.endpoint.recording import request_key
from evaluation.sampler import ENDS_EVERY, Sampler
from tests.evaluation.test_sampler import STOP, tiny_model

ROOT = Path(__file__).parents[2]


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


def test_a_stop_text_ends_an_answer_and_is_not_part_of_it(model_folder: Path) -> None:
    model = TransformersEndpoint(model_folder, threads=1)
    whole, seed = next(
        (one, seed)
        for seed in range(100)
        for [one] in model.generate(["abc"], 40, temperature=1.0, seed=seed)
        if len(one.text) > 12 and "<" not in one.text and one.text.index(one.text[6:8]) == 6
    )
    [[cut]] = model.generate(["abc"], 40, temperature=1.0, seed=seed, stop=[whole.text[10:12], whole.text[6:8]])
    assert cut == Completion(whole.text[:6], 8, True), "one token per letter, those of the stop text counted"


def test_a_stop_text_that_never_comes_changes_nothing(model_folder: Path) -> None:
    model = TransformersEndpoint(model_folder, threads=1)
    assert model.generate(["abc", "de"], 40, stop=["???"]) == model.generate(["abc", "de"], 40)


def test_generation_stops_soon_after_the_stop_text(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersEndpoint(model_folder, threads=1)
    model.stop_ids = []
    whole = model.generate(["abc", "hello"], 100, temperature=1.0, seed=4)
    widths: list[int] = []
    forward = model.model.forward
    monkeypatch.setattr(model.model, "forward", lambda *a, **k: widths.append(len(k["input_ids"])) or forward(*a, **k))
    stop = [one.text[3:5] for [one] in whole]
    answers = model.generate(["abc", "hello"], 100, temperature=1.0, seed=4, stop=stop)
    assert len(widths) == ENDS_EVERY
    assert [one.text for [one] in answers] == [one.text[: min(map(one.text.find, stop), key=_there)] for [one] in whole]


def _there(place: int) -> float:
    return place if place >= 0 else float("inf")


@pytest.mark.parametrize("text", ["abc", "axb", ""])
def test_cut_at_the_first_of_the_stop_texts(text: str) -> None:
    assert cut_at_stop(text, ["c", "b"]) == {"abc": "a", "axb": "ax", "": None}[text]


def test_settings_that_make_no_sense_are_refused(model_folder: Path) -> None:
    model = TransformersEndpoint(model_folder, threads=1)
    for wrong in ({"stop": [""]}, {"top_p": 0.0}, {"top_p": 1.5}, {"num_samples": 0}):
        with pytest.raises(ValueError, match=r"stop|top_p|num_samples"):
            model.generate(["abc"], 6, **wrong)


def test_samples_depend_on_the_prompt_and_not_on_its_place(model_folder: Path) -> None:
    model = TransformersEndpoint(model_folder, threads=1)
    forth = model.generate(["abc", "de", "f"], 20, temperature=1.0, num_samples=2, seed=3)
    assert model.generate(["f", "abc"], 20, temperature=1.0, num_samples=2, seed=3) == [forth[2], forth[0]]


class Killed(BaseException):
    """Stands for a kill."""


def test_a_run_that_is_killed_goes_on_where_it_was_with_the_same_answers(model_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    prompts = ["abc", "de", "fgh", "i", "jk"]
    model = TransformersEndpoint(model_folder, threads=1, max_batch_tokens=20)
    whole = model.generate(prompts, 10, temperature=1.0, num_samples=2, seed=3)

    def kill(place: int, samples: Mapping[int, Completion]) -> None:
        heard.append(place)
        if len(heard) == 5:
            raise Killed

    heard: list[int] = []
    with pytest.raises(Killed):
        RecordingEndpoint(path, model).generate(prompts, 10, 1.0, 2, 3, on_answer=kill)
    assert len(path.read_text().splitlines()) == 5, "every answer is on disk when it is heard of"
    counts: list[int] = []
    assert RecordingEndpoint(path, model).generate(prompts, 10, 1.0, 2, 3, counts.append) == whole
    assert counts[-1] == 10 and sorted(counts) == counts
    assert RecordingEndpoint(path).generate(prompts, 10, 1.0, 2, 3) == whole


def test_old_recordings_are_found_and_stop_texts_and_top_p_are_requests_of_their_own() -> None:
    def key(temperature: float = 0.0, **more: Any) -> str:
        return request_key("abc", Sampling(6, temperature, 1, 9, **more))

    # sha256 of '["abc", 6, 0.0, 1, 0]' and of '["abc", 6, 0.5, 1, 9]', as recordings before had it.
    assert key() == hashlib.sha256(b'["abc", 6, 0.0, 1, 0]').hexdigest()[:32]
    assert key(0.5) == hashlib.sha256(b'["abc", 6, 0.5, 1, 9]').hexdigest()[:32]
    assert key(top_p=0.9) == key(), "greedy answers have no top_p"
    assert key(stop=("a", "b")) == key(stop=("b", "a"))
    assert len({key(), key(stop=("a",)), key(stop=("b",)), key(0.5), key(0.5, top_p=0.9)}) == 5


def test_a_prompt_given_twice_is_asked_once(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    class Counting:
        def generate(self, prompts: Any, *args: Any, on_answer: Any, **more: Any) -> list[list[Completion]]:
            asked.append(list(prompts))
            answers = [[Completion(prompt.upper(), 1, True)] for prompt in prompts]
            for place, answer in enumerate(answers):
                on_answer(place, dict(enumerate(answer)))
            return answers

    heard: dict[int, str] = {}
    endpoint = RecordingEndpoint(tmp_path / "answers.jsonl", Counting())
    answers = endpoint.generate(["a", "b", "a"], 6, on_answer=lambda place, one: heard.update({place: one[0].text}))
    assert asked == [["a", "b"]]
    assert [group[0].text for group in answers] == ["A", "B", "A"]
    assert heard == {0: "A", 1: "B", 2: "A"}


def test_importing_endpoints_imports_no_torch_and_no_http_client() -> None:
    code = "import sys, evaluation.endpoint; print({'torch', 'transformers', 'vllm', 'httpx'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "set()"
