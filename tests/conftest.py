"""What every test may use: real servers, started once per session when first asked for; and which tests there are."""

from __future__ import annotations

import importlib.util

import pytest

from tests.services.postgres import postgres_server, postgres_tcp_server, postgres_url, reused_postgres_url
from tests.services.radosgw import radosgw

__all__ = ["postgres_server", "postgres_tcp_server", "postgres_url", "radosgw", "reused_postgres_url"]

HAS_VLLM = importlib.util.find_spec("vllm") is not None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of the optional vLLM belong to installations that have it, as the GPU extra does."""
    others = [item for item in items if item.get_closest_marker("vllm") is None]
    if not HAS_VLLM and len(others) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(others)])
        items[:] = others


def pytest_report_header() -> str:
    return "vLLM: " + ("installed" if HAS_VLLM else "not installed, its tests (marker vllm) are not run")
