"""Credit rules: one word in a recipe (`rl.mode`) -> the advantage of every step.

Shapes as in `training.advantages`: P prompts, G rollouts of one prompt, N anchors. A rule is a pure function of the
step rewards (P, G, N), NaN where there is nothing to judge, and of the numbers of the anchor sequences (P, G). It
returns (P, G, N), 0 where it gives no credit. The terminal advantage (arXiv 2605.11922, eq. 14) is added to all tokens
whatever the rule. `first_divergence` and `discounted` are our own and not in a paper.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from training.advantages import centred, group_advantage, step_advantage
from training.config import RlSection

NAN = float("nan")
DISCOUNT = 0.5
Rule = Callable[[Tensor, Tensor | None, RlSection], Tensor]


def terminal(reward_PGN: Tensor, sequence_PG: Tensor | None, section: RlSection) -> Tensor:
    """No step earns anything: the paper's Terminal-GRPO. Returns (P, G, N) zeros."""
    return torch.zeros(reward_PGN.shape, device=reward_PGN.device)


def shaped(reward_PGN: Tensor, sequence_PG: Tensor | None, section: RlSection) -> Tensor:
    """Equation 12: A_group + lambda * A_intra, (P, G, N); lambda is 0 in the mode "step"."""
    return step_advantage(reward_PGN, section.intra_weight, sequence_PG, section.center_intra)


def until_divergence(reward_PGN: Tensor) -> Tensor:
    """`reward_PGN` with NaN after the first wrong step of each rollout; that step itself stays. Returns (P, G, N)."""
    wrong_PGN = (reward_PGN == 0).long()
    return torch.where(wrong_PGN.cumsum(-1) > wrong_PGN, NAN, reward_PGN)


def first_divergence(reward_PGN: Tensor, sequence_PG: Tensor | None, section: RlSection) -> Tensor:
    """Equation 12 up to the first wrong step of each rollout, (P, G, N): what follows it is neither paid nor blamed,
    and enters no mean. A step that could not be judged is no divergence."""
    return shaped(until_divergence(reward_PGN), sequence_PG, section)


def discounted_intra(reward_PGN: Tensor, discount: float = DISCOUNT) -> Tensor:
    """A_intra with nearer steps weighing more: r_i * (1 + sum_j d^(j-i-1) r_j / sum_j d^(j-i-1)) over judged j > i.

    With discount 1 it is equation 11. Returns (P, G, N), 0 where the reward is NaN.
    """
    reward_PGN = reward_PGN if reward_PGN.dtype == torch.float64 else reward_PGN.float()
    valid_PGN = ~reward_PGN.isnan()
    known_PGN = torch.where(valid_PGN, reward_PGN, 0)
    position_N = torch.arange(reward_PGN.shape[-1], device=reward_PGN.device)
    distance_NN = position_N[None, :] - position_N[:, None]
    weight_NN = torch.where(distance_NN > 0, discount ** (distance_NN - 1).clamp(min=0), 0).to(known_PGN.dtype)
    total_PGN = valid_PGN.to(known_PGN.dtype) @ weight_NN.T
    future_PGN = known_PGN @ weight_NN.T / torch.where(total_PGN > 0, total_PGN, 1)
    return torch.where(valid_PGN, known_PGN * (1 + future_PGN), 0)


def discounted(reward_PGN: Tensor, sequence_PG: Tensor | None, section: RlSection) -> Tensor:
    """Equation 12 with `discounted_intra` for A_intra. Returns (P, G, N)."""
    intra_PGN = discounted_intra(reward_PGN)
    if section.center_intra:
        intra_PGN = centred(intra_PGN, reward_PGN, sequence_PG)
    return group_advantage(reward_PGN, sequence_PG) + section.intra_weight * intra_PGN


RULES: dict[str, Rule] = {
    "terminal": terminal,
    "step": shaped,
    "bilevel": shaped,
    "first_divergence": first_divergence,
    "discounted": discounted,
}
