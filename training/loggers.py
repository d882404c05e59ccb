"""Loggers besides metrics.jsonl: TensorBoard, Weights & Biases, MLflow. They get the rows that the file gets.

Thin, and ours rather than transformers' callbacks, which would log TRL's names and not the columns of the file. Each
package is imported when it is used; keys and addresses are those packages' own environment variables
(WANDB_API_KEY, WANDB_MODE, MLFLOW_TRACKING_URI, ...).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from training.config import Recipe
from training.errors import TrainingError
from training.needs import PACKAGES

RUN_ID = "run_id.txt"


class Logger(Protocol):
    """Where rows go; `numbers` are finite floats by name, named `stage/column`."""

    def log(self, update: int, numbers: dict[str, float]) -> None: ...

    def close(self) -> None: ...


class TensorBoardLogger:
    """Event files in `folder`; what an interrupted run wrote after `last_update` is hidden."""

    def __init__(self, folder: Path, last_update: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge = last_update + 1 if last_update >= 0 else None
        self._writer = SummaryWriter(log_dir=str(folder), purge_step=purge)

    def log(self, update: int, numbers: dict[str, float]) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, update)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class WandbLogger:
    """A W&B run that goes on when the stage does; WANDB_MODE=offline needs no account."""

    def __init__(self, folder: Path, recipe: Recipe, stage: str) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        note = folder / RUN_ID
        run_id = note.read_text("utf-8").strip() if note.exists() else uuid4().hex[:16]
        note.write_text(run_id, "utf-8")
        self._run = wandb.init(
            project=recipe.logging.project,
            name=f"{recipe.name}-{stage}",
            id=run_id,
            resume="allow",
            dir=str(folder),
            config=recipe.model_dump(mode="json"),
        )

    def log(self, update: int, numbers: dict[str, float]) -> None:
        self._run.log(numbers, step=update)

    def close(self) -> None:
        self._run.finish()


class MlflowLogger:
    """An MLflow run that goes on when the stage does; MLFLOW_TRACKING_URI, or files in `folder`."""

    def __init__(self, folder: Path, recipe: Recipe, stage: str) -> None:
        import mlflow

        folder.mkdir(parents=True, exist_ok=True)
        if "MLFLOW_TRACKING_URI" not in os.environ:
            mlflow.set_tracking_uri(f"sqlite:///{folder.resolve() / 'mlflow.db'}")
        mlflow.set_experiment(recipe.logging.project)
        note = folder / RUN_ID
        run_id = note.read_text("utf-8").strip() if note.exists() else None
        run = mlflow.start_run(run_id=run_id, run_name=None if run_id else f"{recipe.name}-{stage}")
        note.write_text(run.info.run_id, "utf-8")
        self._mlflow: Any = mlflow

    def log(self, update: int, numbers: dict[str, float]) -> None:
        self._mlflow.log_metrics(numbers, step=update)

    def close(self) -> None:
        self._mlflow.end_run()


def open_loggers(recipe: Recipe, stage: str, out_dir: Path, last_update: int) -> list[Logger]:
    """The loggers of `[logging] to`, in folders of `out_dir`; TrainingError names a package that is missing."""
    for name in recipe.logging.to:
        module, package, _ = PACKAGES[name]
        if find_spec(module) is None:
            raise TrainingError(
                f"logging.to names {name}, and the package {module} is not installed: pip install {package}"
                f" -c constraints.txt, or take {name} out of [logging]"
            )
    opened: list[Logger] = []
    for name in recipe.logging.to:
        if name == "tensorboard":
            opened.append(TensorBoardLogger(out_dir / name, last_update))
        elif name == "wandb":
            opened.append(WandbLogger(out_dir / name, recipe, stage))
        else:
            opened.append(MlflowLogger(out_dir / name, recipe, stage))
    return opened
