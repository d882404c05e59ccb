"""Figures of one update's rollouts: rewards, dead groups, format, lengths, and what the sandbox could not judge."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

from evaluation.inputs import MAX_STATES
from evaluation.run_verdicts import VERDICTS
from training.config import Recipe
from training.grading import Graded


def share(flags: Sequence[bool]) -> float | None:
    """The share of true flags; None where there are none."""
    return sum(flags) / len(flags) if flags else None


def num_positions(recipe: Recipe) -> int:
    """How many steps have a figure of their own: as many as the recipe's programs have states, at most MAX_STATES."""
    return min(recipe.slice.max_states, MAX_STATES)


def rollout_metrics(
    graded: Sequence[Graded],
    lengths: Sequence[int],
    group_size: int,
    tasks: Sequence[str] = (),
    positions: int = 0,
) -> dict[str, Any]:
    """Figures over the responses of all processes, in group order.

    `zero_std_step`: of the (group, anchor) cells that share a truth, the share without variance, which teach
    nothing by eq. 10. `all_correct_step`: the share where every rollout is right. The same for the final reward.
    `step_reward_N` is the mean reward of the N-th step of the `num_steps_N` responses where it could be judged, up to
    `positions`. `sandbox_…`: the runs that judged the responses, by how they ended. `tasks`, one per response, adds the
    final reward of each task.
    """
    judged = [one for one in graded if one.judged]
    steps = [reward for one in judged for reward in one.step_rewards if not isnan(reward)]
    groups = [graded[start : start + group_size] for start in range(0, len(graded), group_size)]
    cells = [cell for group in groups for cell in _cells(group)]
    finals = [[one.final_reward for one in group if one.judged] for group in groups]
    finals = [values for values in finals if values]
    by_task: dict[str, list[float]] = {}
    for task, one in zip(tasks, graded, strict=bool(tasks)):
        if one.judged:
            by_task.setdefault(task, []).append(one.final_reward)
    return {
        "step_reward": sum(steps) / len(steps) if steps else None,
        "final_reward": sum(one.final_reward for one in judged) / len(judged) if judged else None,
        "all_correct": share([one.all_correct for one in judged]),
        "format": share([not one.faults for one in judged]),
        "zero_std_step": share([min(cell) == max(cell) for cell in cells]),
        "all_correct_step": share([min(cell) == 1 for cell in cells]),
        "zero_std_final": share([min(values) == max(values) for values in finals]),
        "all_correct_final": share([min(values) >= 1 for values in finals]),
        "length": sum(lengths) / len(lengths) if lengths else None,
        "rollouts": len(graded),
        "unjudged": len(graded) - len(judged),
        **{f"sandbox_{verdict}": sum(one.verdicts.count(verdict) for one in graded) for verdict in VERDICTS},
        **_by_position(judged, positions),
        **{f"final_reward_{task}": sum(values) / len(values) for task, values in sorted(by_task.items())},
    }


def _by_position(judged: Sequence[Graded], positions: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for place in range(positions):
        steps = [one.step_rewards[place] for one in judged if place < len(one.step_rewards)]
        steps = [reward for reward in steps if not isnan(reward)]
        figures[f"step_reward_{place + 1}"] = sum(steps) / len(steps) if steps else None
        figures[f"num_steps_{place + 1}"] = len(steps)
    return figures


def _cells(group: Sequence[Graded]) -> list[list[float]]:
    """Rewards per anchor of the rollouts that share the most frequent anchor sequence."""
    by_sequence: dict[tuple[str, ...], list[Graded]] = {}
    for one in group:
        if one.judged:
            by_sequence.setdefault(one.sequence, []).append(one)
    if not by_sequence:
        return []
    most = max(by_sequence.values(), key=len)
    if len(most) < 2:
        return []
    cells = [[one.step_rewards[i] for one in most] for i in range(len(most[0].step_rewards))]
    return [cell for cell in cells if not any(map(isnan, cell))]
