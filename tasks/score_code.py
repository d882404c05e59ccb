"""Score generated programs that someone already has: EvalPlus' tasks, and LiveCodeBench's problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from evaluation import evalplus, livecodebench_code
from evaluation.benchmark_files import BenchmarkError, read_rows
from evaluation.evalplus import Dataset
from evaluation.jails import Jails
from evaluation.scorers import evalplus as evalplus_scorer
from evaluation.scorers import livecodebench_code as livecodebench_scorer
from evaluation.scorers.evalplus import References
from evaluation.scorers.judgement import Judgement, Mode, pass_at_k

Inputs = Literal["base", "plus"]
Row = dict[str, Any]


def score_evalplus(
    dataset: Dataset, data: Path, answers: Path, inputs: Inputs, mode: Mode, backend: str = "bubblewrap"
) -> Iterator[Row]:
    """Each answer line (`id`, `generations`: whole programs) judged on the base inputs, or on all ("plus"): `id`,
    `verdict_per_generation`, `reasons`, `results` (those that could be judged), `pass_at_1`. Raises BenchmarkError."""
    rows = {row.item_id: row for row in evalplus.rows_of(data, dataset)}
    references = References()
    with Jails(backend) as jails:

        def judge(name: str, program: str) -> Judgement:
            base, plus = evalplus_scorer.judge_program(rows[name], program, mode, jails, references)
            return base if inputs == "base" else plus

        yield from _judged(answers, rows, judge, data)


def score_livecodebench_code(data: Path, answers: Path, mode: Mode, backend: str = "bubblewrap") -> Iterator[Row]:
    """Like `score_evalplus`, for problems in the folder `data`; `id` is the question_id."""
    rows = {row.item_id: row for row in livecodebench_code.load(data)}
    with Jails(backend) as jails:

        def judge(name: str, program: str) -> Judgement:
            return livecodebench_scorer.judge_program(rows[name], program, mode, jails)

        yield from _judged(answers, rows, judge, data)


def _judged(
    answers: Path, rows: Mapping[str, Any], judge: Callable[[str, str], Judgement], data: Path
) -> Iterator[Row]:
    given = read_rows(answers, {"id": str, "generations": list}, "id")
    for one in given:
        if one["id"] not in rows:
            raise BenchmarkError(f"{answers}: {one['id']!r} is not in {data}")
        if not all(isinstance(program, str) for program in one["generations"]):
            raise BenchmarkError(f"{answers}: {one['id']!r}: a generation that is no text")
    for one in given:
        known = {program: judge(one["id"], program) for program in dict.fromkeys(one["generations"])}
        judged = [known[program] for program in one["generations"]]
        results = [seen.correct for seen in judged if seen.correct is not None]
        yield {
            "id": one["id"],
            "verdict_per_generation": [seen.correct for seen in judged],
            "reasons": [seen.reason for seen in judged],
            "results": results,
            "pass_at_1": pass_at_k(len(results), sum(results), 1),
        }
