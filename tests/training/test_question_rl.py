"""White-box questions about the trace as a task of RL: ExecVerify's next statement and variable, and REval's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from datasets import Dataset

from execution.observe import observe
from execution.program import Program
from execution.sandbox import open_sandbox
from execution.traces import Trace
from tests.training.test_bilevel import scripted
from tests.training.tiny_data import tiny_recipe
from training.bilevel import BiLevelTrainer
from training.config import RecipeError, load_recipe
from training.examples import Encoded, question_examples, rl_examples, sft_examples
from training.grading import grade_question
from training.model import load_tokenizer
from training.rl import grpo_arguments
from training.tokenizer import encode
from training.trace_pool import Traces

SOURCE = "def f(x):\n    a = x + 1\n    if a > 2:\n        a = a * 2\n    b = a - x\n    return b\n"
BOTH = ["next_statement", "variable"]


@pytest.fixture(scope="module")
def traces() -> Traces:
    with open_sandbox("local") as first, open_sandbox("local", hash_seed=1) as second:
        found = observe([Program(SOURCE, f"f({x})", "test", 1) for x in range(6)], (first, second))
    return Traces.of([one for one in found if isinstance(one, Trace)])


def test_both_kinds_of_question_are_asked_and_answered_rightly(traces: Traces, sft_folder: Path) -> None:
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    recipe = tiny_recipe(slice__question_tasks=BOTH)
    examples = [example for trace in traces for example in question_examples(recipe, trace, 2)]
    assert {example.task for example in examples} == set(BOTH)
    for example in examples:
        assert example.question is not None
        right = grade_question(example.question, encode(tokenizer, example.response), tokenizer)
        assert (right.final_reward, right.step_rewards, right.reason) == (1.0, (), "right")
        wrong = grade_question(example.question, encode(tokenizer, "<answer>no</answer>"), tokenizer)
        assert (wrong.final_reward, wrong.judged) == (0.0, True)


def test_shares_of_rl_prompts(traces: Traces, sft_folder: Path) -> None:
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    recipe = tiny_recipe(
        slice__question_tasks=BOTH,
        slice__rl_questions=0.5,
        slice__rl_input=0.25,
        rl__updates=5,
        rl__prompts_per_update=8,
    )
    tasks = Counter(row.example.task for row in rl_examples(recipe, tokenizer, traces))
    assert tasks["input"] == 10
    assert tasks["output"] == 10
    assert tasks["next_statement"] + tasks["variable"] == 20
    assert min(tasks.values()) > 5


def test_sft_shows_the_kinds_that_the_recipe_names(traces: Traces) -> None:
    recipe = tiny_recipe(slice__question_tasks=BOTH, slice__questions=0.5, slice__output=0.5, slice__input=0.0)
    assert set(sft_examples(recipe, traces)) == {"output", *BOTH}
    recipe = tiny_recipe(slice__questions=0.5, slice__output=0.5, slice__input=0.0)
    assert set(sft_examples(recipe, traces)) == {"output", "coverage", "state", "path"}


def test_shares_above_one_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"rl_input, rl_questions and rl_code are shares and sum to 1\.2"):
        load_recipe("tiny", {"slice.rl_questions": 1.0, "slice.rl_input": 0.2})


def test_an_answer_has_its_terminal_advantage_on_every_token(traces: Traces, tmp_path: Path, sft_folder: Path) -> None:
    torch.set_num_threads(1)
    recipe = tiny_recipe(slice__question_tasks=BOTH, rl__prompts_per_update=1, rl__updates=1)
    example = question_examples(recipe, traces[0], 1)[0]
    tokenizer = load_tokenizer(str(sft_folder / "model"))
    trainer = BiLevelTrainer(
        recipe=recipe,
        examples=[Encoded(example, (), ())],
        sandbox=None,
        model=str(sft_folder / "model"),
        args=grpo_arguments(recipe, tmp_path),
        train_dataset=Dataset.from_dict({"prompt": [example.prompt], "example": [0]}),
        processing_class=tokenizer,
        rollout_func=scripted(recipe, [example.response, "<answer>0; int</answer>", "<answer>"]),
    )
    trainer.model.train()
    output = trainer._generate_and_score_completions([trainer.train_dataset[0]] * 3)
    for row, expected in enumerate([2**0.5, -(0.5**0.5), -(0.5**0.5)]):
        length = int(output["completion_mask"][row].sum())
        assert output["advantages"][row, :length].tolist() == pytest.approx([expected] * length, abs=1e-4)
    assert trainer.row()[f"final_reward_{example.task}"] == pytest.approx(1 / 3)
