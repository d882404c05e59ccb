"""Supervised fine-tuning on reason-then-print responses, on transformers' Trainer, resumable to the bit.

Optimiser, scheduler, random state and position are saved and restored by the Trainer; rows come from a plan that is
fixed before the first update. The loss is a weighted token mean over the whole update.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset, SequentialSampler
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)
from transformers.utils.generic import is_flash_attention_requested

from training.adapters import adapted, base_dtype, merged
from training.batches import MicroBatches, only, plan_batches, rows_of
from training.callbacks import MetricsCallback, StopAfter
from training.checkpoints import best_figures, publish_folder
from training.code_examples import sft_code_examples
from training.config import Recipe
from training.errors import ExamplesError
from training.examples import Encoded, encoded_within_limits, sft_examples, training_traces
from training.gpu_busy import GpuBusy, nvml_reader
from training.held_out import HeldOut
from training.metrics import last_held_out, read_metrics
from training.model import load_model, load_tokenizer, new_model
from training.optimizers import muon_adamw
from training.packing import num_tokens
from training.parallel import parallel_arguments, refuse_split
from training.phases import TRAIN
from training.processes import first_alone, is_first, wait_for_all, world_size
from training.resuming import resume_point
from training.saving import ResumableTrainer
from training.tokenizer import train_tokenizer


class SftTrainer(ResumableTrainer):
    """Trainer with the weighted loss and ready-made micro-batches."""

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        planned: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(planned)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The micro-batch's part of the update's loss."""
        loss, outputs = weighted_loss(model, inputs)
        # the Trainer divides by the number of accumulated micro-batches, and processes are averaged
        loss = loss * self.current_gradient_accumulation_steps * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


def weighted_loss(model: nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, Any]:
    """Sum of weight * negative log-likelihood, and the model's outputs.

    The weights of an update sum to 1 over its micro-batches. The first token of a row weighs nothing, so no token is
    predicted from the row before it in a packed sequence.
    """
    outputs = model(**{name: value for name, value in inputs.items() if name != "weights"}, use_cache=False)
    logits_RV = outputs.logits[:, :-1].flatten(0, 1).float()
    targets_R = inputs["input_ids"][:, 1:].flatten()
    nll_R = cross_entropy(logits_RV, targets_R, reduction="none")
    return (nll_R * inputs["weights"][:, 1:].flatten()).sum(), outputs


