"""The main job under several seeds: accuracy before and after Bi-Level GRPO, each with its 95 % interval.

    python -m benchmarks.seeds --seeds 3 --recipe tiny --home .stepcode/benchmark-seeds

A seed draws the synthesised programs, the initial weights, the order of training and the rollouts. Steps that are
complete are found again, so a run that was stopped goes on. Takes one `make demo` per seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.embedded import use_home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0")
    parser.add_argument("--recipe", default="tiny")
    parser.add_argument("--home", type=Path, default=Path(".stepcode/benchmark-seeds"))
    arguments = parser.parse_args()
    use_home(arguments.home)

    from flows.train_bilevel import train_bilevel
    from tasks.outcome import AFTER, BEFORE, percent
    from tasks.progress import use_console

    out = Console(width=120)
    use_console(out)
    columns = ["seed", "task", "n", f"step {BEFORE}", f"step {AFTER}", f"final {BEFORE}", f"final {AFTER}", "change"]
    table = Table(*columns, title="right on held-out programs, % [95 % interval]; change of final, paired", box=SIMPLE)
    for seed in range(arguments.seeds):
        outcome = train_bilevel(recipe=arguments.recipe, changes={"seed": seed})
        for one in outcome.comparisons:
            values = (one.before.step, one.after.step, one.before.final, one.after.final, one.change)
            table.add_row(str(seed), one.name, str(one.after.num_judged), *map(percent, values))
    out.print(table)


if __name__ == "__main__":
    main()
