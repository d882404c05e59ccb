"""Checkpoints in the artifact store: copied while a stage goes on, and fetched where its own folder has none.

Training never waits for the store, and a store that is down costs no more than the copies that were due: the next
try comes a little later, and the checkpoints on this machine stay as they are.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from datastore.checkpoints import Checkpoint, Checkpoints
from datastore.errors import ArtifactMissing, CorruptArtifact, StoreError
from training.checkpoints import COMPLETE, PREFIX, best_update, complete, publish_folder, update_of
from training.metrics import ROLLOUTS, MetricsFile, read_metrics

POLL_S = 5.0
_LOG = logging.getLogger(__name__)
_CHECKPOINTS, _METRICS, _TOKENIZER = "checkpoints", "metrics.jsonl", "tokenizer"
_SNAPSHOT, _RESTORED = ".snapshot", ".restored"


class Uploader:
    """Copies the newest complete checkpoint of the stage in `out` and the best one, with what belongs to them.

    Each is stored once: where the best was the newest when it was copied, it stays when a newer one comes.
    """

    def __init__(self, checkpoints: Checkpoints, job: str, step_id: str, out: Path) -> None:
        self.checkpoints, self.job, self.step_id, self.out = checkpoints, job, step_id, out
        self.stored: set[int] | None = None
        self.problem = ""

    def once(self) -> bool:
        """Upload the newest checkpoint, or else the best, if it is not in the store yet; whether one was.

        Never raises: its thread would end, and a stage's own failure be hidden by it.
        """
        wanted: Path | None = None
        try:
            here = complete(self.out / _CHECKPOINTS)
            if not here:
                return False
            if self.stored is None:
                self.stored = {one.update for one in self.checkpoints.stored(self.job, self.step_id)}
            wanted, best = self._wanted(here, self.stored)
            if wanted is None:
                return False
            self.checkpoints.save(self.job, self.step_id, update_of(wanted), self._files(wanted), best)
        except Exception as error:  # noqa: BLE001 see above
            self._tell(wanted, error)
            return False
        self.stored.add(update_of(wanted))
        self.problem = ""
        return True

    def _wanted(self, here: Sequence[Path], stored: Collection[int]) -> tuple[Path | None, list[int]]:
        """The checkpoint to upload now, and the best one's update, if there is one."""
        newest, updates = here[-1], {update_of(path): path for path in here}
        best = best_update(updates, read_metrics(self.out / _METRICS))
        if update_of(newest) > max(stored, default=-1):
            return newest, [] if best is None else [best]
        if best is not None and best not in stored:
            return updates[best], [best]
        return None, []

    def _tell(self, wanted: Path | None, error: Exception) -> None:
        """Say once what is wrong: the store is down. Nothing where training has pruned the checkpoint meanwhile."""
        if (wanted is None or (wanted / COMPLETE).exists()) and str(error) != self.problem:
            self.problem = str(error)
            name = wanted.name if wanted else "the newest"
            known = isinstance(error, StoreError | OSError | ValueError)
            _LOG.warning(
                "checkpoint %s of %s is not in the store: %s; training goes on",
                name,
                self.job,
                error if known else repr(error),
                exc_info=None if known else error,
            )

    def _files(self, checkpoint: Path) -> dict[str, Path]:
        """Name -> path of the checkpoint's files, the tokenizer's, and the metrics until its update: another try has
        the same bytes.

        FileNotFoundError where training has begun to prune it: the marker goes first, so what was listed before it
        went is whole.
        """
        snapshot = self.out / _SNAPSHOT
        snapshot.mkdir(exist_ok=True)
        found = {}
        for name in (_METRICS, ROLLOUTS):
            if (self.out / name).exists():
                shutil.copyfile(self.out / name, snapshot / name)
                MetricsFile(snapshot / name).keep_until(update_of(checkpoint))
                found[name] = snapshot / name
        for folder in (checkpoint, self.out / _TOKENIZER):
            found |= {path.relative_to(self.out).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        if not (checkpoint / COMPLETE).exists():
            raise FileNotFoundError(f"{checkpoint} has been removed")
        return found


@contextmanager
def kept_in_store(
    checkpoints: Checkpoints | None, job: str, step_id: str, out: Path, poll_s: float = POLL_S
) -> Iterator[None]:
    """Go on from the stored checkpoint where `out` has none as new; while the body runs, a thread stores new ones;
    where it fails both are tried once more. Nothing of it where `checkpoints` is None."""
    if checkpoints is None:
        yield
        return
    try:
        if (update := restore_last(checkpoints, job, step_id, out)) is not None:
            _LOG.warning("%s goes on from update %s, whose checkpoint was in the store", job, update)
    except (StoreError, OSError) as error:
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
        while uploader.once():  # the newest, then the best
            pass
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
    """Fetch the step's newest stored checkpoint into `out` where there is none as new; its update, or None. One that is
    damaged is removed from the store, where it would hide the next ones.

    What comes with it, the metrics above all, takes the place of what is older here. Then the best one is fetched where
    it is another and not here: without it the stage goes on, and names another as its best.
    """
    stored = checkpoints.stored(job, step_id)
    here = {update_of(path) for path in complete(out / _CHECKPOINTS)}
    restored = None
    while restored is None and stored and stored[-1].update > max(here, default=-1):
        try:
            _restore(checkpoints, stored[-1], out)
        except (ArtifactMissing, CorruptArtifact) as error:
            damaged = stored.pop()
            _LOG.warning("the checkpoint of %s of update %s can't be used: %s", job, damaged.update, error)
            checkpoints.drop(damaged)
        else:
            restored = stored[-1].update
            here.add(restored)
    found = {one.update: one for one in stored}
    best = best_update(here | found.keys(), read_metrics(out / _METRICS))
    if best is not None and best not in here:
        try:
            with _unpacked(checkpoints, found[best], out) as folder:
                _take(folder, found[best], out)
        except (StoreError, OSError) as error:
            _LOG.warning("the best checkpoint of %s, of update %s, could not be fetched: %s", job, best, error)
    return restored


def _restore(checkpoints: Checkpoints, checkpoint: Checkpoint, out: Path) -> None:
    with _unpacked(checkpoints, checkpoint, out) as folder:
        if not (out / _TOKENIZER).exists() and (folder / _TOKENIZER).exists():
            (folder / _TOKENIZER).rename(out / _TOKENIZER)
        for name in (_METRICS, ROLLOUTS):
            if (folder / name).exists():
                (folder / name).replace(out / name)
        _take(folder, checkpoint, out)


@contextmanager
def _unpacked(checkpoints: Checkpoints, checkpoint: Checkpoint, out: Path) -> Iterator[Path]:
    """A folder with the checkpoint's files, verified; it goes with the body."""
    folder = out / _RESTORED
    shutil.rmtree(folder, ignore_errors=True)
    try:
        checkpoints.restore(checkpoint, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take(folder: Path, checkpoint: Checkpoint, out: Path) -> None:
    """Move an unpacked checkpoint to its name, whole and on the disk, so that a kill leaves none that is half there."""
    target = out / _CHECKPOINTS / f"{PREFIX}{checkpoint.update}"
    target.parent.mkdir(exist_ok=True)
    publish_folder(folder / _CHECKPOINTS / target.name, target)
