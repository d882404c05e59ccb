"""Modes: one word in a recipe (`rl.mode`) -> the advantage of every step, and the reward of the whole response.

Shapes as in `training.advantages`: P prompts, G rollouts of one prompt, N anchors. A rule is a pure function of the
rollouts' step rewards. It returns (P, G, N), 0 where it gives no credit. The response's reward, normalised in its
group, is added to all tokens whatever the rule (eq. 14). `terminal`, `step` and `bilevel` are those of arXiv
2605.11922, `outcome` of arXiv 2507.17548, `whitebox` and `whitebox_gated` of arXiv 2603.11226; `first_divergence`,
`discounted`, `dependence` and `own_state` are our own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.advantages import centred, group_advantage, step_advantage
from training.training_sections import RlSection

NAN = float("nan")
DISCOUNT = 0.5


@dataclass(frozen=True)
class StepRewards:
    """What a rule sees: `reward_PGN`, NaN where there is nothing to judge; the numbers of the anchor sequences
    `sequence_PG` (None: all alike); `uses_PGNN`, true where anchor j (last axis) depends on anchor i."""

    reward_PGN: Tensor
    sequence_PG: Tensor | None = None
    uses_PGNN: Tensor | None = None


Rule = Callable[[StepRewards, RlSection], Tensor]


def nothing(steps: StepRewards, section: RlSection) -> Tensor:
    """No step earns anything by itself. Returns (P, G, N) zeros."""
    return torch.zeros(steps.reward_PGN.shape, device=steps.reward_PGN.device)


def shaped(steps: StepRewards, section: RlSection) -> Tensor:
    """Equation 12: A_group + lambda * A_intra, (P, G, N); lambda is 0 in the mode "step"."""
    return step_advantage(steps.reward_PGN, section.intra_weight, steps.sequence_PG, section.center_intra)


def until_divergence(reward_PGN: Tensor) -> Tensor:
    """`reward_PGN` with NaN after the first wrong step of each rollout; that step itself stays. Returns (P, G, N)."""
    wrong_PGN = (reward_PGN == 0).long()
    return torch.where(wrong_PGN.cumsum(-1) > wrong_PGN, NAN, reward_PGN)


def first_divergence(steps: StepRewards, section: RlSection) -> Tensor:
    """Equation 12 up to the first wrong step of each rollout, (P, G, N): what follows it is neither paid nor blamed,
    and enters no mean. A step that could not be judged is no divergence."""
    return shaped(StepRewards(until_divergence(steps.reward_PGN), steps.sequence_PG), section)


def weighted_intra(reward_PGN: Tensor, weight_PGNN: Tensor) -> Tensor:
    """A_intra of equation 11 with weights: r_i * (1 + sum_j w_ij r_j / sum_j w_ij) over judged j > i; no future where
    the weights are 0.

    Weights of 1 make it equation 11. Returns (P, G, N), 0 where the reward is NaN.
    """
    reward_PGN = reward_PGN if reward_PGN.dtype == torch.float64 else reward_PGN.float()
    valid_PGN = ~reward_PGN.isnan()
    known_PGN = torch.where(valid_PGN, reward_PGN, 0)
    later_NN = torch.ones(reward_PGN.shape[-1], reward_PGN.shape[-1], device=reward_PGN.device).triu(1)
    weight_PGNN = weight_PGNN.to(known_PGN.dtype) * later_NN * valid_PGN[..., None, :]
    total_PGN = weight_PGNN.sum(-1)
    future_PGN = (weight_PGNN * known_PGN[..., None, :]).sum(-1) / torch.where(total_PGN > 0, total_PGN, 1)
    return torch.where(valid_PGN, known_PGN * (1 + future_PGN), 0)


def _with_intra(steps: StepRewards, intra_PGN: Tensor, section: RlSection) -> Tensor:
    if section.center_intra:
        intra_PGN = centred(intra_PGN, steps.reward_PGN, steps.sequence_PG)
    return group_advantage(steps.reward_PGN, steps.sequence_PG) + section.intra_weight * intra_PGN


def discounted(steps: StepRewards, section: RlSection) -> Tensor:
    """Equation 12 with nearer steps weighing more in A_intra: DISCOUNT ** (j - i - 1). Returns (P, G, N)."""
    position_N = torch.arange(steps.reward_PGN.shape[-1], device=steps.reward_PGN.device)
    weight_NN = DISCOUNT ** (position_N[None, :] - position_N[:, None] - 1).clamp(min=0)
    return _with_intra(steps, weighted_intra(steps.reward_PGN, weight_NN), section)


def dependence(steps: StepRewards, section: RlSection) -> Tensor:
    """Equation 12 with A_intra along the program's data dependences: a right step is credited for the later steps that
    use its value, not for all later ones. Returns (P, G, N)."""
    assert steps.uses_PGNN is not None, "the mode dependence needs the program's data dependences"
    return _with_intra(steps, weighted_intra(steps.reward_PGN, steps.uses_PGNN), section)


ResponseReward = Callable[[Sequence[float], float, RlSection], float]


def final_alone(step_rewards: Sequence[float], final_reward: float, section: RlSection) -> float:
    """Equation 9: 1 where the final answer is right. NaN where it could not be judged."""
    return final_reward


def _white(step_rewards: Sequence[float], final_reward: float) -> float:
    judged = [reward for reward in step_rewards if not math.isnan(reward)]
    return sum(judged) / len(judged) if judged else final_reward


def whitebox(step_rewards: Sequence[float], final_reward: float, section: RlSection) -> float:
    """ExecVerify's R = 2 * ((1 - a) * R_io + a * R_white), a = `rl.whitebox_weight`, from 0 to 2, as its paper has it.

    R_white is the share of right answers to questions about the trace, here the anchors' states; where there is none,
    the final answer stands for it. NaN where the final answer could not be judged.
    """
    white = _white(step_rewards, final_reward)
    return 2 * ((1 - section.whitebox_weight) * final_reward + section.whitebox_weight * white)


def whitebox_gated(step_rewards: Sequence[float], final_reward: float, section: RlSection) -> float:
    """`whitebox` where the final answer is right, else 0, as ExecVerify's published code has it.

    Without steps it is `whitebox`: the share of tests that a program passed is no answer to gate by.
    """
    gate = final_reward if step_rewards else 1.0
    return gate * whitebox(step_rewards, final_reward, section)


@dataclass(frozen=True)
class Mode:
    """A word of `rl.mode`: its rule for steps, the reward of a response, and what these have to be given.

    `format_gate` False: the answer counts whatever the number of print blocks. `own_states`: steps are judged by the
    model's own previous states. `uses`: the rule reads data dependences.
    """

    rule: Rule
    reward: ResponseReward = final_alone
    format_gate: bool = True
    own_states: bool = False
    uses: bool = False


MODES: dict[str, Mode] = {
    "terminal": Mode(nothing),
    "step": Mode(shaped),
    "bilevel": Mode(shaped),
    "outcome": Mode(nothing, format_gate=False),
    "whitebox": Mode(nothing, whitebox),
    "whitebox_gated": Mode(nothing, whitebox_gated),
    "first_divergence": Mode(first_divergence),
    "discounted": Mode(discounted),
    "dependence": Mode(dependence, uses=True),
    "own_state": Mode(shaped, own_states=True),
}
