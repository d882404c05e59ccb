"""What a running step tells people: lines, a bar in the terminal, and a live Prefect progress artifact."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging import get_run_logger
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

UPDATE_EVERY_S = 2.0
_console: Console | None = None


def use_console(console: Console | None) -> None:
    """Show lines and bars on this console too (the command line does; a worker has only the run's log)."""
    global _console
    _console = console


def tell(line: str) -> None:
    """One line for whoever watches: the console, where there is one, and the run's log."""
    if _console is not None:
        _console.print(line, highlight=False, markup=False)
    if TaskRunContext.get() or FlowRunContext.get():
        get_run_logger().info(line)


class Progress:
    """Where one piece of work stands; `update` is cheap to call often."""

    def __init__(self, label: str, total: int, artifact_id: UUID | None, bars: Bars | None) -> None:
        self.label, self.total = label, max(1, total)
        self._artifact_id, self._bars = artifact_id, bars
        self._task = bars.add_task(label, total=self.total, note="") if bars else None
        self._started = self._written = time.monotonic()

    def update(self, done: float, note: str = "") -> None:
        """Set what is done so far, in units of `total`, with a short remark (a rate, a loss)."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=done, note=note)
        now = time.monotonic()
        if self._artifact_id is not None and (now - self._written >= UPDATE_EVERY_S or done >= self.total):
            self._written = now
            text = f"{self.label}: {done:,.0f} of {self.total:,} {note}".strip()
            update_progress_artifact(
                artifact_id=self._artifact_id, progress=min(100.0, 100 * done / self.total), description=text
            )

    def rate(self, done: float) -> float:
        """Units per second so far."""
        return done / max(1e-9, time.monotonic() - self._started)

    def pace(self, done: float, unit: str = "items", before: float = 0.0) -> str:
        """Rate and remaining time so far, for `update`; `before` units were there when the work began."""
        return pace(done - before, self.total - before, time.monotonic() - self._started, unit)


def pace(done: float, total: float, elapsed_s: float, unit: str = "items") -> str:
    """Rate and remaining time when `done` of `total` units took `elapsed_s` seconds: `12.3 items/s, 4 min left`.

    Empty before the first is done. Below one in ten seconds the rate is per minute. The time left is rounded up.
    """
    if done <= 0 or elapsed_s <= 0:
        return ""
    rate = done / elapsed_s
    said = f"{60 * rate:.2g} {unit}/min" if rate < 0.1 else f"{rate:,.{0 if rate >= 100 else 1}f} {unit}/s"
    left_s = (total - done) / rate
    if left_s <= 0:
        return said
    if left_s < 90:
        return f"{said}, {math.ceil(left_s)} s left"
    minutes = math.ceil(left_s / 60)
    return f"{said}, {minutes} min left" if minutes < 90 else f"{said}, {minutes // 60} h {minutes % 60} min left"


@contextmanager
def progress(key: str, label: str, total: int) -> Iterator[Progress]:
    """A Progress shown in the terminal (where there is one) and as the Prefect artifact `key` (inside a run)."""
    artifact_id = None
    if TaskRunContext.get() or FlowRunContext.get():
        artifact_id = create_progress_artifact(progress=0.0, key=key, description=f"{label}: 0 of {total:,}")
    if _console is None or not _console.is_terminal:
        yield Progress(label, total, artifact_id, None)  # type: ignore[arg-type]
        return
    columns = (
        TextColumn("  {task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bars(*columns, console=_console, transient=True) as bars:
        yield Progress(label, total, artifact_id, bars)  # type: ignore[arg-type]
