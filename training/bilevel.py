"""Bi-Level GRPO (arXiv 2605.11922, section 3.3) on TRL's GRPOTrainer, with one advantage per token.

Two methods are overridden. `_calculate_rewards` grades the sampled ids (the responses are decoded here, special
tokens kept, never tokenised again) and hands TRL the terminal reward. `_generate_and_score_completions` replaces
TRL's advantages of shape (B,) by ours of shape (B, T), which its loss accepts. A third, the log-probabilities, is
computed in parts of similar length to save padding, or with each prompt once for its group; its values are the same.
For the latter `_prepare_inputs` brings the rollouts of a group together again, which TRL's shuffle has spread.

TRL's class uses `_step` for its own counter: no attribute here may have that name.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from execution.sandbox import Sandbox
from training.advantages import token_advantages
from training.code_rewards import grade_example
from training.config import Recipe
from training.dynamic_sampling import Batch, allowed_rows, with_variance
from training.examples import Encoded, Example
from training.grading import Graded
from training.group_credit import Credit, group_credit
from training.padding import padded_width
from training.phases import SCORING, Phases
from training.processes import gathered
from training.rollout_log import RolloutLog
from training.rollout_metrics import num_positions, rollout_metrics
from training.rollouts import rollout_seed
from training.saving import ResumableTrainer
from training.shared_prompts import in_order_of, mask_dtype, packed_parts, responses_of
from training.soundness import UnsupportedSetting, refuse_special_tags, refuse_unsound


class BiLevelTrainer(ResumableTrainer, GRPOTrainer):
    """GRPOTrainer whose credit goes to the steps that earned it.

    `examples[i]` belongs to the dataset row whose column `example` is i. `sandbox` runs committed inputs,
    `code_sandbox` programs that were asked for. `rollout_log` keeps some rollouts to explain. `phases` gets the seconds
    of scoring, by phase.
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
        code_sandbox: Sandbox | None = None,
        phases: Phases | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_unsound(recipe.rl, args, model)
        self.recipe_rl = recipe.rl
        self.positions = num_positions(recipe)
        self.examples = examples
        self.sandbox = sandbox
        self.rollout_log = rollout_log
        self.code_sandbox = code_sandbox
        self.phases = phases or Phases()
        self.update_metrics: dict[str, Any] = {}
        self.sampling_round = 0
        self._sampled: Batch | None = None
        self._graded: list[Graded] = []
        super().__init__(model=model, args=args, reward_funcs=[final_reward], **kwargs)
        tokenizer: Any = self.processing_class
        refuse_special_tags(tokenizer)
        if recipe.rl.share_prompts:
            mask_dtype(self.model)  # refused before anything is sampled

    # -- rewards

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: Any, completions: Any, completion_ids_list: list[list[int]]
    ) -> Tensor:
        """Terminal rewards (B over all processes, 1); NaN where the response could not be judged."""
        if self._sampled is None:
            self._graded = self._grade(inputs, completion_ids_list)
        else:
            self._graded = self._sampled.graded
        reward_B1 = torch.tensor([[one.final_reward] for one in self._graded], device=self.accelerator.device)
        everyones: Tensor = self.accelerator.gather(reward_B1)
        return everyones

    def _grade(self, inputs: list[dict[str, Any]], completion_ids: Sequence[Sequence[int]]) -> list[Graded]:
        section = self.recipe_rl
        tokenizer: Any = self.processing_class
        examples = [self.examples[row["example"]].example for row in inputs]
        with self.phases("grade"):
            return [
                grade_example(example, token_ids, tokenizer, section, self.sandbox, self.code_sandbox)
                for example, token_ids in zip(examples, completion_ids, strict=True)
            ]

    def _sample(self, inputs: list[dict[str, Any]], number: int) -> Batch:
        """Rollouts of these rows, graded; `number` is the round of dynamic sampling."""
        self.sampling_round = number
        rollouts: Any = self.rollout_func
        found = rollouts([row["prompt"] for row in inputs], self)
        self.sampling_round = 0
        graded = self._grade(inputs, found["completion_ids"])
        traces = [self.examples[row["example"]].example.trace for row in inputs]
        return Batch(list(inputs), found["prompt_ids"], found["completion_ids"], graded, traces)

    def _another(self, number: int, place: int) -> dict[str, Any]:
        """The row that takes a dead group's place: any that the curriculum allows, drawn from the seed and the
        update."""
        dataset: Any = self.train_dataset
        parts = (self.state.global_step, self.accelerator.process_index, number, place)
        num_rows = allowed_rows(self.recipe_rl, len(dataset), self.state.global_step)
        row: dict[str, Any] = dataset[rollout_seed(self.args.seed, *parts) % num_rows]
        return row

    def _sampled_with_variance(self, inputs: list[dict[str, Any]]) -> Batch:
        group_size = self.recipe_rl.group_size
        if len(inputs) % group_size:
            raise UnsupportedSetting(
                "rl.dynamic_sampling needs whole groups on every process: make rl.prompts_per_update a multiple of"
                " parallel.devices"
            )
        return with_variance(inputs, self.recipe_rl, group_size, self._sample, self._another)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        with self.phases(SCORING):
            return self._scored(inputs)

    def _scored(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        rollouts = self.rollout_func
        model: Any = self.model
        if self.recipe_rl.dynamic_sampling and model.training:
            self._sampled = batch = self._sampled_with_variance(inputs)
            inputs = batch.inputs
            self.rollout_func = lambda prompts, trainer: {
                "prompt_ids": batch.prompt_ids,
                "completion_ids": batch.completion_ids,
                "logprobs": None,
            }
        try:
            output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        finally:
            self.rollout_func = rollouts
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
        if self.recipe_rl.share_prompts:
            output["rollout"] = torch.arange(len(inputs), device=self.accelerator.device)
        if training:
            self._log_rollouts(examples, credit, output, group_size)
            asked = [example.task for example in examples]
            rows = zip(self._graded, output["completion_mask"].sum(1).tolist(), asked, strict=True)
            # groups may straddle processes
            graded, lengths, tasks = zip(*chain.from_iterable(gathered(list(rows))), strict=True)
            self.update_metrics = rollout_metrics(graded, lengths, group_size, tasks, self.positions)
            self.update_metrics["generated_tokens"] = int(sum(lengths))
            if self._sampled is not None:
                told = gathered((self._sampled.replaced, self._sampled.drawn_tokens))
                replaced, drawn = map(sum, zip(*told, strict=True))
                self.update_metrics |= {"replaced_groups": replaced, "generated_tokens": drawn}
        self._sampled = None
        return output

    def _prepare_inputs(self, generation_batch: dict[str, Any]) -> dict[str, Any]:
        """As TRL's; with shared prompts the rollouts of a group are in one micro-batch again, as they were drawn."""
        before = self._buffered_inputs
        inputs: dict[str, Any] = super()._prepare_inputs(generation_batch)
        if not self.recipe_rl.share_prompts or self._buffered_inputs is before:
            return inputs
        self._buffered_inputs = in_order_of(self._buffered_inputs, "rollout")
        ordered: dict[str, Any] = self._buffered_inputs[self._step % self.args.steps_per_generation]
        return ordered

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
        # while rollouts are scored it is the reference's that are asked for
        with self.phases("reference" if self.phases.now == SCORING else self.phases.now):
            return self._logps_in_parts(model, input_ids, attention_mask, logits_to_keep, batch_size, **kwargs)

    def _logps_in_parts(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        if self.recipe_rl.share_prompts and batch_size is None:
            return self._of_groups(model, input_ids, attention_mask, logits_to_keep, **kwargs)
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
            skip = prompt_width - min(prompt_width, padded_width(int(prompt_B[rows_R].max())))
            keep = min(logits_to_keep, padded_width(int(response_B[rows_R].max())))
            columns = slice(skip, prompt_width + keep)
            logps_RT, entropy_RT, _ = super()._get_per_token_logps_and_entropies(
                model, input_ids[rows_R, columns], attention_mask[rows_R, columns], keep, **kwargs
            )
            logps_BT = logps_BT.index_put((rows_R[:, None], torch.arange(keep)[None]), logps_RT)
            if entropy_RT is not None:
                entropy_BT = entropy_BT.index_put((rows_R[:, None], torch.arange(keep)[None]), entropy_RT)
        return logps_BT, entropy_BT if kwargs.get("compute_entropy") else None, None

    def _of_groups(
        self, model: Any, input_ids: Tensor, attention_mask: Tensor, keep: int, **kwargs: Any
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The same from a forward pass in which each prompt stands once for all of its rollouts."""
        logps_BT = torch.zeros(len(input_ids), keep, device=input_ids.device)
        entropy_BT = torch.zeros_like(logps_BT)
        parts, dtype = self.recipe_rl.length_parts, mask_dtype(self.model)
        for part in packed_parts(input_ids, attention_mask, keep, parts, dtype):
            with self.accelerator.autocast():
                found = model(**part.inputs(), fused_lm_head=True)
            logps_BT = responses_of(part, found.log_probs, logps_BT)
            if kwargs.get("compute_entropy"):
                entropy_BT = responses_of(part, found.entropy, entropy_BT)
        return logps_BT, entropy_BT if kwargs.get("compute_entropy") else None, None


def final_reward(**_: Any) -> list[float | None]:
    """Named for TRL's metrics; rewards come from `BiLevelTrainer._calculate_rewards`, which replaces the call."""
    raise AssertionError("TRL called the reward function itself: its _calculate_rewards is no longer overridden")
