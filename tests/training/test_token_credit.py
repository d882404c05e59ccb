"""Batches written by hand, through the real trainer: the advantage of every single token is spelt out.

Two anchors, three rollouts, lambda 0.3. One right in three: A_group is 2r for it and -r for the others; two in three:
r and -2r, with r = sqrt(1/2). A_final is normalised alike and is on every token.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.training.test_bilevel import END, STEP_A, STEP_B, TRACE, WRONG_A, WRONG_B, WRONG_END, scored
from tests.training.tiny_data import tiny_recipe
from training.bilevel import BiLevelTrainer
from training.examples import Encoded, io_example
from training.model import load_tokenizer
from training.rl import grpo_arguments
from training.tokenizer import decode, encode

r = math.sqrt(0.5)
Part = tuple[str | int, float]  # a text, or the id of a special token, and the advantage of each of its tokens


@pytest.fixture(scope="module")
def atomic(sft_folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of models made from scratch: a tag is one token."""
    return load_tokenizer(str(sft_folder / "model"))


@pytest.fixture(scope="module")
def merging() -> PreTrainedTokenizerFast:
    """Plain BPE as chat models have it: a tag is several tokens, and `>` and `<` between two tags are one."""
    tokenizer = Tokenizer(models.BPE())
    signs = pre_tokenizers.Split(Regex(r"[<>/]+|[^<>/]+"), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [signs, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|pad|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([STEP_A + STEP_B + END, WRONG_A + WRONG_B + WRONG_END], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|pad|>", padding_side="left"
    )


class Credit:
    """Makes a trainer for one group of given ids and compares each token's advantage with what is expected."""

    def __init__(self, folder: Path, sft_folder: Path) -> None:
        self.folder = folder
        self.model = str(sft_folder / "model")

    def of(self, tokenizer: PreTrainedTokenizerFast, completion_ids: list[list[int]]) -> list[list[float]]:
        """The advantages of one group, cut to each response's own tokens; 0 behind them."""
        recipe = tiny_recipe(rl__prompts_per_update=1, rl__group_size=len(completion_ids))
        example = io_example(recipe, TRACE, "output")
        assert example is not None

        def rollouts(prompts: list[str], trainer: Any) -> dict[str, Any]:
            prompt_ids = [encode(tokenizer, prompt) for prompt in prompts]
            return {"prompt_ids": prompt_ids, "completion_ids": completion_ids, "logprobs": None}

        trainer = BiLevelTrainer(
            recipe=recipe,
            examples=[Encoded(example, (), ())],
            sandbox=None,
            model=self.model,
            args=grpo_arguments(recipe, self.folder),
            train_dataset=Dataset.from_dict({"prompt": [example.prompt], "example": [0]}),
            processing_class=tokenizer,
            rollout_func=rollouts,
        )
        advantage_BT = scored(trainer)["advantages"].tolist()
        for row, ids in zip(advantage_BT, completion_ids, strict=True):
            assert not any(row[len(ids) :])
        return [row[: len(ids)] for row, ids in zip(advantage_BT, completion_ids, strict=True)]

    def check(self, tokenizer: PreTrainedTokenizerFast, rollouts: list[list[Part]]) -> None:
        """Each part is encoded for itself, so that a token never spans two of them."""
        pieces = [
            [([part] if isinstance(part, int) else encode(tokenizer, part), value) for part, value in one]
            for one in rollouts
        ]
        found = self.of(tokenizer, [[token for ids, _ in one for token in ids] for one in pieces])
        for got, one in zip(found, pieces, strict=True):
            assert got == pytest.approx([value for ids, value in one for _ in ids], abs=1e-5)


@pytest.fixture
def credit(tmp_path: Path, sft_folder: Path) -> Credit:
    return Credit(tmp_path, sft_folder)


def test_a_token_that_ends_a_block_and_begins_the_next_belongs_to_the_block_it_ends(
    credit: Credit, merging: PreTrainedTokenizerFast
) -> None:
    # a: 1 1 0, b: 1 0 0, answer: 1 0 0; A_intra 2 and 1, 1 and 0, 0 and 0
    first, second, last = r + 0.6 + 2 * r, 2 * r + 0.3 + 2 * r, 2 * r
    expected = [
        [("<", first), ("reasoning", first), (">", first), ("2+1", first), ("</", first), ("reasoning", first),
         ("><", first), ("print", first), (">", first), ("a: 3", first), ("</", first), ("print", first), ("><", first),
         ("reasoning", second), (">", second), ("3*2", second), ("</", second), ("reasoning", second), ("><", second),
         ("print", second), (">", second), ("b: 6", second), ("</", second), ("print", second), ("><", second),
         ("reasoning", last), (">", last), ("so", last), ("</", last), ("reasoning", last), ("><", last),
         ("answer", last), (">", last), ("6", last), ("</", last), ("answer", last), (">", last), ("<|end|>", last)],
        [("<", 0.3), ("print", 0.3), (">", 0.3), ("a: 3", 0.3), ("</", 0.3), ("print", 0.3), ("><", 0.3),
         ("print", -2 * r), (">", -2 * r), ("b: 3", -2 * r), ("</", -2 * r), ("print", -2 * r), ("><", -2 * r),
         ("answer", -r), (">", -r), ("3", -r), ("</", -r), ("answer", -r), (">", -r), ("<|end|>", -r)],
        [("<", -3 * r), ("print", -3 * r), (">", -3 * r), ("a: 1", -3 * r), ("</", -3 * r), ("print", -3 * r),
         ("><", -3 * r), ("answer", -r), (">", -r), ("6", -r), ("</", -r), ("answer", -r), (">", -r),
         ("<|end|>", -r)],
    ]  # fmt: skip
    texts = ["".join(text for text, _ in one[:-1]) for one in expected]
    ids = [[*encode(merging, text), merging.eos_token_id] for text in texts]
    for tokens, got, one in zip(ids, credit.of(merging, ids), expected, strict=True):
        assert [decode(merging, [token]) for token in tokens] == [text for text, _ in one]
        assert got == pytest.approx([value for _, value in one], abs=1e-5)


def test_special_tokens_keep_their_place(credit: Credit, atomic: PreTrainedTokenizerFast) -> None:
    # the padding token between blocks is text of step b; the end token inside a value spoils it, and ends nothing
    pad, end = atomic.pad_token_id, atomic.eos_token_id
    spoilt = -r + r
    credit.check(
        atomic,
        [
            [(STEP_A, 2 * r + 0.6 + r), (pad, r + 0.3 + r), (STEP_B, r + 0.3 + r), (END, r), (end, r), (pad, r)],
            [("<print>a: 3", spoilt), (end, spoilt), ("</print>", spoilt), (STEP_B, r + 0.3 + r), (END, r), (end, r)],
            [(WRONG_A, -r - 2 * r), (WRONG_B, -2 * r - 2 * r), (WRONG_END, -2 * r), (end, -2 * r)],
        ],
    )


def test_truncated_responses(credit: Credit, atomic: PreTrainedTokenizerFast) -> None:
    # no end token: the second is cut inside its second block, which is its own to answer for; the third has no block
    credit.check(
        atomic,
        [
            [(STEP_A, r + 0.6 + 2 * r), (STEP_B, 2 * r + 0.3 + 2 * r), (END, 2 * r)],
            [(STEP_A, r + 0.3 - r), ("<reasoning>3*2</reasoning><print>b: ", -r - r)],
            [("<reasoning>2+", -r)],
        ],
    )


def test_a_block_that_is_cut_right_before_its_end(credit: Credit, merging: PreTrainedTokenizerFast) -> None:
    # all three say the same of b, two lack the last character; nobody answers: final rewards are equal
    whole, cut = STEP_A + STEP_B, STEP_A + STEP_B[:-1]
    first = len(encode(merging, STEP_A[:-1])) + 1  # the token `><` ends the first block
    found = credit.of(merging, [encode(merging, text) for text in (whole, cut, cut)])
    for got, (step_a, step_b) in zip(found, [(0.6, 2 * r + 0.3), (0.3, -r), (0.3, -r)], strict=True):
        assert got == pytest.approx([step_a] * first + [step_b] * (len(got) - first), abs=1e-5)


def test_text_between_blocks_extra_blocks_and_swapped_ones(credit: Credit, atomic: PreTrainedTokenizerFast) -> None:
    # a: 1 1 0, b: 1 1 0; the extra block takes the answer, swapped ones do not: 1 0 1
    end = atomic.eos_token_id
    credit.check(
        atomic,
        [
            [(STEP_A, r + 0.6 + r), (" so ", r + 0.3 + r), (STEP_B, r + 0.3 + r), (" then ", r), (END, r), (end, r)],
            [(STEP_A, r + 0.6 - 2 * r), (STEP_B, r + 0.3 - 2 * r), (STEP_B, -2 * r), (END, -2 * r), (end, -2 * r)],
            [(STEP_B, -2 * r + r), (STEP_A, -2 * r + r), (END, r), (end, r)],
        ],
    )


def test_missing_and_unclosed_blocks(credit: Credit, atomic: PreTrainedTokenizerFast) -> None:
    # the second says b where a was due, and no more; the third does not close b: a 1 0 1, b 1 0 0, answer 1 0 0
    end = atomic.eos_token_id
    credit.check(
        atomic,
        [
            [(STEP_A, r + 0.6 + 2 * r), (STEP_B, 2 * r + 0.3 + 2 * r), (END, 2 * r), (end, 2 * r)],
            [(STEP_B, -2 * r - r), (END, -r), (end, -r)],
            [(STEP_A, r + 0.3 - r), ("<reasoning>3*2</reasoning><print>b: 6", -r - r), (END, -r), (end, -r)],
        ],
    )


def test_what_follows_the_answer_has_the_final_advantage_alone(credit: Credit, atomic: PreTrainedTokenizerFast) -> None:
    # blocks after the answer are no steps: a 0 1 1, b 0 1 0, answer 0 1 0
    end = atomic.eos_token_id
    credit.check(
        atomic,
        [
            [(END, -r), (STEP_A, -r), (STEP_B, -r), (end, -r)],
            [(STEP_A, r + 0.6 + 2 * r), (STEP_B, 2 * r + 0.3 + 2 * r), (END, 2 * r), (" indeed", 2 * r), (end, 2 * r)],
            [(STEP_A, r + 0.3 - r), (WRONG_B, -r - r), (WRONG_END, -r), (end, -r)],
        ],
    )
