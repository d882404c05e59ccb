"""Equations 8-15 of arXiv 2605.11922 against values worked by hand."""

import math

import pytest
import torch

from training.advantages import (
    centred,
    final_advantage,
    group_advantage,
    intra_advantage,
    response_reward,
    step_advantage,
    token_advantages,
)

NAN = math.nan


def column(*rewards: float) -> torch.Tensor:
    """One prompt, one anchor, a reward per rollout: (1, G, 1)."""
    return torch.tensor(rewards)[None, :, None]


def row(*rewards: float) -> torch.Tensor:
    """One prompt, one rollout, a reward per anchor: (1, 1, N)."""
    return torch.tensor(rewards)[None, None, :]


def test_group_advantage_of_two_right_in_five() -> None:
    # mean 0.4, population variance (2 * 0.36 + 3 * 0.16) / 5 = 0.24, deviation 0.4898979
    got = group_advantage(column(1, 1, 0, 0, 0), epsilon=0.0)[0, :, 0]
    assert got.tolist() == pytest.approx([1.2247449, 1.2247449, -0.8164966, -0.8164966, -0.8164966])


def test_group_advantage_uses_the_population_deviation() -> None:
    # two rollouts: population deviation 0.5 gives 1; the sample deviation would give 0.7071
    assert group_advantage(column(1, 0), epsilon=0.0)[0, :, 0].tolist() == pytest.approx([1.0, -1.0])


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1 / 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equal_rewards_give_exactly_zero(value: float, dtype: torch.dtype) -> None:
    # five times 0.1 has a float mean that differs from 0.1: decided by equality, not by a small deviation
    assert group_advantage(column(*[value] * 5).to(dtype)).tolist() == torch.zeros(1, 5, 1).tolist()


def test_missing_cells_enter_no_mean_and_get_zero() -> None:
    # over the three valid cells: mean 1/3, deviation sqrt(2)/3
    got = group_advantage(column(1, NAN, 0, 0, NAN), epsilon=0.0)[0, :, 0]
    assert got.tolist() == pytest.approx([math.sqrt(2), 0.0, -math.sqrt(0.5), -math.sqrt(0.5), 0.0])


def test_rollouts_are_compared_only_with_the_same_anchor_sequence() -> None:
    # inputs a a b b c: {1, 0} and {0, 1} are normalised apart; the one alone gets nothing
    sequence_PG = torch.tensor([[0, 0, 1, 1, 2]])
    got = group_advantage(column(1, 0, 0, 1, 1), sequence_PG, epsilon=0.0)[0, :, 0]
    assert got.tolist() == pytest.approx([1.0, -1.0, -1.0, 1.0, 0.0])


def test_intra_advantage_of_six_anchors() -> None:
    # r = 1 1 0 1 1 1: later means 4/5, 3/4, (not right), 2/2, 1/1, and no future at the last
    got = intra_advantage(row(1, 1, 0, 1, 1, 1))[0, 0]
    assert got.tolist() == pytest.approx([1.8, 1.75, 0.0, 2.0, 2.0, 1.0])


def test_intra_advantage_counts_only_anchors_that_exist() -> None:
    # two anchors and padding: the first has one later anchor, wrong; the second has none
    assert intra_advantage(row(1, 0, NAN, NAN))[0, 0].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert intra_advantage(row(1, NAN, NAN))[0, 0].tolist() == [1.0, 0.0, 0.0]


def test_intra_advantage_stays_positive_where_all_are_right() -> None:
    """The constant push that the paper leaves open: no variance, yet credit, unless it is centred."""
    reward_PGN = torch.ones(1, 5, 2)
    assert step_advantage(reward_PGN, 0.3)[0, 0].tolist() == pytest.approx([0.6, 0.3])
    assert step_advantage(reward_PGN, 0.3, center_intra=True).abs().max() == 0


