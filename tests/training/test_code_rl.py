"""Programs to write as a task of SFT and RL: where problems come from, which are used, and whole tiny updates."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset

from evaluation.code_problems import passes_hidden
from evaluation.unit_tests import PROGRAM_LIMITS
from execution.sandbox import open_sandbox
from tests.training.test_bilevel import scored, scripted
from tests.training.tiny_data import make_trace, tiny_recipe
from training.bilevel import BiLevelTrainer
from training.code_examples import (
    code_example,
    held_out_problems,
    problems_of,
    read_problems,
    rl_code_examples,
    sft_code_examples,
)
from training.config import RecipeError
from training.engines import Probe
from training.errors import ExamplesError
from training.examples import Encoded, rl_examples, training_traces
from training.metrics import read_metrics
from training.model import load_tokenizer
from training.rl import grpo_arguments, run_rl
from training.sft import run_sft
from training.start_drift import StartDrift
from training.tokenizer import encode
from training.trace_pool import Traces

ADD = {"prompt": "Add one.", "tests": ["assert f(1) == 2", "assert f(5) == 6"], "entry_point": "f"}
SOLVED = {**ADD, "prompt": "Add one, please.", "reference": "def f(x):\n    return x + 1\n"}
WRONG = {**ADD, "prompt": "Add two.", "reference": "def f(x):\n    return x + 2\n"}
CODE_ONLY = {"slice__rl_code": 1.0, "rl__max_completion_tokens": 32}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_problems_of_the_corpus_are_one_per_source(dataset: Path) -> None:
    traces = training_traces(tiny_recipe(), dataset, "rl")
    problems = list(problems_of(tiny_recipe(), traces, "code"))
    assert len({one.cluster for one in problems}) == len(problems) == len(set(traces.source_ids))
    assert problems == list(problems_of(tiny_recipe(), traces, "code"))


def test_problems_of_a_file(tmp_path: Path, dataset: Path, sft_folder: Path) -> None:
    recipe = tiny_recipe(slice__problems=str(write(tmp_path / "problems.jsonl", [ADD, SOLVED, WRONG])), **CODE_ONLY)
    traces = training_traces(recipe, dataset, "rl")
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    with open_sandbox("bubblewrap", 0, PROGRAM_LIMITS) as sandbox:
        examples = rl_code_examples(recipe, tokenizer, traces, sandbox)
    assert {one.example.problem.text for one in examples if one.example.problem} == {"Add one.", "Add one, please."}
    sft = tiny_recipe(slice__output=0.5, slice__code=0.3, slice__problems=recipe.slice.problems)
    [taught] = [one for one in sft_code_examples(sft, traces)["code"] if "please" in one.prompt]
    assert taught.response == "<answer>\ndef f(x):\n    return x + 1\n</answer>"
    assert len(sft_code_examples(sft, traces)["code"]) == 2, "without a reference there is nothing to teach"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"prompt": "p", "tests": ["assert f(1) == 2"]}, "entry_point"),
        ({**ADD, "tests": []}, "no tests"),
        ({**ADD, "tests": ["assert f(1) == g(2)"]}, "does not compare|no literal"),
    ],
)
def test_a_line_that_is_no_problem_is_named(tmp_path: Path, row: dict[str, Any], words: str) -> None:
    path = write(tmp_path / "problems.jsonl", [ADD, row])
    with pytest.raises(ExamplesError, match=f"line 2.*({words})"):
        read_problems(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExamplesError, match=r"no file at .*none\.jsonl"):
        read_problems(tmp_path / "none.jsonl")


def test_shares_are_checked() -> None:
    with pytest.raises(RecipeError, match="must sum to 1"):
        tiny_recipe(slice__code=0.5)
    with pytest.raises(RecipeError, match="above 1"):
        tiny_recipe(slice__rl_code=0.7, slice__rl_input=0.4)


def test_prompts_are_shared_out_and_repeated(dataset: Path, sft_folder: Path) -> None:
    recipe = tiny_recipe(slice__rl_code=0.5, slice__rl_input=0.25)
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    traces = training_traces(recipe, dataset, "rl")
    with open_sandbox("bubblewrap", 0, PROGRAM_LIMITS) as sandbox:
        code = rl_code_examples(recipe, tokenizer, traces, sandbox)
    tasks = [one.example.task for one in rl_examples(recipe, tokenizer, traces, code[:1])]
    assert sorted(tasks) == ["code"] * 4 + ["input"] * 2 + ["output"] * 2


def test_held_out_problems_are_of_held_out_programs(dataset: Path, sft_folder: Path) -> None:
    recipe = tiny_recipe(evaluation__held_out_programs=5)
    with open_sandbox("bubblewrap", 0, PROGRAM_LIMITS) as sandbox:
        found = held_out_problems(recipe, dataset, sft_folder / "model", sandbox)
    trained = {source for stage in ("sft", "rl") for source in training_traces(recipe, dataset, stage).source_ids}  # type: ignore[arg-type]
    assert 0 < len(found) <= 5
    assert not trained & {one.cluster for one in found}
    assert all(passes_hidden(one, [True] * len(one.tests)) for one in found)


def test_every_token_of_a_program_has_its_terminal_advantage(tmp_path: Path, sft_folder: Path) -> None:
    """Rewards 1.05 (right), 0.55 (one of two tests), 0: each response's tokens share one normalised value."""
    recipe = tiny_recipe(rl__prompts_per_update=1, slice__rl_code=1.0)
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    path = write(tmp_path / "problems.jsonl", [ADD])
    example = code_example(recipe, read_problems(path)[0])
    programs = ["return x + 1", "return 2", "return 0"]
    texts = [f"<reasoning>r</reasoning><answer>\ndef f(x):\n    {one}\n</answer>" for one in programs]
    with open_sandbox("bubblewrap", 0, PROGRAM_LIMITS) as sandbox:
        trainer = BiLevelTrainer(
            recipe=recipe,
            examples=[Encoded(example, (), ())] * 4,
            sandbox=None,
            code_sandbox=sandbox,
            model=str(sft_folder / "model"),
            args=grpo_arguments(recipe, tmp_path),
            train_dataset=Dataset.from_dict({"prompt": [example.prompt] * 4, "example": list(range(4))}),
            processing_class=tokenizer,
            rollout_func=scripted(recipe, texts),
        )
        advantages = scored(trainer)["advantages"]
    rewards = (1.05, 0.55, 0.0)
    mean = sum(rewards) / 3
    deviation = math.sqrt(sum((one - mean) ** 2 for one in rewards) / 3)
    for row, (text, reward) in enumerate(zip(texts, rewards, strict=True)):
        length = len(encode(tokenizer, text)) + 1
        assert advantages[row, :length].tolist() == pytest.approx([(reward - mean) / deviation] * length, abs=1e-3)
        assert not advantages[row, length:].any()
    assert trainer.row()["final_reward_code"] == pytest.approx(mean)


