"""Metrics of a training run: one JSON line per update or held-out check, safe to read while it grows."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.loggers import Logger

Row = dict[str, Any]
ROLLOUTS = "rollouts.jsonl"  # of a stage's folder, see training.rollout_log


def read_metrics(path: Path) -> list[Row]:
    """All complete rows of a metrics file, in order; none where there is no file. A half-written end is left out."""
    if not path.exists():
        return []
    text = path.read_text("utf-8")
    complete = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in complete.splitlines() if line.strip()]


def last_held_out(path: Path) -> Row:
    """The figures of the last held-out check of a run, and of its first one as `start_…`."""
    checks = [row for row in read_metrics(path) if "held_out_step" in row]
    if not checks:
        return {}
    last = {key: value for key, value in checks[-1].items() if key.startswith("held_out_")}
    first = {f"start_{key}": value for key, value in checks[0].items() if key.startswith("held_out_")}
    return last | first


class MetricsFile:
    """Appends rows to a JSONL file, and hands their numbers to `loggers`; opened again after a kill it goes on from
    the update it is told."""

    def __init__(self, path: Path, loggers: Sequence[Logger] = ()) -> None:
        self.path = path
        self.loggers = loggers

    def keep_until(self, update: int) -> None:
        """Drop the rows after `update`, which a resumed run will write again; whole or not at all."""
        rows = [row for row in read_metrics(self.path) if row.get("update", 0) <= update]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text("".join(_line(row) for row in rows), "utf-8")
        temporary.replace(self.path)

    def append(self, row: Row) -> None:
        """Write one row; NaN and infinity, which JSON doesn't have, become null."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(row))
            file.flush()
        for logger in self.loggers:
            logger.log(row.get("update", 0), _numbers(row))

    def close(self) -> None:
        """Close the loggers; the file is closed after every row."""
        for logger in self.loggers:
            logger.close()


def _line(row: Row) -> str:
    return json.dumps({key: _plain(value) for key, value in row.items()}, allow_nan=False) + "\n"


def _numbers(row: Row) -> dict[str, float]:
    """The finite numbers of a row, named `stage/column`, without those that only number it."""
    stage = row.get("stage", "train")
    return {
        f"{stage}/{key}": float(value)
        for key, value in row.items()
        if isinstance(value, int | float) and math.isfinite(value) and key not in ("update", "updates")
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


class Follower:
    """Reads the rows that were added to a metrics file since the last look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._identity: tuple[int, int] | None = None

    def new_rows(self) -> list[Row]:
        """Complete rows not seen yet; a file that was replaced (a resumed run) is read from its start."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                identity = (status.st_dev, status.st_ino)
                if identity != self._identity or status.st_size < self._offset:
                    self._identity, self._offset = identity, 0
                file.seek(self._offset)
                added = file.read()
        except FileNotFoundError:
            return []
        complete = added[: added.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [json.loads(line) for line in complete.splitlines() if line.strip()]
