"""Credit of a batch: the rewards of all processes gathered, groups normalised, this process's advantages cut out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor

from execution.traces import Trace
from training.advantages import final_advantage
from training.credit import MODES, StepRewards
from training.grading import Graded
from training.training_sections import RlSection
from training.uses import uses_of

NAN = float("nan")
ALIKE = 1e-6  # sums of equal rewards may differ by their rounding


@dataclass(frozen=True)
class Credit:
    """What this process's B responses get: `step_BN` on the tokens start <= t < end of each step, of which `group_BN`
    is left where lambda is 0, and `final_B` on all tokens."""

    step_BN: Tensor
    group_BN: Tensor
    start_BN: Tensor
    end_BN: Tensor
    final_B: Tensor


def group_credit(
    graded: Sequence[Graded],
    traces: Sequence[Trace | None],
    section: RlSection,
    group_size: int,
    accelerator: Accelerator | None = None,
) -> Credit:
    """The credit of this process's responses, in group order.

    Groups may straddle processes, so rewards are gathered first; every process takes part, with the widest number of
    anchors, also where it has none itself. Without an accelerator they are whole groups, and nothing is gathered.
    """
    device = accelerator.device if accelerator else torch.device("cpu")
    gather = accelerator.gather if accelerator else Tensor.clone
    mode = MODES[section.mode]
    num_local = len(graded)
    widest = torch.tensor([max([len(one.step_rewards) for one in graded], default=0)], device=device)
    num_anchors = int(gather(widest).max())
    reward_BN = torch.full((num_local, num_anchors), NAN, device=device)
    start_BN = torch.zeros(num_local, num_anchors, dtype=torch.long, device=device)
    end_BN = torch.zeros_like(start_BN)
    for b, one in enumerate(graded):
        # the paper trains programs with a single anchor, the return, with the terminal reward alone
        if not one.judged or len(one.step_rewards) < 2:
            continue
        reward_BN[b, : len(one.credited)] = torch.tensor(one.credited)
        start_BN[b, : len(one.spans)] = torch.tensor([start for start, _ in one.spans])
        end_BN[b, : len(one.spans)] = torch.tensor([end for _, end in one.spans])
    final_B = torch.tensor([mode.reward(one.step_rewards, one.final_reward, section) for one in graded], device=device)
    sequence_B = torch.tensor([sequence_number(one.sequence) for one in graded], device=device)

    def gathered(values_B: Tensor) -> Tensor:
        every: Tensor = gather(values_B)
        return every.view(len(every) // group_size, group_size, *values_B.shape[1:])

    def local(values_PG: Tensor) -> Tensor:
        low = accelerator.process_index * num_local if accelerator else 0
        return values_PG.flatten(0, 1)[low : low + num_local]

    uses_PGNN = None
    if mode.uses:
        uses_PGNN = gathered(uses_of(traces, [one.sequence for one in graded], num_anchors).to(device))
    steps = StepRewards(gathered(reward_BN), gathered(sequence_B), uses_PGNN)
    return Credit(
        step_BN=local(mode.rule(steps, section)),
        group_BN=local(mode.rule(steps, section.model_copy(update={"lambda_intra": 0.0}))),
        start_BN=start_BN,
        end_BN=end_BN,
        final_B=local(final_advantage(gathered(final_B))),
    )


def without_variance(group: Sequence[Graded], traces: Sequence[Trace | None], section: RlSection) -> bool:
    """Whether no rollout of a whole group gets more than another: all get nothing, or all the same A_intra, which is a
    constant push."""
    credit = group_credit(group, traces, section, len(group))
    alike = torch.allclose(credit.step_BN, credit.step_BN[:1].expand_as(credit.step_BN), atol=ALIKE)
    return alike and not credit.final_B.any()


def sequence_number(sequence: tuple[str, ...]) -> int:
    """A number for an anchor sequence that is the same on every process."""
    return int.from_bytes(hashlib.sha256("\0".join(sequence).encode()).digest()[:7], "big")
