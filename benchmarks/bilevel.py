"""Credit rules side by side: one SFT start, the same updates, the same held-out programs, several seeds.

    python -m benchmarks.bilevel --size full --home .stepcode/benchmark-bilevel      (about an hour on two cores)
    python -m benchmarks.bilevel --size full --arms terminal,bilevel,dependence,bilevel+center_intra
    python -m benchmarks.bilevel --size full --arms bilevel,bilevel+dynamic --rates 1e-4 --seeds 3
    python -m benchmarks.bilevel --size gpu --seeds 2         (50M parameters, ten times the updates, CRUXEval beside)
    python -m benchmarks.bilevel --size quick                                        (minutes: shows that it runs)

An arm is a word of `rl.mode`, with `+` and the name of one of OPTIONS where one is switched on. Two are trained side by
side, each on one thread. The start has seen chains of up to five anchors alone (START), RL trains on one to ten: what
is measured is what a rule teaches of longer chains, not how it polishes what SFT taught.

An arm's learning rate is the one with the best reward of samples on programs of its own, not on those that it is
measured on; where the best is at an end of the grid, rates beyond it are tried too. Then every seed draws other
rollouts and another order of prompts from the same start. Answers are greedy and sampled; intervals are over programs
and seeds at once (`evaluation.crossed`). Every training and every evaluation is a step that is found again, so a run
that was stopped goes on. The table and figures are also written to bilevel.json and bilevel.html in the reports folder
of the home.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from benchmarks.bilevel_figures import Answers, as_json, figures, page, tables
from benchmarks.embedded import QUICK, use_home
from benchmarks.shown import step_share

if TYPE_CHECKING:
    from tasks.steps import Output, StepResult
    from tasks.workspace import Workspace
    from training.config import Recipe

RECIPE = Path(__file__).parent / "recipes" / "bilevel.toml"
ARMS = ("terminal", "step", "bilevel")
OWN_ARMS = ("first_divergence", "discounted", "dependence", "own_state")
OPTIONS: dict[str, dict[str, Any]] = {
    "center_intra": {"rl.center_intra": True},
    "step_mean": {"rl.step_mean": True},
    "print_only": {"rl.credit_reasoning": False},
    "no_gate": {"rl.format_gate": False},
    "dynamic": {"rl.dynamic_sampling": 2},
    "curriculum": {"rl.curriculum": "anchors"},
}
GPU = {
    "corpus.programs_per_level": [20_000, 4_000, 12_000, 4_000, 2_000, 2_000],
    "corpus.profile": "general",
    "slice.levels": None,
    "slice.max_prompt_tokens": 512,
    "slice.max_response_tokens": 512,
    "tokenizer.vocab_size": 4096,
    "model.hidden_size": 640,
    "model.num_layers": 12,
    "model.num_heads": 10,
    "model.num_kv_heads": 5,
    "model.intermediate_size": 1792,
    "model.max_positions": 1024,
    "sft.updates": 6000,
    "sft.batch_size": 128,
    "sft.micro_batches": 1,
    "sft.evaluate_every": 1000,
    "rl.prompts_per_update": 128,
    "rl.updates": 400,
    "rl.max_completion_tokens": 512,
    "rl.checkpoint_every": 100,
    "rl.evaluate_every": 50,
    "evaluation.max_new_tokens": 512,
}
START = {"slice.max_states": 5}
NUM_SAMPLES = 4
TUNING_SEED = 1000
BEYOND = 3


@dataclass(frozen=True)
class Size:
    """How much: seeds per arm, learning rates tried, programs measured on and tuned on, changes of the recipe, and
    public benchmarks that are asked too (from the folder of the settings)."""

    seeds: int
    rates: tuple[float, ...]
    test_programs: int
    tuning_programs: int
    changes: dict[str, Any]
    benchmarks: tuple[str, ...] = ()


SIZES = {
    "quick": Size(
        2,
        (1e-4,),
        40,
        20,
        QUICK,
    ),
    "full": Size(5, (5e-5, 1e-4, 2e-4), 650, 150, {}),
    "gpu": Size(5, (1e-5, 3e-5, 1e-4), 650, 150, GPU, ("cruxeval",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="quick")
    parser.add_argument("--arms", default=",".join(ARMS), help="all are compared with the first, and with bilevel")
    parser.add_argument("--parallel", type=int, default=2, help="trainings side by side, each on one thread")
    parser.add_argument("--seeds", type=int, default=None, help="another number of seeds than the size's")
    parser.add_argument("--home", type=Path, default=Path(".stepcode/benchmark-bilevel"))
    parser.add_argument("--rates", default="", help="other learning rates than the size's; a single one is not tuned")
    given = parser.parse_args()
    use_home(given.home)
    size = SIZES[given.size]
    if given.rates:
        size = replace(size, rates=tuple(map(float, given.rates.split(","))))
    if size.benchmarks and not os.environ.get("STEPCODE_BENCHMARKS"):
        parser.error(f"this size asks {', '.join(size.benchmarks)} too: name their folder in STEPCODE_BENCHMARKS")
    run(tuple(given.arms.split(",")), size, given.seeds or size.seeds, given.parallel, Console(width=140))


def arm_changes(arm: str) -> dict[str, Any]:
    """The recipe's changes that make an arm; ValueError for an unknown option."""
    mode, *options = arm.split("+")
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise ValueError(f"no option {', '.join(unknown)}; the options are {', '.join(OPTIONS)}")
    return {"rl.mode": mode} | {key: value for option in options for key, value in OPTIONS[option].items()}


