"""What can go wrong in the tasks; apart from the modules that raise it, which take seconds to import."""

from __future__ import annotations


class WorkerLost(RuntimeError):
    """A piece of work took its worker down on every try; the message names it."""


class DataRejected(RuntimeError):
    """The traces do not meet the suite; the message names the checks that failed and the page that shows them."""


class BenchmarksMissing(RuntimeError):
    """The benchmarks folder that was named is not there."""


class EvaluationError(RuntimeError):
    """An evaluation that can't be made as asked; the message says why and what to do."""


class NothingToCompare(RuntimeError):
    """Two evaluations that can't be held against each other; the message says why and what would do."""


class NothingToExplain(RuntimeError):
    """A rollout that was not logged; the message says which were."""
