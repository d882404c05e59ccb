"""A small byte-level BPE tokenizer, made from the corpus, for models made from scratch.

Digits stand alone, so that arithmetic is spelt the same way in every number. The tags of the response format are
single tokens but not *special* ones: special tokens vanish when a trainer decodes a response, and with them the
steps that rewards are read from.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from evaluation.prompts import TAGS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END = "<|end|>"
PAD = "<|pad|>"
# Where merges may happen: the anchor statement's fixed parts, line ends with their indentation, keywords and operators
# with their blanks, names, single digits, single signs. So a name is the same token wherever it stands, and no token
# spans a name and a sign, or two digits. Whatever else occurs falls to single characters or bytes: nothing is lost.
PIECES = Regex(
    r"print\(f'|: \{|\}'\)|\n *"
    r"|\b(?:if|elif|else|for|in|while|return|def|and|or|not|is|lambda|assert|import|from)\b ?"
    r"|[\p{L}_]+|\p{N}"
    r"| ?(?:==|!=|<=|>=|//=?|\*\*=?|->|[-+*/%=<>|&^]=?) ?"
    r"| (?:True|False|None)\b|, |; |: |\):|\[\]|\(\)| +|."
)


def train_tokenizer(texts: Iterable[str], vocab_size: int, out_dir: Path | None = None) -> PreTrainedTokenizerFast:
    """Learn merges from `texts` (deterministic: same texts, same tokenizer), save in `out_dir` where given.

    `vocab_size` includes the 256 bytes, the tags and the two special tokens.
    """
    from transformers import PreTrainedTokenizerFast  # with torch: seconds, which reading examples does not need

    tokenizer = Tokenizer(models.BPE(byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(PIECES, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(TAGS),
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(map(_without_tags, texts), trainer)
    tokenizer.add_tokens([AddedToken(tag, normalized=False, special=False) for tag in TAGS])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    if out_dir is not None:
        wrapped.save_pretrained(str(out_dir))
    return wrapped


def _without_tags(text: str) -> str:
    """Tags are tokens of their own: their letters must not shape the merges."""
    for tag in TAGS:
        text = text.replace(tag, "\n")
    return text


def encode(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """Ids of a text as it stands: nothing put before or after."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def encode_all(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> list[list[int]]:
    """Ids of many texts, as `encode` gives them, several times faster."""
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    return ids


def decode(tokenizer: PreTrainedTokenizerFast, token_ids: Iterable[int]) -> str:
    """Text of sampled ids, special tokens kept, spaces untouched."""
    text = tokenizer.decode(list(token_ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    assert isinstance(text, str)
    return text