def test_centring_takes_the_mean_over_comparable_cells() -> None:
    reward_PGN = torch.tensor([[[1.0], [0.0], [NAN], [1.0]]])
    sequence_PG = torch.tensor([[0, 0, 0, 1]])
    got = centred(intra_advantage(reward_PGN), reward_PGN, sequence_PG)[0, :, 0]
    assert got.tolist() == [0.5, -0.5, 0.0, 0.0]


def test_bilevel_advantage_by_hand() -> None:
    # two anchors, G = 2: rollout 0 right twice, rollout 1 right only at first
    reward_PGN = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    # A_group: anchor 0 equal -> 0; anchor 1 -> +1, -1. A_intra: (2, 1) and (1, 0). lambda 0.3
    got = step_advantage(reward_PGN, 0.3)[0]
    assert got[0].tolist() == pytest.approx([0.6, 1.3], abs=1e-5)
    assert got[1].tolist() == pytest.approx([0.3, -1.0], abs=1e-5)


def test_lambda_zero_is_step_grpo() -> None:
    reward_PGN = torch.tensor([[[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]])
    assert torch.equal(step_advantage(reward_PGN, 0.0), group_advantage(reward_PGN))


def test_final_advantage_leaves_out_what_could_not_be_judged() -> None:
    got = final_advantage(torch.tensor([[1.0, 0.0, NAN], [1.0, 1.0, 1.0]]))
    assert got[0].tolist() == pytest.approx([1.0, -1.0, 0.0], abs=1e-5)
    assert got[1].tolist() == [0.0, 0.0, 0.0]


def test_every_token_gets_its_own_steps_advantage_and_the_final_one() -> None:
    # tokens 0-2 are step 0, 3-4 step 1, 5-6 the answer, 7 padding; rollout 1 has no second block
    step_BN = torch.tensor([[0.5, -1.0], [0.25, -2.0]])
    start_BN = torch.tensor([[0, 3], [0, 2]])
    end_BN = torch.tensor([[3, 5], [2, 2]])
    mask_BT = torch.tensor([[1, 1, 1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 0, 0, 0]])
    got = token_advantages(step_BN, start_BN, end_BN, torch.tensor([1.0, -0.5]), mask_BT)
    assert got[0].tolist() == [1.5, 1.5, 1.5, 0.0, 0.0, 1.0, 1.0, 0.0]
    assert got[1].tolist() == [-0.25, -0.25, -0.5, -0.5, 0.0, 0.0, 0.0, 0.0]


def test_step_mean_shares_a_steps_advantage_among_its_tokens() -> None:
    got = token_advantages(
        torch.tensor([[1.0]]),
        torch.tensor([[1]]),
        torch.tensor([[5]]),
        torch.tensor([0.0]),
        torch.ones(1, 6),
        step_mean=True,
    )
    assert got[0].tolist() == [0.0, 0.25, 0.25, 0.25, 0.25, 0.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_advantages_are_added_in_float32(dtype: torch.dtype) -> None:
    # 2 + 1/128, and 1/128 shared by four tokens: in bfloat16 both are 2
    step_BN, final_B = torch.tensor([[1 / 128, 1 / 32]], dtype=dtype), torch.tensor([2.0], dtype=dtype)
    start_BN, end_BN, mask_BT = torch.tensor([[0, 1]]), torch.tensor([[1, 5]]), torch.ones(1, 5, dtype=dtype)
    got = token_advantages(step_BN, start_BN, end_BN, final_B, mask_BT, step_mean=True)
    assert got.dtype == torch.float32
    assert got.tolist() == [[2.0078125] * 5]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_centre_is_taken_in_float32(dtype: torch.dtype) -> None:
    # the mean of 2, 1 and 1 is 4/3
    got = centred(column(2, 1, 1).to(dtype), column(1, 1, 1).to(dtype))
    assert got.dtype == torch.float32
    assert got.flatten().tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3], abs=1e-6)


