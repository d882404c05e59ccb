"""RL with vLLM's engines: whole updates, in the trainer's process and through a Ray actor, tied and untied models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.tiny_data import tiny_recipe
from training.metrics import read_metrics
from training.rl import run_rl
from training.sft import run_sft


@pytest.mark.optional("vllm")
@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("engine", ["vllm", "vllm_actor"])
def test_updates_go_on_from_what_vllm_sampled(tmp_path: Path, dataset: Path, engine: str, tied: bool) -> None:
    sizes = {"model__hidden_size": 64, "model__tie_embeddings": tied}  # heads of 32, the least that vLLM takes
    recipe = tiny_recipe(**sizes, rl__engine=engine, rl__updates=3)
    run_sft(recipe, dataset, tmp_path / "sft")
    run_rl(recipe, dataset, tmp_path / "sft" / "model", tmp_path / "rl", "local")
    updates = [row for row in read_metrics(tmp_path / "rl" / "metrics.jsonl") if "loss" in row]
    assert [row["update"] for row in updates] == [1, 2, 3]
    assert all(0 <= row["engine_difference"] < 1e-4 for row in updates)
    assert all(row["generated_tokens"] > 0 for row in updates)
