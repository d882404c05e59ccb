"""Checkpoints in the artifact store: copied while a stage goes on, and fetched where its own folder has none.

Training never waits for the store, and a store that is down costs no more than the copies that were due: the next
try comes a little later, and the checkpoints on this machine stay as they are.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datastore.checkpoints import Checkpoints
from datastore.errors import StoreError
from training.checkpoints import PREFIX, complete, last_complete, update_of
from training.metrics import ROLLOUTS

POLL_S = 5.0
_LOG = logging.getLogger(__name__)
_CHECKPOINTS, _METRICS, _TOKENIZER = "checkpoints", "metrics.jsonl", "tokenizer"
_SNAPSHOT, _RESTORED = ".snapshot", ".restored"


class Uploader:
    """Copies the newest complete checkpoint of the stage in `out`, with what belongs to it, once it is there."""

    def __init__(self, checkpoints: Checkpoints, job: str, step_id: str, out: Path) -> None:
        self.checkpoints, self.job, self.step_id, self.out = checkpoints, job, step_id, out
        self.uploaded = -1
        self.problem = ""

    def once(self) -> bool:
        """Upload the newest checkpoint if it is not in the store yet; whether it was. Never raises for what passes."""
        newest = last_complete(self.out / _CHECKPOINTS)
        if newest is None or update_of(newest) <= self.uploaded:
            return False
        try:
            self.checkpoints.save(self.job, self.step_id, update_of(newest), self._files(newest))
        except (StoreError, OSError, ValueError) as error:  # the store is down, or training has pruned it meanwhile
            if newest.exists() and str(error) != self.problem:
                self.problem = str(error)
                _LOG.warning(
                    "checkpoint %s of %s is not in the store: %s; training goes on", newest.name, self.job, error
                )
            return False
        self.uploaded, self.problem = update_of(newest), ""
        return True

    def _files(self, checkpoint: Path) -> dict[str, Path]:
        """Name -> path of the checkpoint's files, the tokenizer's, and the metrics as they are now, which grow."""
        snapshot = self.out / _SNAPSHOT
        snapshot.mkdir(exist_ok=True)
        found = {}
        for name in (_METRICS, ROLLOUTS):
            if (self.out / name).exists():
                shutil.copyfile(self.out / name, snapshot / name)
                found[name] = snapshot / name
        for folder in (checkpoint, self.out / _TOKENIZER):
            found |= {path.relative_to(self.out).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        return found


@contextmanager
def kept_in_store(
    checkpoints: Checkpoints | None, job: str, step_id: str, out: Path, poll_s: float = POLL_S
) -> Iterator[None]:
    """Go on from the stored checkpoint where `out` has none newer; while the body runs, a thread stores new ones; where
    it fails the newest is tried once more. Nothing of it where `checkpoints` is None."""
    if checkpoints is None:
        yield
        return
    try:
        if (update := restore_last(checkpoints, job, step_id, out)) is not None:
            _LOG.warning("%s goes on from update %s, whose checkpoint was in the store", job, update)
    except StoreError as error:
        _LOG.warning("no checkpoint of %s could be fetched: %s; it goes on from what is here", job, error)
    uploader, stop = Uploader(checkpoints, job, step_id, out), threading.Event()

    def watch() -> None:
        while not stop.wait(poll_s):
            uploader.once()

    thread = threading.Thread(target=watch, name=f"checkpoints of {job}", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        _end(thread, stop)
        uploader.once()
        raise
    _end(thread, stop)


def _end(thread: threading.Thread, stop: threading.Event) -> None:
    stop.set()
    thread.join()


def forget(checkpoints: Checkpoints, job: str, step_id: str) -> None:
    """Remove a recorded step's checkpoints; a store that is down keeps them, which costs space and nothing else."""
    try:
        checkpoints.forget(job, step_id)
    except StoreError as error:
        _LOG.warning("checkpoints of %s stay in the store: %s", job, error)


def restore_last(checkpoints: Checkpoints, job: str, step_id: str, out: Path) -> int | None:
    """Fetch the step's stored checkpoint into `out` where there is none newer; the update it stands for, or None.

    The checkpoint is moved to its name last, so that a kill in between leaves none that is half there.
    """
    found = checkpoints.last(job, step_id)
    here = [update_of(path) for path in complete(out / _CHECKPOINTS)]
    if found is None or (here and max(here) >= found.update):
        return None
    restored = out / _RESTORED
    shutil.rmtree(restored, ignore_errors=True)
    checkpoints.restore(found, restored)
    for name in (_TOKENIZER, _METRICS, ROLLOUTS):
        if (restored / name).exists() and not (out / name).exists():
            (restored / name).rename(out / name)
    (out / _CHECKPOINTS).mkdir(exist_ok=True)
    target = out / _CHECKPOINTS / f"{PREFIX}{found.update}"
    shutil.rmtree(target, ignore_errors=True)
    (restored / _CHECKPOINTS / target.name).rename(target)
    shutil.rmtree(restored)
    return found.update
