"""Grading sampled ids: rewards, the tokens that earned them, and figures of an update."""

import dataclasses
import math

import pytest
from transformers import PreTrainedTokenizerFast

from execution.anchors import instrument
from execution.program import Program
from execution.sandbox import open_sandbox
from execution.traces import State
from tests.training.tiny_data import make_trace, tiny_recipe
from training.grading import Graded, grade
from training.rollout_metrics import num_positions, rollout_metrics
from training.tokenizer import encode

TRACE = make_trace([("a", "x + 1"), ("b", "a * 2")], 2)
STEP_A, STEP_B = "<reasoning>r</reasoning><print>a: 3</print>", "<reasoning>r</reasoning><print>b: 6</print>"
ANSWER = "<reasoning>r</reasoning><answer>6</answer>"


def graded(tokenizer: PreTrainedTokenizerFast, text: str, **options: bool) -> Graded:
    ids = [*encode(tokenizer, text), tokenizer.eos_token_id, tokenizer.pad_token_id]
    return grade("output", TRACE, ids, tokenizer, None, **options)


def test_a_right_response_and_its_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    one = graded(tokenizer, STEP_A + STEP_B + ANSWER)
    first = len(encode(tokenizer, STEP_A))
    assert one.text == STEP_A + STEP_B + ANSWER
    assert one.step_rewards == (1.0, 1.0)
    assert one.final_reward == 1.0
    assert one.spans == ((0, first), (first, first + len(encode(tokenizer, STEP_B))))
    assert one.all_correct
    assert one.judged


def test_a_missing_block_has_no_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    one = graded(tokenizer, STEP_A + ANSWER)
    assert one.step_rewards == (1.0, 0.0)
    assert one.spans[1] == (0, 0)
    assert one.final_reward == 0.0
    assert graded(tokenizer, STEP_A + ANSWER, format_gate=False).final_reward == 1.0


def test_a_surplus_block_earns_nothing_and_gates_the_answer(tokenizer: PreTrainedTokenizerFast) -> None:
    one = graded(tokenizer, STEP_A + STEP_B + STEP_B + ANSWER)
    assert one.step_rewards == (1.0, 1.0)
    assert len(one.spans) == 2
    assert one.final_reward == 0.0


def test_swapped_blocks_earn_nothing(tokenizer: PreTrainedTokenizerFast) -> None:
    assert graded(tokenizer, STEP_B + STEP_A + ANSWER).step_rewards == (0.0, 0.0)


@pytest.mark.parametrize("text", ["", "<print>", STEP_A[:-3], "<answer>", "\N{GRINNING FACE}", "</print>" * 3])
def test_malformed_and_truncated_responses_are_graded_without_error(
    tokenizer: PreTrainedTokenizerFast, text: str
) -> None:
    one = grade("output", TRACE, encode(tokenizer, text), tokenizer, None)
    assert one.final_reward == 0.0
    assert one.judged
    assert all(0 <= start <= end for start, end in one.spans)


def test_input_prediction_is_judged_against_the_run_of_its_own_input(tokenizer: PreTrainedTokenizerFast) -> None:
    # (x - 2) squared: 1 and 3 both give 1, by way of different states
    source = "def f(x):\n    a = x - 2\n    b = a * a\n    return b + 1\n"
    trace = dataclasses.replace(
        TRACE,
        program=Program(source, "f(3)"),
        instrumented=instrument(source).source,
        states=(State(0, "a", "a: 1"), State(1, "b", "b: 1"), State(2, "return_val", "return_val: 2")),
        result="2",
    )
    text = (
        "<reasoning>r</reasoning><input>1</input><reasoning>r</reasoning><print>a: -1</print>"
        "<reasoning>r</reasoning><print>b: 1</print><reasoning>r</reasoning><print>return_val: 2</print>"
        "<reasoning>r</reasoning><answer>2</answer>"
    )
    with open_sandbox("local") as sandbox:
        other = grade("input", trace, encode(tokenizer, text), tokenizer, sandbox)
        wrong = grade("input", trace, encode(tokenizer, text.replace(">1<", ">4<")), tokenizer, sandbox)
    assert other.step_rewards == (1.0, 1.0, 1.0)
    assert other.final_reward == 1.0
    assert wrong.final_reward == 0.0


def fake(steps: list[float], final: float, judged: bool = True, faults: tuple[str, ...] = ()) -> Graded:
    sequence = tuple(str(index) for index in range(len(steps)))
    return Graded("", tuple(steps), ((0, 1),) * len(steps), final, sequence, faults, judged, "")


def test_figures_of_an_update_by_hand() -> None:
    first = [fake([1, 1], 1), fake([1, 0], 0), fake([math.nan, math.nan], math.nan, judged=False)]
    second = [fake([0], 0, faults=("missing_answer",)), fake([0], 0), fake([0], 0)]
    tasks = ["output", "input", "input"] * 2
    figures = rollout_metrics(first + second, [10, 20, 30, 40, 50, 60], 3, tasks)
    assert figures["final_reward_output"] == 0.5
    assert figures["final_reward_input"] == 0.0
    assert figures["step_reward"] == pytest.approx(3 / 7)
    assert figures["final_reward"] == pytest.approx(1 / 5)
    assert figures["format"] == pytest.approx(4 / 5)
    # cells: (1, 1), (1, 0), (0, 0, 0): two of three have no variance, one is all right
    assert figures["zero_std_step"] == pytest.approx(2 / 3)
    assert figures["all_correct_step"] == pytest.approx(1 / 3)
    assert figures["zero_std_final"] == 0.5
    assert figures["all_correct_final"] == 0.0
    assert (figures["unjudged"], figures["rollouts"], figures["length"]) == (1, 6, 35)


def test_step_rewards_by_position_by_hand() -> None:
    group = [fake([1, 1, 0], 1), fake([1, 0], 0), fake([0, math.nan], 1), fake([1, 1, 1], math.nan, judged=False)]
    figures = rollout_metrics(group, [1] * 4, 4, positions=4)
    assert [figures[f"step_reward_{place}"] for place in (1, 2, 3, 4)] == [pytest.approx(2 / 3), 0.5, 0.0, None]
    assert [figures[f"num_steps_{place}"] for place in (1, 2, 3, 4)] == [3, 2, 1, 0]
    assert "step_reward_5" not in figures
    assert not any(key.startswith(("step_reward_", "num_steps")) for key in rollout_metrics(group, [1] * 4, 4))


@pytest.mark.parametrize(("most", "positions"), [(3, 3), (10, 10), (25, 10)])
def test_positions_are_those_of_the_recipe(most: int, positions: int) -> None:
    assert num_positions(tiny_recipe(slice__max_states=most)) == positions
