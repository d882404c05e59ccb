"""Train: SFT, then Bi-Level GRPO, each launched as a job that goes on from its last checkpoint."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from datastore.checkpoints import Checkpoints
from datastore.records import ArtifactRecord
from tasks.checkpoint_uploads import forget, kept_in_store
from tasks.progress import progress
from tasks.steps import Made, Output, StepResult, fetch, run_step, step, step_identity
from tasks.workspace import Workspace, code_version, versions
from training.config import Recipe
from training.launch import launch
from training.metrics import ROLLOUTS

CODE = ("training", "corpus", "evaluation", "execution")
SHARED_SECTIONS = ("name", "seed", "slice", "tokenizer", "model", "parallel")
STAGE_SECTIONS = {"sft": (*SHARED_SECTIONS, "sft"), "rl": (*SHARED_SECTIONS, "rl")}


@step("train", task_run_name="train-{stage}")
def train_stage(workspace: Workspace, recipe: Recipe, stage: str, inputs: dict[str, Output]) -> StepResult:
    """Run one stage ("sft" or "rl") on `dataset` (and `model`, which rl needs and sft may start from): a model folder
    and its metrics (JSONL)."""
    everything = recipe.model_dump(mode="json")
    params: dict[str, Any] = {
        "stage": stage,
        "recipe": {section: everything[section] for section in STAGE_SECTIONS[stage]},
        "sandbox": workspace.settings.sandbox,
        "code": code_version(*CODE),
        "packages": {name: versions()[name] for name in ("python", "torch", "transformers", "trl")},
    }
    if recipe.slice.problems:
        problems = Path(recipe.slice.problems)
        params["problems"] = hashlib.sha256(problems.read_bytes()).hexdigest() if problems.is_file() else None

    job = f"train-{stage}"
    step_id = step_identity(job, params, inputs)
    checkpoints = Checkpoints(workspace.database, workspace.store) if workspace.settings.keeps_checkpoints else None

    def work(folder: Path) -> Made:
        paths = {role: fetch(workspace, output, folder) for role, output in inputs.items()}
        out = folder / "out"
        total = recipe.sft.updates if stage == "sft" else recipe.rl.updates
        with progress(f"train-{stage}", f"{stage.upper()} updates", total) as bar:

            def on_progress(row: dict[str, Any]) -> None:
                if "update" in row:
                    bar.update(row["update"], _note(row))

            with kept_in_store(checkpoints, job, step_id, out):
                launch(
                    stage,
                    recipe,
                    paths,
                    out,
                    on_progress=on_progress,
                    sandbox_backend=workspace.settings.sandbox,
                    ray_address=workspace.settings.ray_address,
                )
        made = Made(summary=json.loads((out / "DONE.json").read_text("utf-8")))
        made.add("model", "model", f"{recipe.name}-{stage}", out / "model")
        made.add("metrics", "metrics", f"{recipe.name}-{stage}", out / "metrics.jsonl")
        if (out / ROLLOUTS).exists():
            made.add("rollouts", "rollouts", f"{recipe.name}-{stage}", out / ROLLOUTS)
        return made

    done = run_step(workspace, job, params=params, inputs=inputs, work=work)
    if checkpoints is not None:
        forget(checkpoints, job, step_id)
    return done


def _note(row: dict[str, Any]) -> str:
    shown = [
        ("loss", "loss"),
        ("step_reward", "step"),
        ("final_reward", "final"),
        ("tokens_per_s", "tokens/s"),
    ]
    return " ".join(f"{label} {row[key]:.3g}" for key, label in shown if isinstance(row.get(key), int | float))


def read_metrics(workspace: Workspace, metrics: Output | ArtifactRecord) -> list[dict[str, Any]]:
    """The rows of a stage's metrics, one per update or held-out check, or of its logged rollouts."""
    lines = workspace.store.get_bytes(metrics.digest).decode("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]
