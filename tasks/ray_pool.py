"""Spread pieces of work over Ray actors: backpressure, lost workers replaced, every piece done exactly once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, ObjectLostError, RayActorError

from infra.settings import Settings
from tasks.errors import WorkerLost

MAX_TRIES = 3
PIECE_DEADLINE_S = 1800.0
OBJECT_STORE_BYTES = 256 << 20


@contextmanager
def ray_cluster(settings: Settings) -> Iterator[None]:
    """Ray for the time of one step: the cluster that the settings name, or a local one that ends with it."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")  # else Ray's first message puts its own print in place of ours
    if settings.ray_address:
        ray.init(address=settings.ray_address, log_to_driver=False, logging_level=logging.ERROR)
    else:
        ray.init(
            num_cpus=settings.workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=OBJECT_STORE_BYTES,
        )
    try:
        yield
    finally:
        ray.shutdown()


def spread(
    make_worker: Callable[[], Any],
    pieces: Sequence[tuple[str, Any]],
    num_workers: int,
    deadline_s: float = PIECE_DEADLINE_S,
) -> Iterator[tuple[str, Any]]:
    """Yield (name, result) of `worker.do.remote(piece)` as they come, each name once.

    A worker has one piece at a time and gets the next one when its result was taken, so that never more than
    `num_workers` pieces are on the way, however slow the caller is. A piece whose worker or result is lost, alone or
    with its node, is given to a fresh worker, up to MAX_TRIES times; then WorkerLost. An error that the work itself
    raises is raised here.
    """
    waiting = list(reversed(pieces))
    tries = dict.fromkeys((name for name, _ in pieces), 0)
    running: dict[Any, tuple[Any, str, Any]] = {}

    def start(worker: Any) -> None:
        name, piece = waiting.pop()
        tries[name] += 1
        running[worker.do.remote(piece)] = (worker, name, piece)

    for _ in range(min(num_workers, len(waiting))):
        start(make_worker())
    try:
        while running:
            done, _ = ray.wait(list(running), num_returns=1, timeout=deadline_s)
            if not done:
                raise GetTimeoutError(f"no worker answered within {deadline_s:.0f} s")
            worker, name, piece = running.pop(done[0])
            try:
                result = ray.get(done[0])
            except (RayActorError, ObjectLostError) as error:
                _release([worker])
                if tries[name] >= MAX_TRIES:
                    raise WorkerLost(f"{name} took down {MAX_TRIES} workers: {error}") from error
                waiting.append((name, piece))
                worker = make_worker()
            else:
                yield name, result
            if waiting:
                start(worker)
            else:
                _release([worker])  # a fresh worker may be waiting for its place
    finally:
        _release(worker for worker, _, _ in running.values())


def _release(workers: Iterable[Any]) -> None:
    for worker in workers:
        ray.kill(worker)
