"""Advantages of Bi-Level GRPO: pure functions for equations 8-15 of arXiv 2605.11922.

Shapes: P prompts (groups), G rollouts of one prompt, N anchors (the most in the batch), B = P * G rollouts in
group order, T completion tokens. A NaN reward means "nothing to judge here": the rollout has no such anchor, or it
could not be judged. NaN cells enter no mean, no standard deviation and no future term, and get advantage 0.

Departures from the paper: a group normalises only cells that are comparable (`sequence_PG`), which matters for
input prediction, where each rollout is judged against the run of its own input; A_intra may be centred (off by
default). The ratios of equations 13 and 14 are taken per token by the trainer, so that their gradient at one
update per batch is what `token_advantages` spells out.
"""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-6


def _alike(reward_PGN: Tensor, sequence_PG: Tensor | None) -> Tensor:
    """(P, G, G): 1 where two rollouts of a group may be compared, else 0."""
    num_prompts, group_size = reward_PGN.shape[:2]
    if sequence_PG is None:
        return torch.ones(num_prompts, group_size, group_size, device=reward_PGN.device)
    return (sequence_PG[:, :, None] == sequence_PG[:, None, :]).float()


def _full(reward: Tensor) -> Tensor:
    """At least float32: bfloat16 has 8 bits, which lose a small advantage beside a large one, and sums above 256."""
    return reward if reward.dtype == torch.float64 else reward.float()


def group_advantage(reward_PGN: Tensor, sequence_PG: Tensor | None = None, epsilon: float = EPSILON) -> Tensor:
    """A_group, eq. 10: (r - mean_g r) / (std_g r + epsilon), with the population standard deviation.

    `sequence_PG` numbers the anchor sequences inside each group: mean and deviation go over the rollouts with the
    same number, so a rollout alone with its sequence gets 0. Zero variance is decided by equality of the rewards,
    before anything is divided. Returns (P, G, N); 0 where the reward is NaN.
    """
    reward_PGN = _full(reward_PGN)
    valid_PGN = ~reward_PGN.isnan()
    known_PGN = torch.where(valid_PGN, reward_PGN, 0)
    alike_PGG = _alike(reward_PGN, sequence_PG).to(known_PGN.dtype)
    count_PGN = (alike_PGG @ valid_PGN.to(known_PGN.dtype)).clamp(min=1)
    mean_PGN = alike_PGG @ known_PGN / count_PGN
    # mean of (r - m)^2 with each rollout's own m; taken pair by pair because m depends on the row's subgroup
    pair_PGGN = (known_PGN[:, None] - mean_PGN[:, :, None]) ** 2
    weight_PGGN = alike_PGG[..., None] * valid_PGN[:, None]
    std_PGN = ((pair_PGGN * weight_PGGN).sum(2) / count_PGN).sqrt()
    differs_PGN = ((known_PGN[:, None] != known_PGN[:, :, None]) & (weight_PGGN > 0)).any(2)
    advantage_PGN = (known_PGN - mean_PGN) / (std_PGN + epsilon)
    return torch.where(valid_PGN & differs_PGN, advantage_PGN, 0)


def intra_advantage(reward_PGN: Tensor) -> Tensor:
    """A_intra, eq. 11: r_i * (1 + the mean of r_j over the later anchors j > i); the mean is 0 at the last one.

    Returns (P, G, N), 0 where the reward is NaN.
    """
    reward_PGN = _full(reward_PGN)
    valid_PGN = ~reward_PGN.isnan()
    known_PGN = torch.where(valid_PGN, reward_PGN, 0)
    later_PGN = known_PGN.flip(-1).cumsum(-1).flip(-1) - known_PGN
    count_PGN = valid_PGN.flip(-1).cumsum(-1).flip(-1) - valid_PGN.long()
    return torch.where(valid_PGN, known_PGN * (1 + later_PGN / count_PGN.clamp(min=1)), 0)


def centred(advantage_PGN: Tensor, reward_PGN: Tensor, sequence_PG: Tensor | None = None) -> Tensor:
    """`advantage_PGN` less its mean over the group's comparable cells; an option that the paper does not have."""
    advantage_PGN = _full(advantage_PGN)
    valid_PGN = ~reward_PGN.isnan()
    alike_PGG = _alike(reward_PGN, sequence_PG).to(advantage_PGN.dtype)
    count_PGN = (alike_PGG @ valid_PGN.to(advantage_PGN.dtype)).clamp(min=1)
    mean_PGN = alike_PGG @ torch.where(valid_PGN, advantage_PGN, 0) / count_PGN
    return torch.where(valid_PGN, advantage_PGN - mean_PGN, 0)


def step_advantage(
    reward_PGN: Tensor,
    lambda_intra: float,
    sequence_PG: Tensor | None = None,
    center_intra: bool = False,
) -> Tensor:
    """A(i, g) = A_group + lambda * A_intra, eq. 12; lambda = 0 is the paper's Step-GRPO. Returns (P, G, N)."""
    advantage_PGN = group_advantage(reward_PGN, sequence_PG)
    if lambda_intra == 0:
        return advantage_PGN
    intra_PGN = intra_advantage(reward_PGN)
    if center_intra:
        intra_PGN = centred(intra_PGN, reward_PGN, sequence_PG)
    return advantage_PGN + lambda_intra * intra_PGN


def final_advantage(reward_PG: Tensor) -> Tensor:
    """A_final of eq. 14: the terminal reward normalised in its group as in eq. 10. Returns (P, G)."""
    return group_advantage(reward_PG[..., None])[..., 0]


def token_advantages(
    step_BN: Tensor,
    start_BN: Tensor,
    end_BN: Tensor,
    final_B: Tensor,
    mask_BT: Tensor,
    step_mean: bool = False,
) -> Tensor:
    """Advantage of every token, equations 13 + 14: A_final on all of them, A(i, g) on those of its own step.

    Step i of rollout b owns the tokens start <= t < end; an empty span (a missing block) owns none. With
    `step_mean` a step's advantage is shared by its tokens instead of given to each. Returns (B, T), 0 where
    `mask_BT` is 0.
    """
    step_BN, final_B = _full(step_BN), _full(final_B)
    position_T = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    owns_BNT = (position_T >= start_BN[..., None]) & (position_T < end_BN[..., None])
    if step_mean:
        step_BN = step_BN / (end_BN - start_BN).clamp(min=1)
    # a sum of products and not a matmul, so that the value of a token does not depend on the batch's shape
    advantage_BT = (owns_BNT * step_BN[..., None]).sum(1) + final_B[:, None]
    return torch.where(mask_BT.bool(), advantage_BT, 0)


def response_reward(step_reward_BN: Tensor, final_reward_B: Tensor) -> Tensor:
    """One figure per response for people (appendix D): the mean of its step rewards plus the final one, 0 to 2."""
    valid_BN = ~step_reward_BN.isnan()
    total_B = torch.where(valid_BN, _full(step_reward_BN), 0).sum(-1)
    return total_B / valid_BN.sum(-1).clamp(min=1) + torch.nan_to_num(_full(final_reward_B))
