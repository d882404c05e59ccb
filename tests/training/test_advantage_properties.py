"""Properties of the advantages of Bi-Level GRPO over random groups, and equality with a plain reading of eq. 10-12."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.advantages import final_advantage, group_advantage, intra_advantage, response_reward, step_advantage

NAN = math.nan
LAMBDA = 0.3
Rows = list[list[float]]


def cells(*values: float) -> st.SearchStrategy[Rows]:
    """The rewards of five rollouts, of one to four anchors."""
    return st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.sampled_from(values), min_size=width, max_size=width), min_size=5, max_size=5
        )
    )


groups = cells(0.0, 1.0, NAN).map(lambda rows: torch.tensor(rows)[None])
sequences = st.lists(st.integers(0, 2), min_size=5, max_size=5).map(lambda numbers: torch.tensor([numbers]))
properties = settings(max_examples=60, deadline=None)


def plain_group(rewards: list[float], mine: float) -> float:
    """Equation 10 for one cell among the comparable ones."""
    mean = sum(rewards) / len(rewards)
    deviation = math.sqrt(sum((reward - mean) ** 2 for reward in rewards) / len(rewards))
    return (mine - mean) / deviation if deviation else 0.0


def plain_intra(later: list[float], mine: float) -> float:
    """Equation 11 for one cell and those after it."""
    return mine * (1 + (sum(later) / len(later) if later else 0.0))


@properties
@given(groups, sequences)
def test_every_cell_is_a_plain_reading_of_the_equations(reward_PGN: Tensor, sequence_PG: Tensor) -> None:
    rows, numbers = reward_PGN[0].tolist(), sequence_PG[0].tolist()
    got = step_advantage(reward_PGN, LAMBDA, sequence_PG)[0].tolist()
    for g, row in enumerate(rows):
        for i, mine in enumerate(row):
            if math.isnan(mine):
                assert got[g][i] == 0
                continue
            alike = [other[i] for other, number in zip(rows, numbers, strict=True) if number == numbers[g]]
            group = plain_group([reward for reward in alike if not math.isnan(reward)], mine)
            intra = plain_intra([reward for reward in row[i + 1 :] if not math.isnan(reward)], mine)
            assert got[g][i] == pytest.approx(group + LAMBDA * intra, abs=1e-4)


@properties
@given(groups, st.permutations(range(5)))
def test_permuting_rollouts_permutes_their_advantages(reward_PGN: Tensor, order: list[int]) -> None:
    for center in (False, True):
        straight = step_advantage(reward_PGN, LAMBDA, center_intra=center)[:, order]
        permuted = step_advantage(reward_PGN[:, order], LAMBDA, center_intra=center)
        assert torch.allclose(straight, permuted, atol=1e-6)


@properties
@given(groups, st.lists(st.sampled_from([0.0, 1.0]), min_size=4, max_size=4), st.booleans())
def test_a_group_of_equals_changes_nothing_and_gets_only_its_intra_advantage(
    reward_PGN: Tensor, row: list[float], first: bool
) -> None:
    equal_PGN = torch.tensor(row[: reward_PGN.shape[-1]]).expand(1, *reward_PGN.shape[1:])
    both = torch.cat([equal_PGN, reward_PGN] if first else [reward_PGN, equal_PGN])
    got = step_advantage(both, LAMBDA)
    own, others = (got[0], got[1]) if first else (got[1], got[0])
    assert torch.equal(others, step_advantage(reward_PGN, LAMBDA)[0])
    assert torch.equal(own, LAMBDA * intra_advantage(equal_PGN)[0])


@properties
@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=8))
def test_with_one_anchor_there_is_no_later_one(rewards: list[float]) -> None:
    reward_PGN = torch.tensor(rewards)[None, :, None]
    assert torch.equal(intra_advantage(reward_PGN), reward_PGN)
    expected = final_advantage(reward_PGN[..., 0]) + LAMBDA * reward_PGN[..., 0]
    assert torch.equal(step_advantage(reward_PGN, LAMBDA)[..., 0], expected)


@properties
@given(st.integers(1, 3), st.integers(1, 6), st.booleans())
def test_without_anchors_there_is_nothing(num_prompts: int, group_size: int, center: bool) -> None:
    empty = torch.zeros(num_prompts, group_size, 0)
    assert step_advantage(empty, LAMBDA, center_intra=center).shape == empty.shape
    final = torch.ones(group_size)
    assert torch.equal(response_reward(empty[0], final), final)


@properties
@given(groups, st.integers(0, 5), st.integers(0, 4))
def test_rollouts_and_anchors_without_rewards_enter_nothing(reward_PGN: Tensor, g: int, i: int) -> None:
    position = min(i, reward_PGN.shape[-1])
    wider = torch.cat([reward_PGN[:, :, :position], torch.full((1, 5, 1), NAN), reward_PGN[:, :, position:]], 2)
    taller = torch.cat([wider[:, :g], torch.full((1, 1, wider.shape[-1]), NAN), wider[:, g:]], 1)
    for center in (False, True):
        got = step_advantage(taller, LAMBDA, center_intra=center)
        assert not got[0, g].any()
        assert not got[0, :, position].any()
        rollouts = [row for row in range(6) if row != g]
        anchors = [column for column in range(wider.shape[-1]) if column != position]
        kept = got[:, rollouts][:, :, anchors]
        assert torch.allclose(kept, step_advantage(reward_PGN, LAMBDA, center_intra=center), atol=1e-6)


@properties
@given(groups)
def test_group_advantages_sum_to_zero(reward_PGN: Tensor) -> None:
    assert group_advantage(reward_PGN).sum(1).abs().max() < 1e-5


@properties
@given(cells(0.0, 0.5, 1.0, NAN), sequences)
def test_bfloat16_equals_float32(rows: Rows, sequence_PG: Tensor) -> None:
    full = torch.tensor(rows)[None]
    half = full.bfloat16()
    for center in (False, True):
        got = step_advantage(half, LAMBDA, sequence_PG, center)
        assert got.dtype == torch.float32
        assert torch.equal(got, step_advantage(full, LAMBDA, sequence_PG, center))
    assert torch.equal(final_advantage(half[..., 0]), final_advantage(full[..., 0]))
    assert torch.equal(response_reward(half[0], half[0, :, 0]), response_reward(full[0], full[0, :, 0]))
