"""Examples: which rows of a dataset a recipe trains and measures on, and their prompts and responses.

Selection is by content alone (level, number of states, length), in an order drawn from hashes, so that the same
dataset and recipe give the same examples on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow.parquet as pq

from corpus.teacher import TeacherError, reasoning_response
from evaluation.code_problems import CodeProblem
from evaluation.prompts import CODE, input_prompt, output_prompt, question_prompt
from evaluation.questions import VISIT_TASKS, Question, questions, visit_questions
from evaluation.visit_prompts import visit_prompt
from execution.traces import Trace
from training.config import Recipe
from training.data_sections import QUESTION_TASKS
from training.errors import ExamplesError
from training.tokenizer import encode_all
from training.trace_pool import Traces, draw_hash

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

LIGHT_COLUMNS = ["program_id", "source_id", "level", "num_states"]


@dataclass(frozen=True)
class Example:
    """One prompt with the response that SFT teaches, and what rewards are judged by: a trace, or for the task "code" a
    problem with its tests."""

    task: str
    prompt: str
    response: str
    trace: Trace | None
    problem: CodeProblem | None = None
    question: Question | None = None

    @property
    def program_id(self) -> str:
        """Identity of the program that the example was made from; of a problem its own."""
        if self.problem is not None:
            return self.problem.problem_id
        assert self.trace is not None, "an example has a trace or a problem"
        return self.trace.program.program_id


def in_slice(recipe: Recipe, level: int | None, num_states: int) -> bool:
    """Whether a program belongs to the recipe's slice, by what is known before its text is tokenised."""
    part = recipe.slice
    if not part.min_states <= num_states <= part.max_states:
        return False
    if level is None:
        return part.real_programs
    return part.levels is None or level in part.levels


def rows_in_slice(recipe: Recipe, dataset: Path, split: str) -> list[dict[str, Any]]:
    """Light columns and the row number of the split's rows that are in the slice."""
    path = dataset / f"{split}.parquet"
    if not path.is_file():
        raise ExamplesError(f"no {split}.parquet in the dataset folder {dataset}")
    rows = pq.read_table(path, columns=LIGHT_COLUMNS).to_pylist()
    return [
        {**row, "position": position}
        for position, row in enumerate(rows)
        if in_slice(recipe, row["level"], row["num_states"])
    ]


def full_rows(
    dataset: Path, split: str, positions: Sequence[int], columns: list[str] | None = None
) -> list[dict[str, Any]]:
    table = pq.read_table(dataset / f"{split}.parquet", columns=columns)
    rows: list[dict[str, Any]] = table.take(positions).to_pylist()
    return rows


def in_rl_pool(recipe: Recipe, source_id: str) -> bool:
    """Whether a source is kept for RL: decided by its hash, so that more programs move none to the other pool.

    Programs that SFT has shown with their answers teach RL less; CodeReasoner (arXiv 2507.17548) keeps two pools.
    """
    return int(draw_hash(recipe.seed, "pool", source_id)[:13], 16) / 16**13 < recipe.slice.rl_share


def training_traces(recipe: Recipe, dataset: Path, stage: Literal["sft", "rl"]) -> Traces:
    """Traces of the training side that are in the slice and in the stage's pool; ExamplesError where there is none."""
    rows = rows_in_slice(recipe, dataset, "train")
    if not rows:
        raise ExamplesError(
            f"no program of {dataset} is in the recipe's slice (levels {recipe.slice.levels}, real programs"
            f" {recipe.slice.real_programs}, {recipe.slice.min_states} to {recipe.slice.max_states} states)"
        )
    if recipe.slice.rl_share:
        rows = [row for row in rows if in_rl_pool(recipe, row["source_id"]) == (stage == "rl")]
    if not rows:
        raise ExamplesError(f"slice.rl_share = {recipe.slice.rl_share:g} leaves no program of {dataset} for {stage}")
    return traces_of(dataset, "train", rows)


def traces_of(dataset: Path, split: str, rows: Sequence[dict[str, Any]]) -> Traces:
    columns = ["program_id", "trace", "source_id", "num_states", "level"]
    full = full_rows(dataset, split, [row["position"] for row in rows], columns)
    return Traces(*([row[column] for row in full] for column in columns))


def io_example(recipe: Recipe, trace: Trace, task: str) -> Example | None:
    """Output or input prediction on one trace, with the teacher's response; None where there is nothing to teach.

    That is so where the call has no literal result, or, for input prediction, is no plain call of a name.
    """
    style = recipe.slice.prompt_style
    program = trace.program
    if trace.result is None or (task == "input" and program.entry_point is None):
        return None
    if task == "output":
        prompt = output_prompt(trace.instrumented, program.call, style).text
    else:
        prompt = input_prompt(trace.instrumented, program.entry_point or "", trace.result, style).text
    try:
        response = reasoning_response(trace, task, recipe.slice.verbosity)
    except TeacherError:
        return None
    return Example(task, prompt, response, trace)


