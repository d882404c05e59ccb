"""What stage one does to stage two: execution reasoning before writing programs, at small scale.

    python -m benchmarks.stages --size full --home .stepcode/benchmark-stages      (half an hour on two cores)
    python -m benchmarks.stages --size full --start-states 3                       (SFT on short programs alone)
    python -m benchmarks.stages --size quick                                       (minutes: shows that it runs)

Every arm begins with one SFT on both tasks. "code" is RL of programs paid by unit tests; "execution" is Bi-Level GRPO
on output prediction; "execution, code" is the second after the first. Against "code" it has had stage one besides, so
"code, code" is there too, which has had the same number of updates in all, every one on programs. Answers are greedy;
intervals are over programs and seeds at once (`evaluation.crossed`). Two trainings run side by side, each on one
thread. Every training and every evaluation is a step that is found again, so a run that was stopped goes on. The
figures are also written to stages.json in the reports folder of the home.
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from benchmarks.embedded import QUICK, use_home
from benchmarks.stages_figures import Rows, as_json, figures, table

if TYPE_CHECKING:
    from tasks.steps import Output

RECIPE = Path(__file__).parent / "recipes" / "stages.toml"
STAGES: dict[str, dict[str, Any]] = {
    "execution": {"rl.mode": "bilevel", "slice.rl_code": 0.0},
    "code": {"rl.mode": "terminal", "slice.rl_code": 1.0},
}
SECOND_STAGE = "code"
NEXT_SEED = 100  # a second stage meets its prompts in another order


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
    parser.add_argument("--parallel", type=int, default=2, help="trainings side by side, each on one thread")
    parser.add_argument(
        "--start-states",
        type=int,
        help="most anchors of what SFT shows; longer ones are for the stages to teach",
    )
    given = parser.parse_args()
    os.environ.setdefault("STEPCODE_WORKERS", "1")  # of each of them
    use_home(given.home)
    size = SIZES[given.size]
    start = {} if given.start_states is None else {"slice.max_states": given.start_states}
    run(size, start, given.seeds or size.seeds, given.parallel, Console(width=140))


def run(size: Size, start_changes: dict[str, Any], num_seeds: int, parallel: int, out: Console) -> None:
    """Train and measure what is not done yet, then print the table and write the figures. `start_changes`: of the
    recipe, for SFT alone."""
    from flows.refresh_data import refresh_data
    from tasks.evaluate import evaluate_model, read_rows
    from tasks.train import train_stage
    from tasks.workspace import current_workspace
    from training.config import load_recipe

    workspace = current_workspace()
    base = load_recipe(str(RECIPE), size.changes)
    dataset = refresh_data(recipe=str(RECIPE), changes=size.changes).published.outputs["dataset"]
    start_recipe = load_recipe(str(RECIPE), size.changes | start_changes)
    start = train_stage(workspace, start_recipe, "sft", {"dataset": dataset})

    def answered(model: Output) -> Rows:
        done = evaluate_model(workspace, base, model, dataset, "stages")
        return read_rows(workspace, done.outputs["rows"], workspace.home / "cache")

    def measured(one: tuple[int, str]) -> dict[tuple[str, ...], Rows]:
        """Of one seed, the answers after a first stage, and after the second that follows it."""
        seed, first = one
        found: dict[tuple[str, ...], Rows] = {}
        model, arm = start.outputs["model"], tuple[str, ...]()
        for stage in (first, SECOND_STAGE):
            own = {"seed": seed + NEXT_SEED * len(arm), "threads": 1}
            recipe = load_recipe(str(RECIPE), size.changes | STAGES[stage] | own)
            model = train_stage(workspace, recipe, "rl", {"dataset": dataset, "model": model}).outputs["model"]
            arm = (*arm, stage)
            found[arm] = answered(model)
            out.print(f"{', '.join(arm):<16} seed {seed} measured")
        return found

    before = answered(start.outputs["model"])
    runs = [(seed, first) for seed in range(num_seeds) for first in STAGES]
    with ThreadPoolExecutor(parallel) as pool:
        done = dict(zip(runs, pool.map(measured, runs), strict=True))
    arms: dict[str, list[Rows]] = {"SFT": [before] * num_seeds}
    for first in STAGES:
        for arm in done[0, first]:
            arms[", ".join(arm)] = [done[seed, first][arm] for seed in range(num_seeds)]
    found = figures(arms, against="code, code")
    out.print(table(found, num_seeds))
    workspace.reports.mkdir(parents=True, exist_ok=True)
    path = workspace.reports / "stages.json"
    path.write_text(json.dumps(as_json(found, num_seeds), indent=1), "utf-8")
    out.print(f"figures  {path}")


if __name__ == "__main__":
    main()
