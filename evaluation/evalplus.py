"""EvalPlus: HumanEval+ (164 tasks) and MBPP+ (378), with many more inputs per task (Liu et al., arXiv 2305.01210).

Data: the releases HumanEvalPlus.jsonl.gz (v0.1.10) and MbppPlus.jsonl.gz (v0.2.0) of evalplus/humanevalplus_release
and evalplus/mbppplus_release, which hold inputs and a reference solution; or Hugging Face evalplus/humanevalplus and
evalplus/mbppplus, which hold one test program per task instead. Licence: Apache-2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evaluation.benchmark_files import About, BenchmarkError, Download, Schema, find_files, read_rows
from evaluation.evalplus_inputs import restored

LICENCE = "Apache-2.0"
Dataset = Literal["humaneval", "mbpp"]
_RELEASES = "https://github.com/evalplus"
HUMANEVAL_PLUS = About(
    "humaneval_plus",
    LICENCE,
    "github.com/evalplus/humanevalplus_release v0.1.10, Hugging Face evalplus/humanevalplus",
    num_rows=164,
    patterns=("HumanEvalPlus.jsonl.gz", "HumanEvalPlus.jsonl", "data/test-*.parquet", "test-*.parquet", "dev.jsonl"),
    downloads=(
        Download(
            "url",
            f"{_RELEASES}/humanevalplus_release/releases/download/v0.1.10/HumanEvalPlus.jsonl.gz",
            "HumanEvalPlus.jsonl.gz",
        ),
    ),
)
MBPP_PLUS = About(
    "mbpp_plus",
    LICENCE,
    "github.com/evalplus/mbppplus_release v0.2.0, Hugging Face evalplus/mbppplus",
    num_rows=378,
    patterns=("MbppPlus.jsonl.gz", "MbppPlus.jsonl", "data/test-*.parquet", "test-*.parquet", "dev.jsonl"),
    downloads=(
        Download(
            "url",
            f"{_RELEASES}/mbppplus_release/releases/download/v0.2.0/MbppPlus.jsonl.gz",
            "MbppPlus.jsonl.gz",
        ),
    ),
)
_INPUTS: Schema = {
    "task_id": str,
    "prompt": str,
    "entry_point": str,
    "canonical_solution": str,
    "base_input": list,
    "plus_input": (list, dict),
    "atol": (int, float),
    "contract": str,
}
_HUMANEVAL_PROGRAM: Schema = {
    "task_id": str,
    "prompt": str,
    "entry_point": str,
    "canonical_solution": str,
    "test": str,
}
_MBPP_PROGRAM: Schema = {"task_id": (int, str), "prompt": str, "code": str, "test": str, "test_list": list}


@dataclass(frozen=True)
class EvalPlusRow:
    """One task: `prompt` + `solution` is a program (MBPP's prompt is a docstring).

    `base_inputs` and `plus_inputs` are argument lists; a row of the Hub's form has none but `test`, a program that
    checks all inputs, and, for MBPP, `base_tests`, assertions.
    """

    item_id: str
    dataset: Dataset
    prompt: str
    entry_point: str
    solution: str
    base_inputs: tuple[tuple[Any, ...], ...] = ()
    plus_inputs: tuple[tuple[Any, ...], ...] = ()
    atol: float = 0.0
    contract: str = ""
    test: str | None = None
    base_tests: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        return self.prompt + self.solution


def load_humaneval_plus(folder: Path) -> list[EvalPlusRow]:
    """The rows in `folder` (or its subfolder humaneval_plus), in order. BenchmarkError where there are none."""
    return _load(Path(folder), HUMANEVAL_PLUS, "humaneval")


def load_mbpp_plus(folder: Path) -> list[EvalPlusRow]:
    """The rows in `folder` (or its subfolder mbpp_plus), in order. BenchmarkError where there are none."""
    return _load(Path(folder), MBPP_PLUS, "mbpp")


def _load(folder: Path, about: About, dataset: Dataset) -> list[EvalPlusRow]:
    paths = find_files(folder, about)
    rows: list[EvalPlusRow] = []
    for path in paths:
        rows += rows_of(path, dataset)
    about.check_count(len(rows), paths[0])
    return rows


def rows_of(path: Path, dataset: Dataset) -> list[EvalPlusRow]:
    """The rows of one file, in either of the two forms. BenchmarkError where it has none of them."""
    given = read_rows(path, {"task_id": (int, str)}, "task_id")
    if "base_input" in given[0]:
        return [_with_inputs(row, dataset) for row in read_rows(path, _INPUTS, "task_id")]
    if dataset == "humaneval":
        return [
            EvalPlusRow(
                row["task_id"],
                dataset,
                row["prompt"],
                row["entry_point"],
                row["canonical_solution"],
                test=row["test"],
            )
            for row in read_rows(path, _HUMANEVAL_PROGRAM, "task_id")
        ]
    return [_mbpp_with_program(row) for row in read_rows(path, _MBPP_PROGRAM, "task_id")]


def _with_inputs(row: dict[str, Any], dataset: Dataset) -> EvalPlusRow:
    task_id = row["task_id"]
    inputs = []
    for name in ("base_input", "plus_input"):
        given = row[name] or []  # an empty set of inputs is written as {} in some rows
        try:
            full = restored(task_id, given) if dataset == "mbpp" else given
            inputs.append(tuple(tuple(arguments) for arguments in full))
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise BenchmarkError(f"{task_id}: {name} is not of the form it should be: {error}") from error
    return EvalPlusRow(
        task_id,
        dataset,
        row["prompt"],
        row["entry_point"],
        row["canonical_solution"],
        inputs[0],
        inputs[1],
        float(row["atol"]),
        row["contract"],
    )


def _mbpp_with_program(row: dict[str, Any]) -> EvalPlusRow:
    """A row of evalplus/mbppplus: its prompt is a sentence, so it becomes the docstring that the release has."""
    name = next(iter(_defined(row["code"], row["test_list"])), "")
    number = str(row["task_id"]).rpartition("/")[2]
    first = "\n".join(row["test_list"][:1])
    return EvalPlusRow(
        f"Mbpp/{number}",
        "mbpp",
        f'"""\n{row["prompt"]}\n{first}\n"""\n',
        name,
        row["code"],
        test=row["test"],
        base_tests=(*row.get("test_imports", ()), *row["test_list"]),
    )


def _defined(code: str, tests: list[str]) -> list[str]:
    """Names of the functions that a program defines at its top and its tests speak of, the last first."""
    import ast

    try:
        body = ast.parse(code).body
    except SyntaxError as error:
        raise BenchmarkError(f"a reference solution of MBPP+ is no Python: {error}") from error
    names = [one.name for one in body if isinstance(one, ast.FunctionDef)]
    return [name for name in reversed(names) if any(f"{name}(" in test for test in tests)]
