"""Settings that would run, and train something else than they say: refused, with what to use instead."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerBase
from trl import GRPOConfig

from evaluation.prompts import TAGS
from training.training_sections import CISPO_BOUND, WHOLE_RESPONSE_MODES, RlSection


class UnsupportedSetting(ValueError):
    """A setting that would run, and train something else than it says; the message names what to use instead."""


def refuse_unsound(section: RlSection, args: GRPOConfig, model: Any) -> None:
    """Refuse what breaks per-token credit, or the loss, silently."""
    by_step = section.mode not in WHOLE_RESPONSE_MODES
    if by_step and args.importance_sampling_level != "token":
        raise UnsupportedSetting(
            "importance_sampling_level = 'sequence' multiplies all tokens by one ratio, which cancels step credit:"
            " use 'token'"
        )
    if by_step and args.loss_type in ("vespo", "luspo"):
        raise UnsupportedSetting(f"loss_type = '{args.loss_type}' takes one advantage per response: use 'dapo'")
    if by_step and args.off_policy_mask_threshold is not None:
        raise UnsupportedSetting(
            "off_policy_mask_threshold tests the sign of one advantage per response: leave it unset"
        )
    if args.loss_type == "cispo" and (args.epsilon_high is None or args.epsilon_high < 1):
        raise UnsupportedSetting(CISPO_BOUND)
    if args.mask_truncated_completions:
        raise UnsupportedSetting("mask_truncated_completions hides truncated responses, which should lose reward")
    if args.beta > 0 and not isinstance(model, str):
        raise UnsupportedSetting(
            "beta > 0 needs a reference model, which TRL reloads from the model's path: save the model and give its"
            " path, not the object"
        )


def refuse_special_tags(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that leaves the tags of a response out of decoded texts."""
    if hidden := sorted(set(tokenizer.all_special_tokens) & set(TAGS)):
        raise UnsupportedSetting(
            f"the tags {', '.join(hidden)} are special tokens of the tokenizer and vanish from decoded responses:"
            " add them with special=False"
        )
