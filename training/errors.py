"""What can go wrong in training; apart from the modules that raise it, which take seconds to import."""

from __future__ import annotations


class ExamplesError(ValueError):
    """A dataset that a recipe can't train on; the message says what is missing."""


class TrainingError(RuntimeError):
    """A stage that failed; the message holds the end of its log and where the whole of it is."""


class EngineError(RuntimeError):
    """A rollout engine that can't be started or failed; the message says what to install or to do."""


class EngineMismatch(EngineError):
    """A rollout engine whose model is not the trainer's: its responses must not be trained on."""
