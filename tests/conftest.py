"""What every test may use: real servers, started once per session when first asked for; and which tests there are."""

from __future__ import annotations

import importlib.util

import pytest

from tests.services.postgres import postgres_server, postgres_tcp_server, postgres_url, reused_postgres_url
from tests.services.prefect import prefect_api
from tests.services.radosgw import radosgw

__all__ = ["postgres_server", "postgres_tcp_server", "postgres_url", "prefect_api", "radosgw", "reused_postgres_url"]

OPTIONAL = ("vllm", "deepspeed", "wandb", "mlflow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `optional(PACKAGE)` belong to installations that have it: the project works without. Files with slow
    tests come first, so that where several processes share the files, none is left with a long one at the end."""
    absent = [item for item in items if not all(map(_installed, _wanted(item)))]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in set(absent)]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_report_header() -> str:
    told = (f"{name} {'is' if _installed(name) else 'is not'} installed" for name in OPTIONAL)
    return "optional packages, whose tests are run where they are: " + ", ".join(told)


def _wanted(item: pytest.Item) -> list[str]:
    return [mark.args[0] for mark in item.iter_markers("optional")]


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
