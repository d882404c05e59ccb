"""Credit rules against values worked by hand: every word of `rl.mode` has one."""

import math
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.advantages import intra_advantage, step_advantage, token_advantages
from training.config import RlSection
from training.credit import RULES, discounted_intra, until_divergence

NAN = math.nan
cells = st.lists(st.lists(st.sampled_from([0.0, 1.0, NAN]), min_size=3, max_size=3), min_size=5, max_size=5)


def credit(mode: str, reward_PGN: torch.Tensor, **options: object) -> torch.Tensor:
    section = RlSection.model_validate({"mode": mode, **options})
    return RULES[mode](reward_PGN, None, section)


def test_every_mode_of_a_recipe_has_a_rule() -> None:
    assert set(RULES) == set(get_args(RlSection.model_fields["mode"].annotation))


def test_credit_ends_at_the_first_wrong_step() -> None:
    reward_PGN = torch.tensor([[[1.0, 0.0, 1.0], [NAN, 1.0, 1.0]]])
    assert until_divergence(reward_PGN).isnan().tolist() == [[[False, False, True], [True, False, False]]]
    # anchor 1: 0 and 1 -> -1 and +1; A_intra 1 (its next step wrong), 0, -; -, 2, 1; lambda 0.3
    got = credit("first_divergence", reward_PGN)[0]
    assert got[0].tolist() == pytest.approx([0.3, -1.0, 0.0], abs=1e-5)
    assert got[1].tolist() == pytest.approx([0.0, 1.6, 0.3], abs=1e-5)


def test_first_divergence_on_every_token() -> None:
    step_BN = credit("first_divergence", torch.tensor([[[1.0, 0.0, 1.0], [NAN, 1.0, 1.0]]]))[0]
    start_BN, end_BN = torch.tensor([[0, 2, 3], [0, 1, 3]]), torch.tensor([[2, 3, 5], [1, 3, 4]])
    got = token_advantages(step_BN, start_BN, end_BN, torch.tensor([0.5, -0.5]), torch.ones(2, 6))
    assert got[0].tolist() == pytest.approx([0.8, 0.8, -0.5, 0.5, 0.5, 0.5], abs=1e-5)
    assert got[1].tolist() == pytest.approx([-0.5, 1.1, 1.1, -0.2, -0.5, -0.5], abs=1e-5)


def test_discounted_credit_by_hand() -> None:
    # first: weights 1 and 1/2 on 0 and 1 -> 1 + 0.5 / 1.5; the NaN leaves both sums
    assert discounted_intra(torch.tensor([[[1.0, 0.0, 1.0]]]))[0, 0].tolist() == pytest.approx([4 / 3, 0, 1])
    assert discounted_intra(torch.tensor([[[1.0, NAN, 1.0]]]))[0, 0].tolist() == [2.0, 0.0, 1.0]


@pytest.mark.parametrize("mode", sorted(RULES))
@settings(max_examples=30, deadline=None)
@given(rows=cells, order=st.permutations(range(5)))
def test_properties_of_every_rule(mode: str, rows: list[list[float]], order: list[int]) -> None:
    reward_PGN = torch.tensor(rows)[None]
    got = credit(mode, reward_PGN)
    assert not got.isnan().any()
    assert torch.allclose(got[:, order], credit(mode, reward_PGN[:, order]), atol=1e-6)
    assert torch.allclose(credit(mode, torch.cat([reward_PGN, torch.ones(1, 5, 3)]))[:1], got, atol=1e-6)
    assert torch.equal(credit(mode, reward_PGN.bfloat16()), got)
    assert torch.allclose(discounted_intra(reward_PGN, 1.0), intra_advantage(reward_PGN), atol=1e-6)


@pytest.mark.parametrize("mode", sorted(RULES))
def test_no_anchors_one_anchor_and_no_variance(mode: str) -> None:
    assert credit(mode, torch.zeros(2, 5, 0)).shape == (2, 5, 0)
    paid = 0.0 if mode in ("terminal", "step") else 0.3
    assert credit(mode, torch.ones(1, 5, 1)).flatten().tolist() == pytest.approx([paid] * 5)
    assert not credit(mode, torch.ones(1, 5, 3), center_intra=True).any()


def test_the_papers_modes_are_bitwise_what_they_were() -> None:
    reward_PGN = torch.tensor([[[1.0, 1.0], [1.0, 0.0], [0.0, NAN]]])
    assert torch.equal(credit("bilevel", reward_PGN), step_advantage(reward_PGN, 0.3))
    assert torch.equal(credit("step", reward_PGN), step_advantage(reward_PGN, 0.0))
    assert not credit("terminal", reward_PGN).any()
