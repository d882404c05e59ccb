"""How busy the GPU is in each phase: NVML's utilisation, the share of time in which some kernel ran, asked regularly.

A reading is of the last moments (up to a second, by device), so that short phases take something of their neighbours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

import torch

EVERY_S = 0.25
Read = Callable[[], float]


def nvml_reader() -> Read | None:
    """Reads this process's GPU as a share from 0 to 1; None without a GPU, or where NVML can't be asked (its package
    nvidia-ml-py is missing, or the driver does not allow it)."""
    if not torch.cuda.is_available():
        return None

    def read() -> float:
        return torch.cuda.utilization() / 100

    try:
        read()
    except Exception:  # noqa: BLE001 pynvml's errors have no class that can be named without it
        return None
    return read


class GpuBusy:
    """While it is open a thread reads, and adds each reading to the phase that runs; nothing where `read` is None.

    A reading that fails ends it for good: training goes on without these figures.
    """

    def __init__(self, read: Read | None, phase: Callable[[], str], every_s: float = EVERY_S) -> None:
        self._read, self._phase, self._every_s = read, phase, every_s
        self._readings: dict[str, list[float]] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="GPU utilisation", daemon=True)

    def __enter__(self) -> GpuBusy:
        if self._read is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def sample(self) -> bool:
        """Take one reading; whether there was one."""
        phase = self._phase()
        try:
            busy = self._read() if self._read is not None else None
        except Exception:  # noqa: BLE001 as above
            busy = None
        if busy is None:
            return False
        with self._lock:
            self._readings.setdefault(phase, []).append(busy)
        return True

    def take(self) -> dict[str, float]:
        """`PHASE_gpu_busy`, the mean of the readings since the last call; a phase without one is absent."""
        with self._lock:
            readings, self._readings = self._readings, {}
        return {f"{phase}_gpu_busy": sum(each) / len(each) for phase, each in readings.items()}

    def _watch(self) -> None:
        while not self._stop.wait(self._every_s) and self.sample():
            pass