def test_a_fully_right_response_scores_two() -> None:
    """Appendix D: the steps share a budget of 1 (about 0.16 each of six), the answer is worth 1."""
    steps = torch.tensor([[1.0] * 6, [1, 1, 1, 1, 1, 0], [0.0] * 6, [1.0, 0.0] + [NAN] * 4])
    got = response_reward(steps, torch.tensor([1.0, 1.0, 0.0, 1.0]))
    assert got.tolist() == pytest.approx([2.0, 1.8333333, 0.0, 1.5])


def test_no_anchors_give_empty_step_advantages() -> None:
    assert step_advantage(torch.zeros(2, 5, 0), 0.3).shape == (2, 5, 0)
    empty = torch.zeros(1, 0)
    got = token_advantages(empty, empty.long(), empty.long(), torch.tensor([2.0]), torch.ones(1, 3))
    assert got.tolist() == [[2.0, 2.0, 2.0]]


# Five rollouts of six anchors: the second has one wrong step, the third three, the fourth the last; the fifth only
# the first right. Its answer and the third's are wrong.
STEPS_GN = [
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    [1.0, 1.0, 0.0, 1.0, 1.0, 1.0],
    [1.0, 0.0, 0.0, 0.0, 1.0, 1.0],
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
]
FINAL_G = [1.0, 1.0, 0.0, 1.0, 0.0]
# k of five right: deviation sqrt(p (1 - p)), so a right one gets sqrt((1 - p) / p), a wrong one -sqrt(p / (1 - p))
S, W = math.sqrt(2 / 3), math.sqrt(3 / 2)  # of 3 in 5: S and -W; of 2 in 5: W and -S; of 4 in 5: 1/2 and -2


def test_appendix_d_group_advantages() -> None:
    # anchors have 5, 3, 2, 3, 4 and 3 right
    expected = [
        [0, S, W, S, 0.5, S],
        [0, S, -S, S, 0.5, S],
        [0, -W, -S, -W, 0.5, S],
        [0, S, W, S, 0.5, -W],
        [0, -W, -S, -W, -2, -W],
    ]
    got = group_advantage(torch.tensor([STEPS_GN]), epsilon=0.0)[0]
    assert got.flatten().tolist() == pytest.approx([value for one in expected for value in one], abs=1e-6)


def test_appendix_d_intra_advantages() -> None:
    # one plus the share of right ones among the later: 1 1 0 1 1 1 has 4/5, 3/4, -, 2/2, 1/1, none
    expected = [
        [2, 2, 2, 2, 2, 1],
        [9 / 5, 7 / 4, 0, 2, 2, 1],
        [7 / 5, 0, 0, 0, 2, 1],
        [9 / 5, 7 / 4, 5 / 3, 3 / 2, 1, 0],
        [1, 0, 0, 0, 0, 0],
    ]
    got = intra_advantage(torch.tensor([STEPS_GN]))[0]
    assert got.flatten().tolist() == pytest.approx([value for one in expected for value in one])


def test_appendix_d_advantages_of_steps_and_answers() -> None:
    # A_group + 0.3 * A_intra
    expected = [
        [0.6, S + 0.6, W + 0.6, S + 0.6, 1.1, S + 0.3],
        [0.54, S + 0.525, -S, S + 0.6, 1.1, S + 0.3],
        [0.42, -W, -S, -W, 1.1, S + 0.3],
        [0.54, S + 0.525, W + 0.5, S + 0.45, 0.8, -W],
        [0.3, -W, -S, -W, -2, -W],
    ]
    got = step_advantage(torch.tensor([STEPS_GN]), 0.3)[0]
    assert got.flatten().tolist() == pytest.approx([value for one in expected for value in one], abs=1e-4)
    assert final_advantage(torch.tensor([FINAL_G]))[0].tolist() == pytest.approx([S, S, -W, S, -W], abs=1e-4)


def test_appendix_d_reward_per_response() -> None:
    """The steps share a budget of 1, 1/6 each; the answer is worth 1: from 0 to 2."""
    got = response_reward(torch.tensor(STEPS_GN), torch.tensor(FINAL_G))
    assert got.tolist() == pytest.approx([2, 1 + 5 / 6, 3 / 6, 1 + 5 / 6, 1 / 6])
