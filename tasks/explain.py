"""Explain: how the tokens of a logged rollout came by their advantages, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from evaluation.responses import parse_response
from tasks.errors import NothingToExplain
from tasks.train import read_metrics as read_stored
from tasks.workspace import Workspace, current_workspace
from training.metrics import ROLLOUTS, read_metrics

Row = dict[str, Any]


def logged_rollouts(name: str, workspace: Workspace | None = None) -> list[Row]:
    """The logged rollouts of a model version or alias, of a stage's folder, or of a file.

    NothingToExplain where there are none; LineageError for a model that is not there.
    """
    path = Path(name)
    if path.is_dir() and (path / ROLLOUTS).exists():
        path /= ROLLOUTS
    if path.is_file():
        rows = read_metrics(path)
    elif path.suffix == ".jsonl" or path.is_dir():
        raise NothingToExplain(f"no {ROLLOUTS} at {path}")
    else:
        rows = _of_version(name, workspace or current_workspace())
    if not rows:
        raise NothingToExplain(f"no rollout of {name} was kept: logging.rollouts_every is 0, or no update was taken")
    return rows


def _of_version(name: str, workspace: Workspace) -> list[Row]:
    version = workspace.registry.resolve(workspace.settings.model, name)
    run = workspace.lineage.tree(version.artifact_id).run
    kept = [edge.artifact for edge in run.outputs if edge.role == "rollouts"] if run else []
    if not kept:
        raise NothingToExplain(f"version {version.number} was not trained by RL, or its run kept no rollouts")
    return read_stored(workspace, kept[0])


def chosen_group(rows: list[Row], update: int | None, group: int | None) -> list[Row]:
    """The rollouts of one group: of the update (default: the last one logged) and with the number (default: the first
    group whose rewards differ, else the first). NothingToExplain where it was not logged."""
    updates = sorted({row["update"] for row in rows})
    update = updates[-1] if update is None else update
    of_update = [row for row in rows if row["update"] == update]
    if not of_update:
        raise NothingToExplain(f"update {update} was not logged; logged are {', '.join(map(str, updates))}")
    numbers = sorted({row["group"] for row in of_update})
    groups = {number: [row for row in of_update if row["group"] == number] for number in numbers}
    if group is None:
        return next((one for one in groups.values() if _differs(one)), groups[numbers[0]])
    if group not in groups:
        raise NothingToExplain(f"group {group} of update {update} was not logged; logged are {numbers}")
    return groups[group]


def _differs(group: list[Row]) -> bool:
    return len({(str(row["step_rewards"]), row["final_reward"]) for row in group}) > 1


def chosen_rollout(group: list[Row], rollout: int | None) -> Row:
    """The rollout of that number; default: the one with the largest advantage on any token."""
    if rollout is None:
        return max(group, key=lambda row: max(map(abs, row["advantages"]), default=0))
    for row in group:
        if row["rollout"] == rollout:
            return row
    raise NothingToExplain(f"rollout {rollout} was not logged; the group has {len(group)}")


def explanation(group: list[Row], row: Row, prompt: bool = False) -> RenderableType:
    """What people read: the prompt if asked for, the steps with the whole group's rewards, then every token."""
    head = (
        f"update {row['update']}, group {row['group']}, rollout {row['rollout']} of {len(group)};"
        f" {_asked(row)}; mode {row['mode']}, lambda {row['lambda_intra']:g}"
    )
    reward = "not judged" if row["final_reward"] is None else f"{row['final_reward']:g}"
    finals = " ".join(_short(one["final_reward"]) for one in group)
    end = f"final reward {reward} ({row['reason']}), the group's {finals}: A_final {row['final_advantage']:+.3f}"
    parts: list[RenderableType] = [escape(head), escape(end)]
    if prompt:
        parts.insert(1, escape(row["prompt"]))
    return Group(*parts, steps_table(group, row), tokens_table(row))


def steps_table(group: list[Row], row: Row) -> Table:
    """A line per true anchor: what was predicted, every rollout's reward there, and the advantage in its parts."""
    table = Table("step", "truth", "predicted", "reward", "group", "A_group", "λ·A_intra", "A", box=SIMPLE)
    predicted = [step.text for step in parse_response(row["text"], row["task"]).steps]
    for place, reward in enumerate(_credited(row)):
        by_group, whole = row["group_advantages"][place], row["step_advantages"][place]
        known = row["task"] == "output" and place < len(row["states"])
        others = " ".join(_short(_at(_credited(one), place)) for one in group)
        cells = [
            row["states"][place] if known else "of its own input",
            predicted[place] if place < len(predicted) else "missing",
            _short(reward),
            others,
            *(f"{value:+.3f}" for value in (by_group, whole - by_group, whole)),
        ]
        table.add_row(str(place + 1), *map(escape, cells))
    return table


def tokens_table(row: Row) -> Table:
    """A line per token: its step, the step's reward and advantage in their parts, and what the token got."""
    table = Table("token", "text", "step", "reward", "A_group", "λ·A_intra", "A_final", "advantage", box=SIMPLE)
    rewards = _credited(row)
    for place, (text, advantage) in enumerate(zip(row["tokens"], row["advantages"], strict=True)):
        step = next((i for i, (start, end) in enumerate(row["spans"]) if start <= place < end), None)
        cells = ["", "", "", ""]
        if step is not None:
            by_group, whole = row["group_advantages"][step], row["step_advantages"][step]
            cells = [str(step + 1), _short(rewards[step]), f"{by_group:+.3f}", f"{whole - by_group:+.3f}"]
        shown = [str(place), repr(text)[1:-1], *cells, f"{row['final_advantage']:+.3f}", f"{advantage:+.3f}"]
        table.add_row(*map(escape, shown))
    return table


def _asked(row: Row) -> str:
    return f"{row['task']} prediction of {row['call']}" if row["call"] else f"{row['task']} {row['program_id']}"


def _credited(row: Row) -> list[float | None]:
    rewards: list[float | None] = row["own_rewards"] or row["step_rewards"]
    return rewards


def _at(values: list[float | None], place: int) -> float | None:
    return values[place] if place < len(values) else None


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
