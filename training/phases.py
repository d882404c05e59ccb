"""Where the time of an update goes: one clock, and every moment of an update in exactly one phase.

The engine's generation, grading, handing over weights (`sync`, with the probe), the reference's forward passes, other
work on the rollouts (texts to ids and back, padding, advantages, waiting for other workers), and training, which is all
that is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

TRAIN, SCORING = "train", "other"
PHASES = ("generate", "grade", "sync", "reference", SCORING, TRAIN)


def finish_device_work() -> None:
    """Wait for what a GPU was given, which would else be counted in a later phase."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


class Phases:
    """Seconds of the running update by phase; a phase within another takes its time from that one.

    `now` is the phase that runs, TRAIN outside of all others; another thread may read it.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, settle: Callable[[], None] = finish_device_work
    ) -> None:
        self._clock, self._settle = clock, settle
        self.now = TRAIN
        self.begin()

    def begin(self) -> None:
        """A new update starts now."""
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._since = self._clock()

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """The body is `phase`, one of PHASES."""
        around = self.now
        self._turn_to(phase)
        try:
            yield
        finally:
            self._turn_to(around)

    def seconds(self) -> dict[str, float]:
        """`PHASE_s` of the update until now; their sum is its time."""
        self._turn_to(self.now)
        return {f"{phase}_s": seconds for phase, seconds in self._seconds.items()}

    def _turn_to(self, phase: str) -> None:
        self._settle()
        now = self._clock()
        self._seconds[self.now] += now - self._since
        self.now, self._since = phase, now
