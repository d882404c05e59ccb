"""Modes against values worked by hand: every word of `rl.mode` has its rule and its reward of a response."""

import math
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.advantages import intra_advantage, step_advantage, token_advantages
from training.credit import MODES, StepRewards, nothing, until_divergence, weighted_intra, whitebox, whitebox_gated
from training.training_sections import WHOLE_RESPONSE_MODES, ModeName, RlSection

NAN = math.nan
cells = st.lists(st.lists(st.sampled_from([0.0, 1.0, NAN]), min_size=3, max_size=3), min_size=5, max_size=5)


def credit(mode: str, reward_PGN: torch.Tensor, **options: object) -> torch.Tensor:
    """The mode's advantages; every later anchor uses every earlier one."""
    section = RlSection.model_validate({"mode": mode, **options})
    num_anchors = reward_PGN.shape[-1]
    uses_PGNN = torch.ones(*reward_PGN.shape, num_anchors, dtype=torch.bool)
    return MODES[mode].rule(StepRewards(reward_PGN, None, uses_PGNN), section)


def test_every_mode_of_a_recipe_is_there() -> None:
    assert set(MODES) == set(get_args(ModeName))
    assert {name for name, mode in MODES.items() if mode.rule is nothing} == WHOLE_RESPONSE_MODES


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
    # first: weights 1 and 1/2 on 0 and 1 -> 1 + 0.5 / 1.5 = 4/3, lambda 0.3; one rollout alone has no A_group
    got = credit("discounted", torch.tensor([[[1.0, 0.0, 1.0]]]))[0, 0]
    assert got.tolist() == pytest.approx([0.4, 0, 0.3])
    # the NaN leaves both sums
    assert credit("discounted", torch.tensor([[[1.0, NAN, 1.0]]]))[0, 0].tolist() == pytest.approx([0.6, 0, 0.3])


def test_dependence_credits_only_the_steps_that_use_the_value() -> None:
    # anchor 0 is used by 2 alone, 1 by nothing, 2 by 3; rewards 1 1 0 1
    uses_PGNN = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    uses_PGNN[..., 0, 2] = uses_PGNN[..., 2, 3] = True
    steps = StepRewards(torch.tensor([[[1.0, 1.0, 0.0, 1.0]]]), None, uses_PGNN)
    got = MODES["dependence"].rule(steps, RlSection(mode="dependence"))[0, 0]
    assert got.tolist() == pytest.approx([0.3, 0.3, 0.0, 0.3])  # 0: its only user is wrong
    steps = StepRewards(torch.tensor([[[1.0, 0.0, 1.0, 1.0]]]), None, uses_PGNN)
    got = MODES["dependence"].rule(steps, RlSection(mode="dependence"))[0, 0]
    assert got.tolist() == pytest.approx([0.6, 0.0, 0.6, 0.3])  # bilevel would give the first 0.3 * (1 + 2/3)


@pytest.mark.parametrize(
    ("steps", "final", "additive", "gated"),
    [
        ([1.0, 1.0], 1.0, 2.0, 2.0),  # all right
        ([0.0, 0.0], 1.0, 1.0, 1.0),  # output right, every question wrong
        ([1.0, 1.0], 0.0, 1.0, 0.0),  # output wrong, all questions right
        ([1.0, 0.0], 1.0, 1.5, 1.5),
        ([1.0, NAN], 0.0, 1.0, 0.0),  # what could not be judged enters no mean
        ([], 1.0, 2.0, 2.0),  # no question: as published
        ([], 0.0, 0.0, 0.0),
        ([], 0.5, 1.0, 1.0),  # half of a program's tests passed: its share, twice as everywhere, and not squared
        ([], 1.05, 2.1, 2.1),
    ],
)
def test_whitebox_rewards_of_the_published_cases(
    steps: list[float], final: float, additive: float, gated: float
) -> None:
    """ExecVerify (arXiv 2603.11226): R = 2 * ((1 - a) * R_io + a * R_white) in its paper, gated in its code."""
    section = RlSection(mode="whitebox")
    assert whitebox(steps, final, section) == pytest.approx(additive)
    assert whitebox_gated(steps, final, section) == pytest.approx(gated)
    assert math.isnan(whitebox(steps, NAN, section))
    assert math.isnan(whitebox_gated(steps, NAN, section))


def test_the_weight_of_right_steps_is_the_recipes() -> None:
    section = RlSection(mode="whitebox", whitebox_weight=0.25)
    assert whitebox([1.0, 0.0], 1.0, section) == pytest.approx(1.75)
    assert whitebox([1.0, 0.0], 0.0, section) == pytest.approx(0.25)


@pytest.mark.parametrize("mode", sorted(MODES))
@settings(max_examples=30, deadline=None)
@given(rows=cells, order=st.permutations(range(5)))
def test_properties_of_every_rule(mode: str, rows: list[list[float]], order: list[int]) -> None:
    reward_PGN = torch.tensor(rows)[None]
    got = credit(mode, reward_PGN)
    assert not got.isnan().any()
    assert torch.allclose(got[:, order], credit(mode, reward_PGN[:, order]), atol=1e-6)
    assert torch.allclose(credit(mode, torch.cat([reward_PGN, torch.ones(1, 5, 3)]))[:1], got, atol=1e-6)
    assert torch.equal(credit(mode, reward_PGN.bfloat16()), got)


@settings(max_examples=30, deadline=None)
@given(rows=cells)
def test_equal_weights_are_equation_11(rows: list[list[float]]) -> None:
    reward_PGN = torch.tensor(rows)[None]
    assert torch.allclose(weighted_intra(reward_PGN, torch.ones(3, 3)), intra_advantage(reward_PGN), atol=1e-6)
    assert torch.allclose(credit("dependence", reward_PGN), credit("bilevel", reward_PGN), atol=1e-6)


@pytest.mark.parametrize("mode", sorted(MODES))
def test_no_anchors_one_anchor_and_no_variance(mode: str) -> None:
    assert credit(mode, torch.zeros(2, 5, 0)).shape == (2, 5, 0)
    paid = 0.0 if mode == "step" or mode in WHOLE_RESPONSE_MODES else 0.3
    assert credit(mode, torch.ones(1, 5, 1)).flatten().tolist() == pytest.approx([paid] * 5)
    assert not credit(mode, torch.ones(1, 5, 3), center_intra=True).any()


def test_the_papers_modes_are_bitwise_what_they_were() -> None:
    reward_PGN = torch.tensor([[[1.0, 1.0], [1.0, 0.0], [0.0, NAN]]])
    assert torch.equal(credit("bilevel", reward_PGN), step_advantage(reward_PGN, 0.3))
    assert torch.equal(credit("step", reward_PGN), step_advantage(reward_PGN, 0.0))
    assert not credit("terminal", reward_PGN).any()
