"""Where a stage goes on: the last complete checkpoint, and the metrics up to it."""

from __future__ import annotations

from pathlib import Path

from training.checkpoints import PREFIX, last_complete, remove_incomplete, update_of
from training.config import Recipe
from training.errors import TrainingError
from training.loggers import open_loggers
from training.metrics import MetricsFile
from training.processes import agreed, is_first, wait_for_all


def resume_point(recipe: Recipe, stage: str, out_dir: Path) -> tuple[Path | None, MetricsFile]:
    """The checkpoint that every process loads (None: from the start), and the stage's metrics file.

    The first process removes what is incomplete, decides, and drops the rows that will be written again; it alone has
    loggers. TrainingError where another process does not see that checkpoint: the output folder is not shared.
    """
    checkpoints, path = out_dir / "checkpoints", out_dir / "metrics.jsonl"
    update, metrics = -1, MetricsFile(path)
    if is_first():
        remove_incomplete(checkpoints)
        found = last_complete(checkpoints)
        update = update_of(found) if found else -1
        metrics = MetricsFile(path, open_loggers(recipe, stage, out_dir, update))
        metrics.keep_until(update)
    update = agreed(update)
    wait_for_all()
    if update < 0:
        return None, metrics
    resume = checkpoints / f"{PREFIX}{update}"
    if not resume.is_dir():
        raise TrainingError(f"{resume} is there for the first worker and not for this one: {out_dir} must be shared")
    return resume, metrics
