"""What the process of a flow loads before it has anything to do: its commands wait for that."""

from __future__ import annotations

import pytest

from tests.services.processes import start_python

HEAVY = {"torch", "transformers", "trl", "datasets", "vllm", "great_expectations"}


@pytest.mark.parametrize("flow", ["refresh_data", "train_bilevel", "evaluate_model", "rollback_model"])
def test_a_flow_starts_without_what_runs_models(flow: str) -> None:
    with start_python(f"import sys, flows.{flow}; print(*sys.modules)") as process:
        loaded, _ = process.communicate()
    assert process.returncode == 0
    assert {"prefect", f"flows.{flow}"} <= set(loaded.split())
    assert not HEAVY & set(loaded.split())
