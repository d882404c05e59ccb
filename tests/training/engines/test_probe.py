"""The probe catches an engine whose weights are not the trainer's, and passes one whose weights are."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from trl import GRPOConfig

from evaluation.sampler import Sample
from tests.training.engines.models import COMPLETIONS, FAMILIES, PROMPTS, TIED, tiny, update
from tests.training.tiny_data import tiny_recipe
from training import rl
from training.config import Recipe
from training.engines import Probe, RolloutEngine, difference_limit, open_engine, weights_of
from training.engines.generate import GenerateEngine
from training.engines.probe import NUM_PROMPTS, NUM_TOKENS
from training.engines.protocol import Ids
from training.engines.sampler import SamplerEngine
from training.errors import EngineMismatch
from training.metrics import read_metrics
from training.rl import grpo_arguments

PROBE = Probe(PROMPTS, COMPLETIONS, 1e-4)


class CopyEngine(SamplerEngine):
    """An engine with weights of its own, as vLLM has, which may forget some of them when it is synced."""

    def __init__(self, forgets: str = "", after: int = 0) -> None:
        super().__init__()
        self.forgets, self.after, self.num_syncs = forgets, after, 0

    def sync(self, model: PreTrainedModel) -> None:
        own = AutoModelForCausalLM.from_config(model.config).eval()
        own.load_state_dict(dict(weights_of(model)))
        if self.forgets == "head":  # a packed copy of the head, as vLLM's on the CPU
            own.lm_head.weight = torch.nn.Parameter(own.lm_head.weight.detach().clone())
        if self._sampler is not None and self.num_syncs >= self.after:
            before = self._sampler.model
            if self.forgets == "all":
                own = before
            elif self.forgets == "head":
                own.lm_head.weight = before.lm_head.weight
            elif self.forgets == "norm":
                own.model.norm.weight = before.model.norm.weight
        self.num_syncs += 1
        super().sync(own)


class StaleDecoding(SamplerEngine):
    """Scores by the new weights and decodes by the old ones, as with a cache of the old weights."""

    def __init__(self, old: PreTrainedModel) -> None:
        super().__init__()
        self.old = SamplerEngine()
        self.old.sync(old)

    def generate(self, *arguments: object, **named: object) -> list[list[Sample]]:
        return self.old.generate(*arguments, **named)  # type: ignore[arg-type]


class NanEngine(SamplerEngine):
    def logprobs(self, prompt_ids: Sequence[Ids], completion_ids: Sequence[Ids]) -> list[list[float]]:
        return [[float("nan")] * len(ids) for ids in completion_ids]


@pytest.mark.parametrize("tied", TIED)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("engine_class", [SamplerEngine, GenerateEngine, CopyEngine])
def test_a_right_engine_passes_after_every_sync(family: str, tied: bool, engine_class: type[RolloutEngine]) -> None:
    model, engine = tiny(family, tied), engine_class()
    for number in range(3):
        update(model, number)
        engine.sync(model)
        difference = PROBE.difference(engine, model)
        assert difference < 2e-5
        PROBE.check(difference, "any", number + 1)


@pytest.mark.parametrize("size", [0.02, 0.001])
@pytest.mark.parametrize("tied", TIED)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("forgets", ["all", "head", "norm"])
def test_stale_weights_are_caught(family: str, tied: bool, forgets: str, size: float) -> None:
    model, engine = tiny(family, tied), CopyEngine(forgets)
    engine.sync(model)
    assert PROBE.difference(engine, model) < 2e-5
    update(model, 1, size)
    engine.sync(model)
    difference = PROBE.difference(engine, model)
    with pytest.raises(EngineMismatch, match="update 2: the rollout engine 'copy' and the trainer's model differ"):
        PROBE.check(difference, "copy", 2)


def test_what_is_stale_in_decoding_only_is_caught() -> None:
    model = tiny("llama", True)
    engine = StaleDecoding(copy.deepcopy(model))
    update(model, 1)
    engine.sync(model)
    assert PROBE.difference(engine, model) > PROBE.limit


def test_a_number_that_is_none_is_caught() -> None:
    model = tiny("llama", True)
    engine = NanEngine()
    engine.sync(model)
    with pytest.raises(EngineMismatch, match="differ by inf"):
        PROBE.check(PROBE.difference(engine, model), "nan", 1)


def test_the_probe_doubts_no_dropout() -> None:
    model = tiny("llama", True)
    model.model.layers[0].self_attn.attention_dropout = 0.5
    model.train()
    engine = SamplerEngine()
    engine.sync(model)
    assert PROBE.difference(engine, model) < 2e-5
    assert model.training


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-4), ("bfloat16", 0.1)])
def test_the_limit_is_the_precisions_or_the_recipes(precision: str, limit: float) -> None:
    assert difference_limit(tiny_recipe(model__precision=precision)) == limit
    assert difference_limit(tiny_recipe(model__precision=precision, rl__max_engine_difference=0.5)) == 0.5


def test_the_probe_is_of_the_first_texts_cut_short() -> None:
    probe = Probe.of([(range(4), range(100))] * 9, 1.0)
    assert len(probe.prompt_ids) == NUM_PROMPTS
    assert [len(ids) for ids in probe.completion_ids] == [NUM_TOKENS] * NUM_PROMPTS


@pytest.mark.parametrize("engine", ["sampler", "transformers"])
def test_every_update_logs_the_difference(tmp_path: Path, dataset: Path, sft_folder: Path, engine: str) -> None:
    rl.run_rl(tiny_recipe(rl__engine=engine), dataset, sft_folder / "model", tmp_path, "local")
    rows = [row for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row]
    assert len(rows) == 4
    assert all(0 <= row["engine_difference"] < 1e-4 and row["sync_s"] > 0 for row in rows)


@pytest.mark.parametrize("forgets", ["all", "head"])
def test_a_run_stops_before_it_trains_on_a_stale_engine(
    tmp_path: Path, dataset: Path, sft_folder: Path, monkeypatch: pytest.MonkeyPatch, forgets: str
) -> None:
    def open_stale(recipe: object, tokenizer: object, config: PretrainedConfig) -> RolloutEngine:
        return CopyEngine(forgets, after=2)

    def with_decay(recipe: Recipe, folder: Path, num_processes: int) -> GRPOConfig:
        """The tiny model earns no reward, so that decay alone changes its weights."""
        args = grpo_arguments(recipe, folder, num_processes)
        args.weight_decay = 1.0
        return args

    monkeypatch.setattr(rl, "open_engine", open_stale)
    monkeypatch.setattr(rl, "grpo_arguments", with_decay)
    with pytest.raises(EngineMismatch, match=r"update 3: .* nothing was trained on its responses"):
        rl.run_rl(tiny_recipe(rl__learning_rate=0.01), dataset, sft_folder / "model", tmp_path, "local")
    rows = [row for row in read_metrics(tmp_path / "metrics.jsonl") if "loss" in row]
    assert [row["update"] for row in rows] == [1, 2]


def test_each_engine_of_a_recipe_opens() -> None:
    recipe = tiny_recipe(rl__engine="transformers")
    assert isinstance(open_engine(recipe, _NoTokenizer(), tiny("llama", True).config), GenerateEngine)  # type: ignore


class _NoTokenizer:
    pad_token_id = 1
