"""Examples of the task "code": a function to write, from traced programs with a hole or from a file of problems.

A file (`slice.problems`, JSONL) has one problem per line: `prompt` in words, `tests` (assertions that compare a call on
literals with a literal), `entry_point`, and where known `reference`, a program that passes them; the prompt shows all
that the model is to know. No such file comes with the project.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpus.holes import holed_problem
from evaluation.code_problems import CodeProblem, code_prompt, usable
from evaluation.prompts import CODE
from evaluation.unit_tests import MAX_TESTS, read_test
from execution.program import content_id
from execution.sandbox import Sandbox
from training.config import Recipe
from training.errors import ExamplesError
from training.examples import Encoded, Example, encoded_within_limits
from training.held_out_rows import MEASURED_SEED, held_out_traces
from training.trace_pool import Traces, placed_by_hash

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def corpus_problems(recipe: Recipe, traces: Traces, purpose: str) -> Iterator[CodeProblem]:
    """One problem per source that allows it, in a random order that depends on seed and purpose alone."""
    for of_source in traces.drawn_sources(recipe.seed, purpose):
        problem = holed_problem(of_source, recipe.seed, recipe.slice.code_hole)
        if problem is not None:
            yield problem


def read_problems(path: Path) -> list[CodeProblem]:
    """The problems of a file; ExamplesError names a line that is none. Tests after the first MAX_TESTS don't count."""
    if not path.is_file():
        raise ExamplesError(f"slice.problems: no file at {path}")
    problems = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            problems.append(_problem(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise ExamplesError(f"{path}, line {number}: no problem: {type(error).__name__}: {error}") from error
    return problems


def _problem(row: dict[str, Any]) -> CodeProblem:
    entry_point, prompt, tests = str(row["entry_point"]), str(row["prompt"]), [str(test) for test in row["tests"]]
    if not tests:
        raise ValueError("it has no tests")
    problem_id = content_id("problem", prompt, tests)
    return CodeProblem(
        problem_id=problem_id,
        cluster=problem_id,
        entry_point=entry_point,
        text=prompt,
        tests=tuple(read_test(test, entry_point) for test in tests[:MAX_TESTS]),
        reference=str(row.get("reference") or "").strip("\n"),
    )


def problems_of(recipe: Recipe, traces: Traces, purpose: str) -> Iterator[CodeProblem]:
    """The problems that a stage trains on: those of the file where the recipe names one, else the corpus's own."""
    if not recipe.slice.problems:
        return corpus_problems(recipe, traces, purpose)
    found = read_problems(Path(recipe.slice.problems))
    return iter(placed_by_hash(recipe.seed, purpose, found, lambda problem: problem.problem_id))


def code_example(recipe: Recipe, problem: CodeProblem) -> Example:
    """The prompt, and the reference as the response that SFT teaches ("" where none is known)."""
    response = ""
    if problem.reference:
        thought = f"<reasoning>{problem.missing}</reasoning>" if problem.missing else ""
        response = f"{thought}<answer>\n{problem.reference}\n</answer>"
    return Example(CODE, code_prompt(problem, recipe.slice.prompt_style).text, response, None, problem)


def sft_code_examples(recipe: Recipe, traces: Traces) -> dict[str, list[Example]]:
    """Examples of "code", no more than the run can use; nothing where the recipe has no share of them."""
    count = -(-recipe.sft.updates * recipe.sft.batch_size * recipe.slice.code // 1)
    if not count:
        return {}
    with_reference = (one for one in problems_of(recipe, traces, CODE) if one.reference)
    found = [code_example(recipe, problem) for problem in islice(with_reference, int(count))]
    return {CODE: found} if found else {}


def rl_code_examples(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, traces: Traces, sandbox: Sandbox | None
) -> list[Encoded]:
    """Prompts for the share `slice.rl_code` of the run, each different, at most as many as the run has places.

    The sandbox finds the tests that tell something. ExamplesError where no problem fits.
    """
    count = round(recipe.rl.updates * recipe.rl.prompts_per_update * recipe.slice.rl_code)
    if not count:
        return []
    assert sandbox is not None, "tests are chosen in a sandbox"
    fitting: list[Encoded] = []
    for problem in problems_of(recipe, traces, f"rl {CODE}"):
        if len(fitting) == count:
            break
        encoded = encoded_within_limits(recipe, tokenizer, [code_example(recipe, problem)])
        if encoded and (told := usable(problem, sandbox)):
            fitting.append(replace(encoded[0], example=replace(encoded[0].example, problem=told)))
    if not fitting:
        raise ExamplesError(
            "no code problem fits the recipe: sources need two calls with literal results (corpus.inputs_per_program)"
            f" and at most {recipe.slice.max_prompt_tokens} prompt tokens"
        )
    return fitting


def held_out_problems(recipe: Recipe, dataset: Path, model: Path, sandbox: Sandbox) -> list[CodeProblem]:
    """Problems of held-out programs alone, at most evaluation.held_out_programs, that fit the recipe's limits by the
    tokenizer in the folder `model`; the same for every model of one tokenizer."""
    from training.model import load_tokenizer

    tokenizer = load_tokenizer(str(model))
    measured = recipe.model_copy(update={"seed": MEASURED_SEED})
    found: list[CodeProblem] = []
    for problem in corpus_problems(measured, held_out_traces(recipe, dataset), f"held-out {CODE}"):
        if len(found) == recipe.evaluation.held_out_programs:
            break
        fits = encoded_within_limits(recipe, tokenizer, [code_example(recipe, problem)])
        if fits and (told := usable(problem, sandbox)):
            found.append(told)
    return found
