"""The dry run on a terminal: what `training.plan` found, as tables, or as JSON for other programs."""

from __future__ import annotations

import json
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.settings import Settings
from tasks.start_needs import start_needs
from training.config import load_recipe
from training.memory import GIB
from training.plan import Plan, StageMemory, plan


def show_plan(
    out: Console,
    *,
    recipe: str,
    programs: str | None,
    changes: dict[str, object] | None,
    settings: Settings,
    gpu_memory_gib: float | None,
    as_json: bool,
) -> bool:
    """Print the plan of a recipe; whether it works."""
    loaded = load_recipe(recipe, changes)
    found = plan(
        loaded,
        programs=Path(programs) if programs else None,
        benchmarks=settings.benchmarks,
        gpu_memory_gib=gpu_memory_gib,
        more_needs=start_needs(settings, loaded),
    )
    if as_json:
        print(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
    else:
        print_plan(found, out)
    return found.works


def print_plan(found: Plan, out: Console) -> None:
    """Needs, batches, memory, notes and problems, in this order."""
    trained = f", {found.trained:,} of them trained" if found.trained != found.parameters else ""
    model = (
        f"{found.parameters:,} parameters{trained}, sizes from {found.sizes_from}" if found.parameters else "unknown"
    )
    out.print(escape(f"recipe {found.recipe}; model: {model}"))
    gib = "of unknown memory" if found.device.gib is None else f"{found.device.gib:.1f} GiB"
    out.print(escape(f"device: {gib} ({found.device.source})"))
    if found.needs:
        table = _table("must be there", "found", "")
        for need in found.needs:
            table.add_row(need.what, escape(need.found), "ok" if not need.problem else "missing")
        out.print(table)
    table = _table("stage", "an update", "value", "how")
    table.columns[2].justify = "right"
    for line in found.batches:
        table.add_row(line.stage, line.what, f"{line.value:,}", escape(line.formula))
    out.print(table)
    for memory in found.memory:
        out.print(_memory_table(memory))
    for note in found.notes:
        out.print(escape(f"note: {note}"))
    for problem in found.problems:
        out.print(escape(f"problem: {problem}"), style="bold red")
    out.print("this recipe can work" if found.works else f"this recipe can't work: {len(found.problems)} problems")


def _memory_table(memory: StageMemory) -> Table:
    table = _table(f"memory of a device, {memory.stage}", "GiB", "when", "how")
    table.columns[1].justify = "right"
    for line in memory.lines:
        table.add_row(line.what, f"{line.num_bytes / GIB:.2f}", line.phase, escape(line.formula))
    verdict = {True: "fits", False: "does not fit", None: "not compared"}[memory.fits]
    table.add_section()
    table.add_row(
        "at the peak", f"{memory.total_gib:.2f}", "", f"{verdict}; the larger of training and generation counts"
    )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
