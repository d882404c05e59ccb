"""Bi-Level GRPO (arXiv 2605.11922, section 3.3) on TRL's GRPOTrainer, with one advantage per token.

Two methods are overridden. `_calculate_rewards` grades the sampled ids (the responses are decoded here, special
tokens kept, never tokenised again) and hands TRL the terminal reward. `_generate_and_score_completions` replaces
TRL's advantages of shape (B,) by ours of shape (B, T), which its loss accepts. A third, the log-probabilities, is
computed in parts of similar length to save padding; its values are the same.

TRL's class uses `_step` for its own counter: no attribute here may have that name.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from evaluation.prompts import TAGS
from execution.sandbox import Sandbox
from execution.traces import Trace
from training.advantages import final_advantage, token_advantages
from training.config import WHOLE_RESPONSE_MODES, Recipe, RlSection
from training.credit import MODES, StepRewards
from training.examples import Encoded
from training.grading import Graded, grade
from training.rollout_metrics import rollout_metrics
from training.uses import uses_of

NAN = float("nan")
PAD_MULTIPLE = 16


class UnsupportedSetting(ValueError):
    """A setting that would run, and train something else than it says; the message names what to use instead."""


def refuse_unsound(section: RlSection, args: GRPOConfig, model: Any) -> None:
    """Refuse what breaks per-token credit silently."""
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
    if args.mask_truncated_completions:
        raise UnsupportedSetting("mask_truncated_completions hides truncated responses, which should lose reward")
    if args.beta > 0 and not isinstance(model, str):
        raise UnsupportedSetting(
            "beta > 0 needs a reference model, which TRL reloads from the model's path: save the model and give its"
            " path, not the object"
        )


class BiLevelTrainer(GRPOTrainer):
    """GRPOTrainer whose credit goes to the steps that earned it.

    `examples[i]` belongs to the dataset row whose column `example` is i. `sandbox` runs committed inputs.
    """

    def __init__(
        self,
        *,
        recipe: Recipe,
        examples: Sequence[Encoded],
        sandbox: Sandbox | None,
        model: Any,
        args: GRPOConfig,
        **kwargs: Any,
    ) -> None:
        refuse_unsound(recipe.rl, args, model)
        self.recipe_rl = recipe.rl
        self.examples = examples
        self.sandbox = sandbox
        self.update_metrics: dict[str, Any] = {}
        self._graded: list[Graded] = []
        self._grade_s = 0.0
        super().__init__(model=model, args=args, reward_funcs=[final_reward], **kwargs)
        self._refuse_special_tags()

    def _refuse_special_tags(self) -> None:
        tokenizer: Any = self.processing_class
        special = set(tokenizer.all_special_tokens)
        if hidden := sorted(special & set(TAGS)):
            raise UnsupportedSetting(
                f"the tags {', '.join(hidden)} are special tokens of the tokenizer and vanish from decoded responses:"
                " add them with special=False"
            )

    # -- rewards

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: Any, completions: Any, completion_ids_list: list[list[int]]
    ) -> Tensor:
        """Terminal rewards (B over all processes, 1); NaN where the response could not be judged."""
        started = time.monotonic()
        section, mode = self.recipe_rl, MODES[self.recipe_rl.mode]
        tokenizer: Any = self.processing_class
        self._graded = [
            grade(
                self.examples[row["example"]].example.task,
                self.examples[row["example"]].example.trace,
                token_ids,
                tokenizer,
                self.sandbox,
                format_gate=section.format_gate and mode.format_gate,
                credit_reasoning=section.credit_reasoning,
                own_states=mode.own_states,
            )
            for row, token_ids in zip(inputs, completion_ids_list, strict=True)
        ]
        self._grade_s = time.monotonic() - started
        reward_B1 = torch.tensor([[one.final_reward] for one in self._graded], device=self.accelerator.device)
        gathered: Tensor = self.accelerator.gather(reward_B1)
        return gathered

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        started = time.monotonic()
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        scored_s = time.monotonic() - started
        model: Any = self.model
        training: bool = model.training
        group_size = int((self.num_generations if training else self.num_generations_eval) or 1)
        traces = [self.examples[row["example"]].example.trace for row in inputs]
        step_BN, start_BN, end_BN, final_B = self._credit(group_size, traces)
        output["advantages"] = token_advantages(
            step_BN, start_BN, end_BN, final_B, output["completion_mask"], self.recipe_rl.step_mean
        )
        if training:
            lengths = output["completion_mask"].sum(1).tolist()
            self.update_metrics = rollout_metrics(
                self._graded, lengths, group_size, [self.examples[row["example"]].example.task for row in inputs]
            )
            self.update_metrics |= {
                "generate_s": scored_s - self._grade_s,
                "grade_s": self._grade_s,
                "generated_tokens": int(sum(lengths)),
            }
        return output

    def _credit(self, group_size: int, traces: Sequence[Trace]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Step advantages, token spans and terminal advantages of this process's responses.

        Groups may straddle processes, so rewards are gathered first; every process takes part, with the widest
        number of anchors, also where it has none itself.
        """
        section, device = self.recipe_rl, self.accelerator.device
        mode = MODES[section.mode]
        num_local = len(self._graded)
        widest = torch.tensor([max([len(one.step_rewards) for one in self._graded], default=0)], device=device)
        num_anchors = int(self.accelerator.gather(widest).max())
        reward_BN = torch.full((num_local, num_anchors), NAN, device=device)
        start_BN = torch.zeros(num_local, num_anchors, dtype=torch.long, device=device)
        end_BN = torch.zeros_like(start_BN)
        for b, one in enumerate(self._graded):
            # the paper trains programs with a single anchor, the return, with the terminal reward alone
            if not one.judged or len(one.step_rewards) < 2:
                continue
            rewards = one.own_rewards if mode.own_states else one.step_rewards
            reward_BN[b, : len(rewards)] = torch.tensor(rewards)
            start_BN[b, : len(one.spans)] = torch.tensor([start for start, _ in one.spans])
            end_BN[b, : len(one.spans)] = torch.tensor([end for _, end in one.spans])
        final_B = torch.tensor(
            [mode.reward(one.step_rewards, one.final_reward, section) for one in self._graded], device=device
        )
        sequence_B = torch.tensor([sequence_number(one.sequence) for one in self._graded], device=device)

        def gathered(values_B: Tensor) -> Tensor:
            every: Tensor = self.accelerator.gather(values_B)
            return every.view(-1, group_size, *values_B.shape[1:])

        uses_BNN = None
        if mode.uses:
            uses_BNN = uses_of(traces, [one.sequence for one in self._graded], num_anchors).to(device)
        steps = StepRewards(gathered(reward_BN), gathered(sequence_B), None if uses_BNN is None else gathered(uses_BNN))
        final_all = final_advantage(gathered(final_B)).flatten()
        step_all = mode.rule(steps, section).flatten(0, 1)
        low = self.accelerator.process_index * num_local
        return step_all[low : low + num_local], start_BN, end_BN, final_all[low : low + num_local]

    def row(self) -> dict[str, Any]:
        """Figures of the last update's rollouts, for the metrics file."""
        return self.update_metrics

    # -- log-probabilities in parts of similar length

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """As TRL's, but rows are sorted by length and forwarded in `rl.length_parts` parts, each without the padding
        that it does not need. Values at padding are 0; every use of them is masked."""
        rows = input_ids.shape[0]
        parts = min(self.recipe_rl.length_parts, rows)
        if parts == 1 or batch_size is not None:
            return super()._get_per_token_logps_and_entropies(
                model, input_ids, attention_mask, logits_to_keep, batch_size=batch_size, **kwargs
            )
        prompt_width = input_ids.shape[1] - logits_to_keep
        prompt_B = attention_mask[:, :prompt_width].sum(1)
        response_B = attention_mask[:, prompt_width:].sum(1)
        order_B = torch.argsort(prompt_B + response_B, stable=True)
        logps_BT = torch.zeros(rows, logits_to_keep, device=input_ids.device)
        entropy_BT = torch.zeros_like(logps_BT)
        for rows_R in order_B.tensor_split(parts):
            # padding stands on the left of prompts and on the right of responses: cut both
            skip = prompt_width - _padded(int(prompt_B[rows_R].max()), prompt_width)
            keep = _padded(int(response_B[rows_R].max()), logits_to_keep)
            columns = slice(skip, prompt_width + keep)
            logps_RT, entropy_RT, _ = super()._get_per_token_logps_and_entropies(
                model, input_ids[rows_R, columns], attention_mask[rows_R, columns], keep, **kwargs
            )
            logps_BT = logps_BT.index_put((rows_R[:, None], torch.arange(keep)[None]), logps_RT)
            if entropy_RT is not None:
                entropy_BT = entropy_BT.index_put((rows_R[:, None], torch.arange(keep)[None]), entropy_RT)
        return logps_BT, entropy_BT if kwargs.get("compute_entropy") else None, None


def _padded(length: int, most: int) -> int:
    return min(most, -(-max(1, length) // PAD_MULTIPLE) * PAD_MULTIPLE)


def sequence_number(sequence: tuple[str, ...]) -> int:
    """A number for an anchor sequence that is the same on every process."""
    return int.from_bytes(hashlib.sha256("\0".join(sequence).encode()).digest()[:7], "big")


def final_reward(**_: Any) -> list[float | None]:
    """Named for TRL's metrics; rewards come from `BiLevelTrainer._calculate_rewards`, which replaces the call."""
    raise AssertionError("TRL called the reward function itself: its _calculate_rewards is no longer overridden")
