"""Reinforcement learning from a dataset folder and an SFT model folder: one run of Bi-Level GRPO, resumable."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOConfig

from evaluation.unit_tests import PROGRAM_LIMITS
from execution.sandbox import Sandbox, open_sandbox
from training.adapters import base_dtype, lora_config
from training.batch_plan import grpo_parts
from training.bilevel import BiLevelTrainer
from training.callbacks import MetricsCallback, StopAfter
from training.checkpoints import best_figures, update_of
from training.code_examples import rl_code_examples
from training.config import Recipe
from training.credit import MODES
from training.engines import Probe, difference_limit, open_engine
from training.examples import rl_examples, training_traces
from training.gpu_busy import GpuBusy, nvml_reader
from training.held_out import HeldOut
from training.metrics import last_held_out, read_metrics
from training.model import load_tokenizer
from training.padding import PAD_MULTIPLE
from training.parallel import parallel_arguments, refuse_split
from training.phases import Phases
from training.processes import is_first, world_size
from training.resuming import resume_point
from training.rollout_log import RolloutLog
from training.rollouts import EngineRollouts
from training.sft import save_model


def grpo_arguments(recipe: Recipe, folder: Path, num_processes: int = 1) -> GRPOConfig:
    """TRL's settings for a recipe: one update per batch of rollouts, so that the ratios are 1 when it is taken."""
    rl = recipe.rl
    parts = grpo_parts(recipe, num_processes)
    rollouts = rl.prompts_per_update * rl.group_size
    return GRPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=rollouts // (parts * num_processes),
        gradient_accumulation_steps=parts,
        steps_per_generation=parts,
        num_generations=rl.group_size,
        max_completion_length=rl.max_completion_tokens,
        max_steps=rl.updates,
        learning_rate=rl.learning_rate,
        lr_scheduler_type=rl.schedule if rl.schedule != "constant" else "constant_with_warmup",
        warmup_steps=rl.warmup_share,
        max_grad_norm=rl.max_grad_norm,
        temperature=rl.temperature,
        beta=rl.beta,
        epsilon=rl.epsilon,
        epsilon_high=rl.epsilon_high,
        loss_type=rl.loss_type,
        importance_sampling_level=rl.importance_sampling_level,
        scale_rewards="group",
        mask_truncated_completions=False,
        shuffle_dataset=False,  # the order of prompts is planned, so that a resumed run reads the same
        pad_to_multiple_of=PAD_MULTIPLE,
        model_init_kwargs={"dtype": str(base_dtype(recipe)).removeprefix("torch.")},
        save_strategy="steps",
        save_steps=rl.checkpoint_every,
        save_total_limit=None,  # ResumableTrainer prunes
        logging_steps=1,
        report_to="none",
        seed=recipe.seed,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        bf16=recipe.model.precision == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        **parallel_arguments(recipe, rl.gradient_checkpointing),
    )


def run_rl(
    recipe: Recipe,
    dataset: Path,
    model_path: Path,
    out_dir: Path,
    sandbox_backend: str = "bubblewrap",
    stop_after: int | None = None,
) -> dict[str, Any]:
    """Train the model folder `model_path` on the training side of `dataset`; the result is out_dir/model.

    Goes on from the last complete checkpoint in out_dir/checkpoints; `stop_after` as in `run_sft`.
    """
    started = time.monotonic()
    refuse_split(recipe, "rl")
    out_dir.mkdir(parents=True, exist_ok=True)
    checkpoints = out_dir / "checkpoints"
    tokenizer = load_tokenizer(str(model_path))
    traces = training_traces(recipe, dataset, "rl")
    with _open_code(recipe, sandbox_backend) as code_sandbox:
        code = rl_code_examples(recipe, tokenizer, traces, code_sandbox)
    examples = rl_examples(recipe, tokenizer, traces, code)
    prompts = Dataset.from_dict(
        {"prompt": [row.example.prompt for row in examples], "example": list(range(len(examples)))}
    )
    held_out = HeldOut(recipe, dataset, model_path)
    resume, metrics = resume_point(recipe, "rl", out_dir)
    prepared_s = time.monotonic() - started

    phases = Phases()
    rollouts = EngineRollouts(
        recipe.rl,
        recipe.seed,
        lambda config: open_engine(recipe, tokenizer, config),
        Probe.of([(row.prompt_ids, row.response_ids) for row in examples], difference_limit(recipe)),
        phases,
    )
    torch.manual_seed(recipe.seed)  # LoRA's additions are drawn before TRL sets the seed
    with (
        closing(metrics),
        closing(rollouts),
        _open(recipe, sandbox_backend) as sandbox,
        _open_code(recipe, sandbox_backend) as code_sandbox,
        GpuBusy(nvml_reader(), lambda: phases.now) as busy,
    ):
        trainer = BiLevelTrainer(
            recipe=recipe,
            examples=examples,
            sandbox=sandbox,
            code_sandbox=code_sandbox,
            phases=phases,
            model=str(model_path),
            args=grpo_arguments(recipe, checkpoints, world_size()),
            train_dataset=prompts,
            processing_class=tokenizer,
            peft_config=lora_config(recipe.model),
            rollout_func=rollouts,
            rollout_log=RolloutLog(out_dir, recipe, update_of(resume) if resume else -1) if is_first() else None,
        )
        trainer.metrics_path = metrics.path
        trainer.save_more = rollouts.drift.save
        if resume:
            rollouts.drift.load(resume)
        callback = MetricsCallback(
            "rl",
            metrics,
            recipe.rl.updates,
            held_out,
            tokenizer,
            recipe.rl.evaluate_every,
            lambda: trainer.row() | rollouts.figures,
            phases,
            busy,
        )
        trainer.add_callback(callback)
        trainer.add_callback(StopAfter(stop_after))
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if stop_after is not None and stop_after < recipe.rl.updates:
        return {"stopped_after": stop_after}
    save_model(trainer, tokenizer, out_dir / "model")
    return {
        "stage": "rl",
        "mode": recipe.rl.mode,
        "updates": recipe.rl.updates,
        "group_size": recipe.rl.group_size,
        "prompts_per_update": recipe.rl.prompts_per_update,
        "num_prompts": dict(sorted(Counter(row.example.task for row in examples).items())),
        "num_programs": len({row.example.program_id for row in examples}),
        "prepared_s": round(prepared_s, 2),
        "seconds": round(time.monotonic() - started, 2),
        **last_held_out(metrics.path),
        **best_figures(checkpoints, read_metrics(metrics.path)),
    }


def _open(recipe: Recipe, backend: str) -> AbstractContextManager[Sandbox | None]:
    """A sandbox where committed inputs, or programs set to a model's own states, have to be run."""
    runs = recipe.slice.rl_input > 0 or MODES[recipe.rl.mode].own_states
    return open_sandbox(backend, hash_seed=recipe.trace.hash_seeds[0]) if runs else nullcontext()


def _open_code(recipe: Recipe, backend: str) -> AbstractContextManager[Sandbox | None]:
    """A sandbox where programs have to be run."""
    if not recipe.slice.rl_code:
        return nullcontext()
    return open_sandbox(backend, recipe.trace.hash_seeds[0], PROGRAM_LIMITS)