def question_examples(recipe: Recipe, trace: Trace, per_task: int) -> list[Example]:
    """Questions on one trace of the recipe's `slice.question_tasks`, REval's or ExecVerify's, answered in short."""
    style, wanted = recipe.slice.prompt_style, recipe.slice.question_tasks
    program = trace.program
    found = questions(trace, recipe.seed, per_task) if set(wanted) & set(QUESTION_TASKS) else []
    if set(wanted) & set(VISIT_TASKS):
        found += visit_questions(trace, recipe.seed, per_task)
    return [
        Example(
            question.task,
            (visit_prompt if question.task in VISIT_TASKS else question_prompt)(
                program.source, program.call, question, style
            ).text,
            f"<answer>{question.accepted[0]}</answer>",
            trace,
            question=question,
        )
        for question in found
        if question.task in wanted
    ]


def sft_examples(recipe: Recipe, traces: Traces) -> dict[str, list[Example]]:
    """Examples of every task that the recipe trains, no more of one task than the run can use, at random."""
    part = recipe.slice
    rows = recipe.sft.updates * recipe.sft.batch_size
    found: dict[str, list[Example]] = {}
    for task, share in (("output", part.output), ("input", part.input)):
        for trace in islice(traces.drawn(recipe.seed, task), ceil(rows * share)):
            if example := io_example(recipe, trace, task):
                found.setdefault(task, []).append(example)
    num_asked = ceil(rows * part.questions / len(part.question_tasks))
    for trace in islice(traces.drawn(recipe.seed, "questions"), num_asked):
        for example in question_examples(recipe, trace, per_task=1):
            found.setdefault(example.task, []).append(example)
    return found


@dataclass(frozen=True)
class Encoded:
    """Token ids of an example; the response ends with the end token."""

    example: Example
    prompt_ids: tuple[int, ...]
    response_ids: tuple[int, ...]

    @property
    def length(self) -> int:
        return len(self.prompt_ids) + len(self.response_ids)


def encoded_within_limits(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, examples: Sequence[Example]
) -> list[Encoded]:
    """The examples whose prompt and response fit the recipe's limits, in order."""
    part = recipe.slice
    end_id = tokenizer.eos_token_id
    assert isinstance(end_id, int)
    prompts = encode_all(tokenizer, [example.prompt for example in examples])
    responses = encode_all(tokenizer, [example.response for example in examples])
    return [
        Encoded(example, tuple(prompt_ids), (*response_ids, end_id))
        for example, prompt_ids, response_ids in zip(examples, prompts, responses, strict=True)
        if len(prompt_ids) <= part.max_prompt_tokens and len(response_ids) < part.max_response_tokens
    ]


def rl_examples(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, traces: Traces, code: Sequence[Encoded] = ()
) -> list[Encoded]:
    """One prompt per place in the run's updates, in the order of use: tasks by `slice.rl_input`, `rl_questions` and
    `rl_code`, repeated in their order when all have been used; `code` are the prompts of that task. With a curriculum,
    the run's thirds draw from the easiest third of the traces, from the easier two, and from all."""
    num_prompts = recipe.rl.updates * recipe.rl.prompts_per_update
    part = recipe.slice
    left = num_prompts
    counts: dict[str, int] = {}
    for task, share in ((CODE, part.rl_code), ("questions", part.rl_questions), ("input", part.rl_input)):
        counts[task] = min(left, round(num_prompts * share))
        left -= counts[task]
    taken = {CODE: [code[i % len(code)] for i in range(counts.pop(CODE))]} if counts[CODE] else {}
    for task, count in {"output": left, **counts}.items():
        if task == CODE or not count:
            continue
        if recipe.rl.curriculum == "none":
            taken[task] = _prompts(recipe, tokenizer, task, traces.drawn(recipe.seed, f"rl {task}"), count)
            continue
        taken[task] = []
        for third, places in enumerate(traces.thirds(recipe.rl.curriculum)):
            drawn = traces.drawn(recipe.seed, f"rl {task} {third}", places)
            wanted = count * (third + 1) // 3 - count * third // 3
            taken[task] += _prompts(recipe, tokenizer, task, drawn, wanted) if wanted else []
    return _interleaved(taken)


def _prompts(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, task: str, traces: Iterable[Trace], count: int
) -> list[Encoded]:
    """`count` prompts of a task that fit the recipe's limits, repeated in order where there are fewer."""
    fitting: list[Encoded] = []
    for trace in traces:
        if len(fitting) >= count:
            break
        if task == "questions":
            examples = question_examples(recipe, trace, per_task=1)
        else:
            examples = [example] if (example := io_example(recipe, trace, task)) else []
        fitting += encoded_within_limits(recipe, tokenizer, examples)
    if not fitting:
        raise ExamplesError(
            f"no {task} prompt fits the recipe's limits of {recipe.slice.max_prompt_tokens}"
            f" prompt and {recipe.slice.max_response_tokens} response tokens"
        )
    return [fitting[i % len(fitting)] for i in range(count)]


def _interleaved(pools: dict[str, list[Encoded]]) -> list[Encoded]:
    """All items, each pool spread evenly over the whole."""
    placed = [
        ((place + 0.5) / len(pool), name, item) for name, pool in pools.items() for place, item in enumerate(pool)
    ]
    return [item for _, _, item in sorted(placed, key=lambda entry: entry[:2])]