def test_sft_and_rl_train_on_programs(tmp_path: Path, dataset: Path) -> None:
    torch.set_num_threads(1)
    recipe = tiny_recipe(slice__output=0.5, slice__code=0.3, slice__rl_code=0.5, rl__prompts_per_update=2)
    summary = run_sft(recipe, dataset, tmp_path / "sft")
    assert summary["num_examples"]["code"] > 0
    done = run_rl(recipe, dataset, tmp_path / "sft" / "model", tmp_path / "rl")
    assert done["num_prompts"] == {"code": 4, "output": 4}
    rows = [row for row in read_metrics(tmp_path / "rl" / "metrics.jsonl") if "final_reward_code" in row]
    assert len(rows) == 4
    assert all(0 <= row["final_reward_code"] <= 1.05 and row["unjudged"] == 0 for row in rows)


def test_an_update_on_programs_alone_raises_the_likelihood_of_what_passed(
    tmp_path: Path, dataset: Path, sft_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    path = write(tmp_path / "problems.jsonl", [ADD])
    right = "<reasoning>r</reasoning><answer>\ndef f(x):\n    return x + 1\n</answer>"
    texts = [right, right.replace("+ 1", "* 3"), right.replace("<answer>", "")] * 2
    recipe = tiny_recipe(
        slice__problems=str(path),
        rl__updates=1,
        rl__learning_rate=1e-3,
        rl__schedule="constant",
        rl__warmup_share=0.0,
        **CODE_ONLY,
    )

    class Scripted:
        def __init__(self, *given: Any) -> None:
            self.figures: dict[str, float] = {}
            self.drift = StartDrift(Probe((), (), 0.0))
            self.rollouts = scripted(recipe, texts)

        def __call__(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
            return self.rollouts(prompts, trainer)

        def close(self) -> None: ...

    monkeypatch.setattr("training.rl.EngineRollouts", Scripted)
    run_rl(recipe, dataset, sft_folder / "model", tmp_path / "rl")
    [row] = [row for row in read_metrics(tmp_path / "rl" / "metrics.jsonl") if "final_reward_code" in row]
    assert row["final_reward_code"] == pytest.approx(1.05 / 3)
    before, after = (likelihood(folder, right) for folder in (sft_folder / "model", tmp_path / "rl" / "model"))
    assert after > before


def likelihood(folder: Path, response: str) -> float:
    """Log-likelihood of a response to the problem ADD, in nats."""
    from training.model import load_model

    model, tokenizer = load_model(str(folder)), load_tokenizer(str(folder))
    prompt, ids = encode(tokenizer, "<task:code>\nAdd one.\n"), encode(tokenizer, response)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt + ids])).logits[0]
    logps = logits.log_softmax(-1)
    return float(sum(logps[len(prompt) - 1 + place, one] for place, one in enumerate(ids)))


def test_traces_of_a_source_stay_together() -> None:
    traces = [make_trace([("a", expression)], x) for expression in ("x + 1", "x * 3") for x in (1, 2)]
    drawn = list(Traces.of(traces).drawn_sources(0, "any"))
    assert sorted(len(one) for one in drawn) == [2, 2]
    assert all(len({trace.program.source_id for trace in one}) == 1 for one in drawn)
