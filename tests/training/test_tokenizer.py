"""The tokenizer: lossless, deterministic, digits apart, tags whole and visible."""

from pathlib import Path

from evaluation.prompts import TAGS
from tests.training.tiny_data import random_traces
from training.model import load_tokenizer
from training.tokenizer import decode, encode, train_tokenizer

TEXTS = [trace.instrumented for seed in range(30) for trace in random_traces(seed)]


def test_every_text_comes_back_as_it_was() -> None:
    tokenizer = train_tokenizer(TEXTS, 400)
    for text in [
        *TEXTS[:5],
        "a  b\n\n\tc",
        " leading and trailing ",
        "naïve 漢字 \N{GRINNING FACE} \r\n",
        "<print>a: [1, -2.5]</print><answer>'x '</answer>",
        "",
    ]:
        assert decode(tokenizer, encode(tokenizer, text)) == text


def test_digits_stand_alone() -> None:
    tokenizer = train_tokenizer([*TEXTS, "1234 1234 1234"] * 5, 400)
    ids = encode(tokenizer, "x12 = 1234")
    assert [decode(tokenizer, [i]) for i in ids if decode(tokenizer, [i]).strip().isdigit()] == list("121234")


def test_tags_are_single_tokens_that_decoding_keeps() -> None:
    tokenizer = train_tokenizer(TEXTS, 400)
    for tag in TAGS:
        ids = encode(tokenizer, f"1{tag}2")
        assert len(ids) == 3
        assert tokenizer.decode(ids, skip_special_tokens=True) == f"1{tag}2"


def test_the_same_texts_give_the_same_tokenizer(tmp_path: Path) -> None:
    for name in ("a", "b"):
        train_tokenizer(TEXTS, 400, tmp_path / name)
    assert (tmp_path / "a" / "tokenizer.json").read_bytes() == (tmp_path / "b" / "tokenizer.json").read_bytes()


def test_saved_and_loaded_it_encodes_the_same(tmp_path: Path) -> None:
    made = train_tokenizer(TEXTS, 400, tmp_path)
    loaded = load_tokenizer(str(tmp_path))
    text = TEXTS[0] + "<print>a: 1</print>"
    assert encode(loaded, text) == encode(made, text)
    assert (loaded.eos_token_id, loaded.pad_token_id) == (made.eos_token_id, made.pad_token_id)
    assert loaded.eos_token_id != loaded.pad_token_id


def test_the_vocabulary_is_at_most_as_large_as_asked() -> None:
    tokenizer = train_tokenizer(TEXTS, 300)
    assert len(tokenizer) <= 300
    assert max(encode(tokenizer, TEXTS[0] + "".join(TAGS))) < len(tokenizer)
