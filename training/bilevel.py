"""Bi-Level GRPO (arXiv 2605.11922, section 3.3) on TRL's GRPOTrainer, with one advantage per token.

Two methods are overridden. `_calculate_rewards` grades the sampled ids (the responses are decoded here, special
tokens kept, never tokenised again) and hands TRL the terminal reward. `_generate_and_score_completions` replaces
TRL's advantages of shape (B,) by ours of shape (B, T), which its loss accepts. A third, the log-probabilities, is
computed in parts of similar length to save padding; its values are the same.

TRL's class uses `_step` for its own counter: no attribute here may have that name.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from evaluation.prompts import TAGS
from execution.sandbox import Sandbox
from training.advantages import token_advantages
from training.config import WHOLE_RESPONSE_MODES, Recipe, RlSection
from training.credit import MODES
from training.examples import Encoded, Example
from training.grading import Graded, grade
from training.group_credit import Credit, group_credit
from training.rollout_log import RolloutLog
from training.rollout_metrics import rollout_metrics

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

    `examples[i]` belongs to the dataset row whose column `example` is i. `sandbox` runs committed inputs. `rollout_log`
    keeps some rollouts to explain.
    """

    def __init__(
        self,
        *,
        recipe: Recipe,
        examples: Sequence[Encoded],
        sandbox: Sandbox | None,
        model: Any,
        args: GRPOConfig,
        rollout_log: RolloutLog | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_unsound(recipe.rl, args, model)
        self.recipe_rl = recipe.rl
        self.examples = examples
        self.sandbox = sandbox
        self.rollout_log = rollout_log
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
        examples = [self.examples[row["example"]].example for row in inputs]
        credit = group_credit(
            self._graded, [one.trace for one in examples], self.recipe_rl, group_size, self.accelerator
        )
        output["advantages"] = token_advantages(
            credit.step_BN,
            credit.start_BN,
            credit.end_BN,
            credit.final_B,
            output["completion_mask"],
            self.recipe_rl.step_mean,
        )
        if training:
            self._log_rollouts(examples, credit, output, group_size)
            lengths = output["completion_mask"].sum(1).tolist()
            tasks = [example.task for example in examples]
            self.update_metrics = rollout_metrics(self._graded, lengths, group_size, tasks)
            self.update_metrics |= {
                "generate_s": scored_s - self._grade_s,
                "grade_s": self._grade_s,
                "generated_tokens": int(sum(lengths)),
            }
        return output

    def _log_rollouts(
        self, examples: Sequence[Example], credit: Credit, output: dict[str, Any], group_size: int
    ) -> None:
        update = self.state.global_step + 1
        if self.rollout_log is None or not self.accelerator.is_main_process or not self.rollout_log.wants(update):
            return
        lengths = output["completion_mask"].sum(1).tolist()
        token_ids = [ids[:length].tolist() for ids, length in zip(output["completion_ids"], lengths, strict=True)]
        tokenizer: Any = self.processing_class
        self.rollout_log.write(
            update, examples, self._graded, credit, token_ids, output["advantages"], group_size, tokenizer
        )

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


def final_reward(**_: Any) -> list[float | None]:
    """Named for TRL's metrics; rewards come from `BiLevelTrainer._calculate_rewards`, which replaces the call."""
    raise AssertionError("TRL called the reward function itself: its _calculate_rewards is no longer overridden")
