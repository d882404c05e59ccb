"""A dataset folder small enough for tests: arithmetic functions whose traces are worked out by running them."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from execution.program import Program
from execution.traces import State, Trace
from training.config import Recipe, load_recipe

TINY = {
    "threads": 1,
    "slice.levels": [1],
    "slice.output": 0.8,
    "slice.input": 0.2,
    "slice.questions": 0.0,
    "slice.max_prompt_tokens": 200,
    "slice.max_response_tokens": 300,
    "slice.rl_input": 0.0,
    "slice.rl_share": 0.3,
    "model.hidden_size": 32,
    "model.num_layers": 1,
    "model.num_heads": 2,
    "model.num_kv_heads": 1,
    "model.intermediate_size": 48,
    "sft.updates": 6,
    "sft.batch_size": 4,
    "sft.checkpoint_every": 3,
    "sft.evaluate_every": 3,
    "rl.updates": 4,
    "rl.prompts_per_update": 2,
    "rl.group_size": 3,
    "rl.max_completion_tokens": 24,
    "rl.checkpoint_every": 2,
    "rl.evaluate_every": 2,
    "evaluation.curve_programs": 3,
    "evaluation.max_new_tokens": 24,
}


def tiny_recipe(**changes: object) -> Recipe:
    """The recipe `tiny`, made as small as a test wants; `changes` have `__` for the dot of a key."""
    return load_recipe("tiny", TINY | {key.replace("__", "."): value for key, value in changes.items()})


def taught_recipe(**changes: object) -> Recipe:
    """A tiny recipe whose model learns a few programs by heart, and whose batches two processes can share."""
    given = {
        "model__hidden_size": 48,
        "slice__output": 1.0,
        "slice__input": 0.0,
        "slice__rl_share": 0.0,
        "sft__batch_size": 16,
        "sft__micro_batches": 2,
        "rl__prompts_per_update": 3,
        "rl__group_size": 4,
        "rl__micro_batches": 2,
        "rl__max_completion_tokens": 70,
        "evaluation__max_new_tokens": 70,
    }
    return tiny_recipe(**(given | changes))


def make_trace(lines: list[tuple[str, str]], argument: int, level: int | None = 1) -> Trace:
    """The trace of `f(x)` that assigns each (name, expression) in turn and returns the last name."""
    body = "".join(f"    {name} = {expression}\n" for name, expression in lines)
    anchored = "".join(f"    {name} = {expression}\n    print(f'{name}: {{{name}}}')\n" for name, expression in lines)
    end = f"    return {lines[-1][0]}\n"
    names: dict[str, int] = {"x": argument}
    states = []
    for index, (name, expression) in enumerate(lines):
        names[name] = eval(expression, {}, names)
        states.append(State(index, name, f"{name}: {names[name]}"))
    program = Program(f"def f(x):\n{body}{end}", f"f({argument})", "test", level)
    result = str(names[lines[-1][0]])
    return Trace(
        program, f"def f(x):\n{anchored}{end}", tuple(states), result, "int", None, "", (), False, {"test": "1"}
    )


def random_traces(seed: int) -> list[Trace]:
    """Two calls of one random program of two or three statements."""
    rng = random.Random(seed)
    names, lines = ["x"], []
    for name in "abc"[: rng.randint(2, 3)]:
        expression = f"{rng.choice(names)} {rng.choice('+-*')} {rng.choice([*names, str(rng.randint(1, 9))])}"
        lines.append((name, expression))
        names.append(name)
    return [make_trace(lines, argument) for argument in rng.sample(range(10), 2)]


def row(trace: Trace) -> dict[str, object]:
    """A row of the dataset, with the columns that training reads."""
    return {
        "program_id": trace.program.program_id,
        "source_id": trace.program.source_id,
        "level": trace.program.level,
        "num_states": len(trace.states),
        "trace": trace.to_json(),
    }


def write_dataset(folder: Path, num_train: int = 20, num_held_out: int = 8) -> Path:
    """A dataset folder with that many programs (two calls each) on either side."""
    folder.mkdir(parents=True, exist_ok=True)
    sides = (("train", range(num_train)), ("held_out", range(1000, 1000 + num_held_out)))
    for split, seeds in sides:
        rows = {str(line["program_id"]): line for seed in seeds for line in map(row, random_traces(seed))}
        table = pa.Table.from_pylist([rows[key] for key in sorted(rows)])
        pq.write_table(table, folder / f"{split}.parquet")
    return folder
