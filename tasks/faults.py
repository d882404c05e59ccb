"""Faults that a person can mend: shown as their message, without a traceback; everything else is a bug."""

from __future__ import annotations

import logging

from corpus.sources import SourceError
from datastore.errors import StoreError
from evaluation.benchmark_files import BenchmarkError
from evaluation.endpoint import EndpointError
from evaluation.policy import PolicyError
from execution.sandbox import SandboxError
from infra.services import ServiceError
from infra.settings import SettingsError
from tasks.errors import (
    BenchmarksMissing,
    DataRejected,
    EvaluationError,
    NothingToCompare,
    NothingToExplain,
    WorkerLost,
)
from training.config import RecipeError
from training.errors import ExamplesError, TrainingError

MENDABLE: tuple[type[Exception], ...] = (
    BenchmarkError,
    BenchmarksMissing,
    DataRejected,
    EndpointError,
    EvaluationError,
    ExamplesError,
    NothingToCompare,
    NothingToExplain,
    PolicyError,
    RecipeError,
    SandboxError,
    ServiceError,
    SettingsError,
    SourceError,
    StoreError,
    TrainingError,
    WorkerLost,
)


class _MessageOnly(logging.Filter):
    """Drops the traceback of a mendable fault from Prefect's log of a failed run."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, MENDABLE):
            record.exc_info, record.exc_text = None, None
            record.msg, record.args = f"{type(error).__name__}: {error}", ()
        return True


def show_messages_only() -> None:
    """Have Prefect log mendable faults as one line."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_MessageOnly())
