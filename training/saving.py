"""How a Trainer's checkpoints become resumable state, and what a full disk does to them.

A checkpoint counts once every process has written its part and its marker is on the disk; then older ones go. Where
one can't be written for lack of space its folder is removed and training goes on: the last complete checkpoint stays.
"""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import Trainer

from training.checkpoints import PREFIX, last_complete, mark_complete, prune
from training.fsdp import full_outputs, split_without_gpus
from training.metrics import read_metrics
from training.processes import gathered, is_first, wait_for_all

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# torch writes archives through C++, whose errors have a text and no number
TORCH_WRITING = ("PytorchStreamWriter failed", "file write failed", "basic_ios::clear", "unexpected pos")


def is_no_space(error: BaseException) -> bool:
    """Whether an error of saving says that the disk is full, a quota used up, or a file too large for its limit."""
    if isinstance(error, OSError):
        return error.errno in NO_SPACE
    if isinstance(error, SafetensorError):
        return any(f"os error {number}" in str(error) for number in NO_SPACE)
    return isinstance(error, RuntimeError) and any(text in str(error) for text in TORCH_WRITING)


class ResumableTrainer(Trainer):
    """A Trainer whose checkpoints are whole or not there; `metrics_path` says which of them is the best, and
    `save_more` writes what else belongs into a checkpoint's folder.

    Where weights are split over processes (fsdp2, deepspeed) writing is a joint act that one process can't leave, so
    there a full disk ends the run.
    """

    metrics_path: Path | None = None
    save_more: Callable[[Path], None] | None = None

    def create_accelerator_and_postprocess(self) -> None:
        split_without_gpus(self.args)
        super().create_accelerator_and_postprocess()
        full_outputs(self.accelerator)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """As the Trainer's; weights that were split come gathered one by one, a tied one under each of its names."""
        if state_dict is not None:
            tied: Any = getattr(self.model, "all_tied_weights_keys", {})
            state_dict = {name: weight for name, weight in state_dict.items() if name not in tied}
        super()._save(output_dir, state_dict)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        checkpoints = Path(str(self.args.output_dir))
        folder = checkpoints / f"{PREFIX}{self.state.global_step}"
        problem = ""
        try:
            super()._save_checkpoint(model, trial)
            if self.save_more is not None and is_first():
                self.save_more(folder)
        except (OSError, SafetensorError, RuntimeError) as error:
            if not is_no_space(error) or self.is_fsdp_enabled or self.is_deepspeed_enabled:
                raise
            problem = f"{type(error).__name__}: {error}"
        problems = [text for text in gathered(problem) if text]
        if is_first():
            self._finish(checkpoints, folder, problems)
        wait_for_all()

    def _finish(self, checkpoints: Path, folder: Path, problems: list[str]) -> None:
        """Mark the checkpoint and prune older ones, or remove what was written of it and say why."""
        if not problems:
            try:
                mark_complete(folder)
            except OSError as error:
                if not is_no_space(error):
                    raise
                problems = [str(error)]
        if not problems:
            prune(checkpoints, read_metrics(self.metrics_path) if self.metrics_path else [])
            return
        shutil.rmtree(folder, ignore_errors=True)
        last = last_complete(checkpoints)
        print(
            f"{folder.name} could not be written ({problems[0]}) and was removed; free space on the disk of"
            f" {checkpoints}. Training goes on; a run that ends now would go on from"
            f" {last.name if last else 'its start'}.",
            file=sys.stderr,
            flush=True,
        )
