"""What stage one does to stage two: execution reasoning before writing programs, at small scale.

    python -m benchmarks.stages --size full --home .stepcode/benchmark-stages      (hours on two cores)
    python -m benchmarks.stages --size quick                                       (minutes: shows that it runs)

Every arm begins with one SFT on both tasks. "code" is RL of programs paid by unit tests; "execution" is Bi-Level GRPO
on output prediction; "execution, code" is the second after the first, with as many updates on programs as "code" has.
It differs from "code" by stage one alone, and has had more updates in all: whether a better figure comes from
execution or from more RL, this does not tell. Answers are greedy; intervals are over programs and seeds at once
(`evaluation.crossed`). Every training and every evaluation is a step that is found again, so a run that was stopped
goes on. The figures are also written to stages.json in the reports folder of the home.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from benchmarks.embedded import QUICK, use_home
from benchmarks.stages_figures import Rows, as_json, figures, table

if TYPE_CHECKING:
    from tasks.steps import Output, StepResult

RECIPE = Path(__file__).parent / "recipes" / "stages.toml"
STAGES: dict[str, dict[str, Any]] = {
    "execution": {"rl.mode": "bilevel", "slice.rl_code": 0.0},
    "code": {"rl.mode": "terminal", "slice.rl_code": 1.0},
}
ARMS: tuple[tuple[str, ...], ...] = (("code",), ("execution",), ("execution", "code"))


@dataclass(frozen=True)
class Size:
    """How much: seeds per arm, and changes of the recipe."""

    seeds: int
    changes: dict[str, Any]


SIZES = {
    "quick": Size(
        2,
        QUICK | {"evaluation.held_out_programs": 20},
    ),
    "full": Size(3, {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="quick")
    parser.add_argument("--seeds", type=int, default=None, help="another number of seeds than the size's")
    parser.add_argument("--home", type=Path, default=Path(".stepcode/benchmark-stages"))
    given = parser.parse_args()
    use_home(given.home)
    size = SIZES[given.size]
    run(size, given.seeds or size.seeds, Console(width=140))


def run(size: Size, num_seeds: int, out: Console) -> None:
    """Train and measure what is not done yet, then print the table and write the figures."""
    from flows.refresh_data import refresh_data
    from tasks.evaluate import evaluate_model, read_rows
    from tasks.progress import use_console
    from tasks.train import train_stage
    from tasks.workspace import current_workspace
    from training.config import load_recipe

    use_console(out)
    workspace = current_workspace()
    base = load_recipe(str(RECIPE), size.changes)
    dataset = refresh_data(recipe=str(RECIPE), changes=size.changes).published.outputs["dataset"]
    start = train_stage(workspace, base, "sft", {"dataset": dataset})

    def trained(arm: tuple[str, ...], seed: int) -> StepResult:
        """The arm's stages one after the other, each from the model before it; found again where it is done."""
        made = start
        for stage in arm:
            recipe = load_recipe(str(RECIPE), {**size.changes, **STAGES[stage], "seed": seed})
            made = train_stage(workspace, recipe, "rl", {"dataset": dataset, "model": made.outputs["model"]})
        return made

    def answered(model: Output) -> Rows:
        done = evaluate_model(workspace, base, model, dataset, "stages")
        return read_rows(workspace, done.outputs["rows"], workspace.home / "cache")

    arms: dict[str, list[Rows]] = {"SFT": [answered(start.outputs["model"])] * num_seeds}
    for arm in ARMS:
        models = [trained(arm, seed) for seed in range(num_seeds)]
        arms[", ".join(arm)] = [answered(model.outputs["model"]) for model in models]
        out.print(f"{', '.join(arm):<16} measured on {num_seeds} seeds")
    found = figures(arms, against="code")
    out.print(table(found, num_seeds))
    workspace.reports.mkdir(parents=True, exist_ok=True)
    path = workspace.reports / "stages.json"
    path.write_text(json.dumps(as_json(found, num_seeds), indent=1), "utf-8")
    out.print(f"figures  {path}")


if __name__ == "__main__":
    main()
