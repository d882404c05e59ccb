"""Fixtures shared with the tests of evaluation."""

from tests.evaluation.conftest import sandboxes, trace_of

__all__ = ["sandboxes", "trace_of"]