def best_rate(rewards: Mapping[float, float], reward: Callable[[float], float]) -> float:
    """The learning rate with the highest of `rewards`, by rate. A best one at an end of those tried has the next one
    beyond it tried too, as far off as its neighbour, until the best has worse ones on both sides or BEYOND more were
    tried: a best rate at the end of its grid is not a tuned one. A single rate is taken as it is."""
    known = dict(rewards)
    for _ in range(BEYOND if len(known) > 1 else 0):
        tried = sorted(known)
        best = max(tried, key=lambda rate: known[rate])
        if best not in (tried[0], tried[-1]):
            break
        inner = tried[1] if best == tried[0] else tried[-2]
        beyond = float(f"{best * best / inner:.6g}")
        known[beyond] = reward(beyond)
    return max(sorted(known), key=lambda rate: known[rate])


def run(arms: Sequence[str], size: Size, num_seeds: int, parallel: int, out: Console) -> None:
    """Train and measure what is not done yet, then print the tables and write the page."""
    from flows.refresh_data import refresh_data
    from tasks.train import read_metrics, train_stage
    from tasks.workspace import current_workspace
    from training.config import load_recipe

    workspace = current_workspace()
    base = load_recipe(str(RECIPE), size.changes)
    dataset = refresh_data(recipe=str(RECIPE), changes=size.changes).published.outputs["dataset"]
    start = train_stage(workspace, load_recipe(str(RECIPE), size.changes | START), "sft", {"dataset": dataset})

    def trained(arm: str, rate: float, seed: int) -> StepResult:
        own = {"rl.learning_rate": rate, "seed": seed, "threads": 1}
        recipe = load_recipe(str(RECIPE), size.changes | arm_changes(arm) | own)
        inputs = {"dataset": dataset, "model": start.outputs["model"]}
        return train_stage(workspace, recipe, "rl", inputs)

    def answered(model: StepResult, tuning: bool) -> list[dict[str, Any]]:
        return _answers(workspace, base, size, model.outputs["model"], dataset, tuning)

    def tuning_reward(model: StepResult) -> float:
        """Mean of final and step rewards of samples, which is what RL raises, on the tuning programs."""
        rows = answered(model, True)
        return sum(bool(row["final_correct"]) + step_share(row) for row in rows) / len(rows)

    def reward(arm: str, rate: float) -> float:
        if len(size.rates) == 1:
            return 0.0
        mean = tuning_reward(trained(arm, rate, TUNING_SEED))
        out.print(f"{arm:<24} learning rate {rate:g}: reward {mean:.3f} on tuning programs")
        return mean

    if len(size.rates) > 1:
        out.print(f"{'start':<24} reward {tuning_reward(start):.3f} on tuning programs")
    with ThreadPoolExecutor(parallel) as pool:
        tried = [(arm, rate) for arm in arms for rate in size.rates]
        rewards = dict(zip(tried, pool.map(lambda one: reward(*one), tried), strict=True))

        def chosen(arm: str) -> float:
            return best_rate({rate: rewards[arm, rate] for rate in size.rates}, lambda rate: reward(arm, rate))

        rates = dict(zip(arms, pool.map(chosen, arms), strict=True))
        before = Answers.of([answered(start, False)])

        def measured(one: tuple[int, str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            seed, arm = one
            model = trained(arm, rates[arm], seed)
            rows = answered(model, False), read_metrics(workspace, model.outputs["metrics"])
            out.print(f"{arm:<24} seed {seed} measured, learning rate {rates[arm]:g}")
            return rows

        # seed by seed, so that a comparison of all arms on fewer seeds is there early
        runs = [(seed, arm) for seed in range(num_seeds) for arm in arms]
        done = dict(zip(runs, pool.map(measured, runs), strict=True))
    after = {arm: Answers.of([done[seed, arm][0] for seed in range(num_seeds)]) for arm in arms}
    curves = {arm: [done[seed, arm][1] for seed in range(num_seeds)] for arm in arms}
    found = figures(before, after, curves, rates, tuned=len(size.rates) > 1)
    for table in tables(found):
        out.print(table)
    workspace.reports.mkdir(parents=True, exist_ok=True)
    (workspace.reports / "bilevel.json").write_text(json.dumps(as_json(found), indent=1), "utf-8")
    (workspace.reports / "bilevel.html").write_text(page(found), "utf-8")
    out.print(f"page  {workspace.reports / 'bilevel.html'}")


def _answers(
    workspace: Workspace, recipe: Recipe, size: Size, model: Output, dataset: Output, tuning: bool
) -> list[dict[str, Any]]:
    """Rows of a model's greedy answer and of its samples at temperature 1 on the held-out programs: the first
    `test_programs` of the fixed order, or for tuning those after them."""
    from evaluation.benchmark_items import benchmark_items
    from evaluation.endpoint import TransformersEndpoint
    from evaluation.harness import Decoding, evaluate
    from evaluation.jails import Jails
    from evaluation.trace_items import items_from_traces
    from execution.traces import Trace
    from tasks.benchmarks import benchmarks_digest
    from tasks.evaluation_rows import read_rows_file, write_rows_file
    from tasks.steps import Made, fetch, run_step
    from tasks.workspace import code_version
    from training.held_out_rows import select_held_out

    first, last = 0, size.test_programs
    if tuning:
        first, last = last, last + size.tuning_programs
    params: dict[str, Any] = {"first": first, "last": last, "samples": NUM_SAMPLES}
    params["code"] = code_version("evaluation", "execution")
    public = None if tuning or not size.benchmarks else workspace.settings.benchmarks
    if public is not None:
        params |= {"names": list(size.benchmarks), "benchmarks": benchmarks_digest(public)}

    def work(folder: Path) -> Made:
        weights, data = fetch(workspace, model, folder), fetch(workspace, dataset, folder)
        rows_of = select_held_out(recipe, data, weights, last)[first:]
        items = items_from_traces([Trace.from_json(row["trace"]) for row in rows_of], tasks=["output"])
        endpoint = TransformersEndpoint(weights, chat=False, threads=1)
        limit = recipe.evaluation.max_new_tokens
        with Jails(workspace.settings.sandbox) as jails:
            sampled = Decoding(limit, temperature=1.0, num_samples=NUM_SAMPLES)
            rows = evaluate(items, endpoint, folder / "sampled.jsonl", jails, sampled)
            if public is not None:
                asked = benchmark_items(public, size.benchmarks, ("steps",), recipe.slice.prompt_style, jails)
                rows += evaluate(asked.items, endpoint, folder / "public.jsonl", jails, Decoding(limit))
            if not tuning:
                rows += evaluate(items, endpoint, folder / "greedy.jsonl", jails, Decoding(limit))
        write_rows_file(rows, folder / "rows.parquet")
        made = Made(summary={"num_items": len(items)})
        made.add("rows", "evaluation", "bench-bilevel", folder / "rows.parquet")
        return made

    done = run_step(
        workspace, "bench-bilevel-answers", params=params, inputs={"model": model, "dataset": dataset}, work=work
    )
    return read_rows_file(fetch(workspace, done.outputs["rows"], workspace.home / "cache"))


if __name__ == "__main__":
    main()