def encoded_pools(
    recipe: Recipe, dataset: Path, tokenizer_path: Path
) -> tuple[PreTrainedTokenizerFast, dict[str, list[Encoded]]]:
    """The tokenizer (made from the examples and saved, or loaded) and the encoded examples of every task."""
    traces = training_traces(recipe, dataset, "sft")
    found = sft_examples(recipe, traces) | sft_code_examples(recipe, traces)
    if recipe.model.kind == "pretrained":
        tokenizer = load_tokenizer(recipe.model.name_or_path)
        tokenizer.save_pretrained(str(tokenizer_path))
    elif (tokenizer_path / "tokenizer.json").exists():
        tokenizer = load_tokenizer(str(tokenizer_path))
    else:
        # every task gives its share of the sample, taken at even distances
        sample = []
        for task in sorted(found):
            step = max(1, len(found[task]) * len(found) // recipe.tokenizer.sample_rows)
            sample += [example.prompt + example.response for example in found[task][::step]]
        temporary = tokenizer_path.with_name(tokenizer_path.name + ".tmp")
        train_tokenizer(sample, recipe.tokenizer.vocab_size, temporary)
        publish_folder(temporary, tokenizer_path)
        # read back, so that a run that was stopped and one that was not save the same files
        tokenizer = load_tokenizer(str(tokenizer_path))
    pools = {task: encoded_within_limits(recipe, tokenizer, rows) for task, rows in sorted(found.items())}
    pools = {task: rows for task, rows in pools.items() if rows}
    if not {"output", "input", "code"} & pools.keys():
        raise ExamplesError(
            f"no example of {dataset} fits slice.max_prompt_tokens {recipe.slice.max_prompt_tokens} and"
            f" slice.max_response_tokens {recipe.slice.max_response_tokens}"
        )
    return tokenizer, pools


def training_arguments(recipe: Recipe, folder: Path, num_processes: int, micro_batches: int) -> TrainingArguments:
    """The Trainer's settings for a recipe whose updates have `micro_batches` on all processes together.

    `folder` gets the checkpoints.
    """
    sft = recipe.sft
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=1,  # one ready micro-batch
        gradient_accumulation_steps=max(1, micro_batches // num_processes),
        max_steps=sft.updates,
        learning_rate=sft.learning_rate,
        lr_scheduler_type=sft.schedule if sft.schedule != "constant" else "constant_with_warmup",
        warmup_steps=sft.warmup_share,
        weight_decay=sft.weight_decay,
        max_grad_norm=sft.max_grad_norm,
        save_strategy="steps",
        save_steps=sft.checkpoint_every,
        save_total_limit=None,  # ResumableTrainer prunes
        logging_strategy="steps",
        logging_steps=1,
        report_to="none",
        seed=recipe.seed,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        bf16=recipe.model.precision == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        **parallel_arguments(recipe, sft.gradient_checkpointing),
    )


def run_sft(recipe: Recipe, dataset: Path, out_dir: Path, stop_after: int | None = None) -> dict[str, Any]:
    """Train on the training side of the dataset folder; the model folder is out_dir/model.

    Goes on from the last complete checkpoint in out_dir/checkpoints. `stop_after` ends the run right after the
    checkpoint of that update, as a kill would (no model is written). Returns a summary.
    """
    started = time.monotonic()
    refuse_split(recipe, "sft")
    out_dir.mkdir(parents=True, exist_ok=True)
    tokenizer_path, checkpoints = out_dir / "tokenizer", out_dir / "checkpoints"
    with first_alone():
        tokenizer, pools = encoded_pools(recipe, dataset, tokenizer_path)
    planned = plan_batches(pools, recipe, world_size())
    model = _start_model(recipe, tokenizer)
    flat = is_flash_attention_requested(model.config)
    batches = MicroBatches(planned, recipe, tokenizer.pad_token_id, flat)
    train_dataset: Dataset[dict[str, Tensor]] = batches
    num_trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    held_out = HeldOut(recipe, dataset, tokenizer_path)

    resume, metrics = resume_point(recipe, "sft", out_dir)
    prepared_s = time.monotonic() - started
    busy = GpuBusy(nvml_reader(), lambda: TRAIN)
    callback = MetricsCallback(
        "sft", metrics, recipe.sft.updates, held_out, tokenizer, recipe.sft.evaluate_every, busy=busy
    )
    optimizer = None
    if recipe.sft.optimizer == "muon":
        optimizer = muon_adamw(model, recipe.sft.muon_learning_rate, recipe.sft.learning_rate, recipe.sft.weight_decay)
    trainer = SftTrainer(
        model=model,
        args=training_arguments(recipe, checkpoints, world_size(), batches.parts),
        train_dataset=train_dataset,
        data_collator=only,
        processing_class=tokenizer,
        callbacks=[callback, StopAfter(stop_after)],
        optimizers=(optimizer, None),
    )
    trainer.metrics_path = metrics.path
    callback.tokens_per_update = [
        sum(num_tokens(rows_of(part)) for part in planned[i : i + batches.parts])
        for i in range(0, len(planned), batches.parts)
    ]
    with closing(metrics), busy:
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if stop_after is not None and stop_after < recipe.sft.updates:
        return {"stopped_after": stop_after}
    save_model(trainer, tokenizer, out_dir / "model")
    return {
        "stage": "sft",
        "updates": recipe.sft.updates,
        "micro_batches": batches.parts,
        "num_parameters": sum(p.numel() for p in model.parameters()),
        "num_trained": num_trained,
        "vocab_size": len(tokenizer),
        "num_examples": {task: len(rows) for task, rows in sorted(pools.items())},
        "mean_prompt_tokens": _mean([len(row.prompt_ids) for row in pools.get("output", [])]),
        "mean_response_tokens": _mean([len(row.response_ids) for row in pools.get("output", [])]),
        "prepared_s": round(prepared_s, 2),
        "seconds": round(time.monotonic() - started, 2),
        **last_held_out(metrics.path),
        **best_figures(checkpoints, read_metrics(metrics.path)),
    }


def _start_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    if recipe.model.kind == "pretrained":
        return adapted(load_model(recipe.model.name_or_path, base_dtype(recipe)), recipe)
    return adapted(new_model(recipe.model, tokenizer, recipe.seed), recipe)


def save_model(trainer: Trainer, tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    """The model folder with its tokenizer, written whole or not at all; additions of LoRA are merged first.

    Every process takes part, as weights may be split over them; the first one writes.
    """
    temporary = path.with_name(path.name + ".tmp")
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    if (whole := merged(model)) is model:
        trainer.save_model(str(temporary))
    elif is_first():
        whole.save_pretrained(str(temporary))
    if is_first():
        tokenizer.save_pretrained(str(temporary))
        (temporary / "training_args.bin").unlink(missing_ok=True)
        publish_folder(temporary, path)
    wait_for_all()


def _mean(values: list[int]) -> float:
    return round(sum(values) / max(1, len(values)), 2)
