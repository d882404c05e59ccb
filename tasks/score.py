"""Score: answers that someone already has, judged by a benchmark's published rule or strictly; no model is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE
from rich.table import Table

from evaluation import reval, reval_truth
from evaluation.benchmark_files import BenchmarkError, read_rows
from evaluation.intervals import Interval, mean_interval
from evaluation.reval import Pair, RevalRow
from evaluation.reval_truth import TRUTH_LIMITS, NoTruth, PointTruth, run_pair, truths
from evaluation.scorers import livecodebench
from evaluation.scorers.completions import OFFICIAL_LIMITS, Completion, Direction, Scored, score_row
from evaluation.scorers.functional import (
    HUMANEVAL_LIMITS,
    MBPP_LIMITS,
    humaneval_task,
    mbpp_task,
    score_generations,
)
from evaluation.scorers.judgement import Judgement, Mode, mean_pass_at_k
from evaluation.scorers.reval import Form, judge_coverage, judge_path, says_covered
from evaluation.scorers.reval_metrics import consistency, coverage_metrics
from evaluation.scorers.reval_output import judge_output
from evaluation.scorers.reval_state import judge_state
from execution.sandbox import Sandbox, open_sandbox

RevalTask = Literal["coverage", "state", "path", "output"]
Row = dict[str, Any]
NO_TRUTH = "no_truth"
_POINT = {"task_id": str, "input_idx": int, "point": int, "generated": str}
_CRUXEVAL: dict[str, type | tuple[type, ...]] = {"id": str, "code": str, "input": str, "output": str}
_ROWS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "cruxeval": _CRUXEVAL,
    "livecodebench": {**_CRUXEVAL, "function_name": str},
    "humaneval": {"task_id": str, "prompt": str, "test": str, "entry_point": str},
    "mbpp": {"task_id": (int, str), "test_list": list},
}


def score_reval(
    data: Path, answers: Path, task: RevalTask, form: Form, mode: Mode, backend: str = "bubblewrap"
) -> Iterator[Row]:
    """Each answer line, in order, with `correct` (None where it can't be judged) and `reason`.

    Raises BenchmarkError for files that are not there, not well-formed, or don't fit each other.
    """
    schema = {name: kind for name, kind in _POINT.items() if name != "point" or task != "output"}
    given = read_rows(answers, schema, [name for name in schema if name != "generated"])
    programs = {row.item_id: row for row in reval.load(data)}
    asked = [_pair(programs, row, answers) for row in given]
    with ExitStack() as stack:
        judge = _RevalJudge(
            stack.enter_context(open_sandbox(backend, limits=TRUTH_LIMITS, packages=reval_truth.PACKAGES)),
            stack.enter_context(open_sandbox(backend, limits=OFFICIAL_LIMITS, packages=reval_truth.PACKAGES)),
            task,
            form,
            mode,
        )
        for row, (program, pair) in zip(given, asked, strict=True):
            judged = judge(program, pair, row)
            yield {**row, "correct": judged.correct, "reason": judged.reason}


def reval_consistency(
    data: Path, answers: Mapping[RevalTask, Path], form: Form, mode: Mode, backend: str = "bubblewrap"
) -> Iterator[Row]:
    """One row: REval's incremental `consistency`, in percent, over the answers to its four tasks. Raises
    BenchmarkError where they are not about the same points."""
    verdicts = {
        task: {_point_of(row): row["correct"] is True for row in score_reval(data, file, task, form, mode, backend)}
        for task, file in answers.items()
    }
    points = sorted(verdicts["coverage"])
    for task in ("state", "path"):
        if sorted(verdicts[task]) != points:
            raise BenchmarkError(f"{answers['coverage']} and {answers[task]} are about different points")
    missing = [point for point in points if (*point[:2], None) not in verdicts["output"]]
    if missing:
        raise BenchmarkError(f"{answers['output']}: no answer for {missing[0][0]}, input {missing[0][1]}")
    coverage, state, path = ([verdicts[task][point] for point in points] for task in ("coverage", "state", "path"))
    output = [verdicts["output"][*point[:2], None] for point in points]
    yield {"consistency": consistency(coverage, state, path, output), "num_points": len(points)}


def _point_of(row: Row) -> tuple[str, int, int | None]:
    return row["task_id"], row["input_idx"], row.get("point")


def _pair(programs: Mapping[str, RevalRow], row: Row, answers: Path) -> tuple[RevalRow, Pair]:
    where = f"{answers}: {row['task_id']}, input {row['input_idx']}"
    program = programs.get(row["task_id"])
    if program is None:
        raise BenchmarkError(f"{where}: there is no such program in the data")
    found = [pair for pair in program.pairs if pair.input_index == row["input_idx"]]
    if not found:
        raise BenchmarkError(f"{where}: the data asks nothing about this input")
    if "point" in row and not 0 <= row["point"] < len(found[0].points):
        raise BenchmarkError(f"{where}: point {row['point']} of {len(found[0].points)}")
    return program, found[0]


class _RevalJudge:
    """Judges answers; the truth about an input is found once."""

    def __init__(self, truth_jail: Sandbox, jail: Sandbox, task: RevalTask, form: Form, mode: Mode) -> None:
        self.truth_jail = truth_jail
        self.jail = jail
        self.task = task
        self.form = form
        self.mode = mode
        self.known: dict[tuple[str, int], list[PointTruth] | None] = {}

    def __call__(self, program: RevalRow, pair: Pair, row: Row) -> Judgement:
        text = row["generated"]
        if self.task == "output":
            return judge_output(text, self.form, program, pair, self.mode, self.jail)
        known = self._truths(program, pair)
        if known is None:
            return Judgement(None, NO_TRUTH)
        truth = known[row["point"]]
        if self.task == "coverage":
            return judge_coverage(text, self.form, truth, self.mode)
        if self.task == "path":
            return judge_path(text, self.form, truth, program.source, self.mode)
        return judge_state(text, self.form, truth, self.mode, self.jail)

    def _truths(self, program: RevalRow, pair: Pair) -> list[PointTruth] | None:
        key = program.item_id, pair.input_index
        if key not in self.known:
            try:
                self.known[key] = truths(pair, run_pair(program, pair, self.truth_jail))
            except NoTruth:
                self.known[key] = None
        return self.known[key]


def score_completions(
    benchmark: Literal["cruxeval", "livecodebench"],
    data: Path,
    answers: Path,
    direction: Direction,
    mode: Mode,
    backend: str = "bubblewrap",
) -> Iterator[Row]:
    """For each answer line, in order: `id`, `verdict_per_generation` (None: skipped or not judged), `reasons`,
    `results` (those that count) and `pass_at_1`. Raises BenchmarkError like `score_reval`."""
    packages = livecodebench.PACKAGES if benchmark == "livecodebench" else ()
    with open_sandbox(backend, limits=OFFICIAL_LIMITS, packages=packages) as jail:

        def judge(row: Row, generations: list[str]) -> Scored:
            return score_row(_completion(benchmark, row), generations, direction, mode, jail)

        yield from _judged(_asked(data, answers, _ROWS[benchmark], "id"), judge)


def score_code(
    benchmark: Literal["humaneval", "mbpp"], data: Path, answers: Path, mode: Mode, backend: str = "bubblewrap"
) -> Iterator[Row]:
    """Like `score_completions`, for generated code judged by tests; `id` is the task_id of the data."""
    limits = HUMANEVAL_LIMITS if benchmark == "humaneval" else MBPP_LIMITS
    with open_sandbox(backend, limits=limits) as jail:

        def judge(row: Row, generations: list[str]) -> Scored:
            task = humaneval_task(row) if benchmark == "humaneval" else mbpp_task(row)
            return score_generations(task, generations, mode, jail)

        yield from _judged(_asked(data, answers, _ROWS[benchmark], "task_id"), judge)


def _asked(
    data: Path, answers: Path, schema: Mapping[str, type | tuple[type, ...]], key: str
) -> list[tuple[Any, list[str], Row]]:
    """(id, generations, row of the data) of each answer line, in order."""
    given = read_rows(answers, {"id": (str, int), "generations": list}, "id")
    rows = {row[key]: row for row in read_rows(data, schema, key)}
    for answer in given:
        if answer["id"] not in rows:
            raise BenchmarkError(f"{answers}: {answer['id']!r} is not in {data}")
        if not all(isinstance(one, str) for one in answer["generations"]):
            raise BenchmarkError(f"{answers}: {answer['id']!r}: a generation that is no text")
    return [(answer["id"], answer["generations"], rows[answer["id"]]) for answer in given]


def _judged(asked: Sequence[tuple[Any, list[str], Row]], judge: Callable[[Row, list[str]], Scored]) -> Iterator[Row]:
    for name, generations, row in asked:
        scored = judge(row, generations)
        yield {
            "id": name,
            "verdict_per_generation": [one.correct for one in scored.judgements],
            "reasons": [one.reason for one in scored.judgements],
            "results": list(scored.results),
            "pass_at_1": scored.pass_at(1),
        }


def _completion(benchmark: str, row: Row) -> Completion:
    if benchmark == "cruxeval":
        return Completion(row["code"], "f", f"f({row['input']})", row["output"])
    return livecodebench.completion(row["code"], row["function_name"], row["input"], row["output"])


def reval_table(rows: Sequence[Row], task: RevalTask, form: Form) -> Table:
    """Accuracy with its interval clustered by program, for coverage the published metrics, and the reasons of what is
    not right."""
    judged = [row for row in rows if row["correct"] is not None]
    accuracy = mean_interval([float(row["correct"]) for row in judged], [row["task_id"] for row in judged])
    figures = [("answers", f"{len(rows):,}"), ("accuracy", _percent(accuracy))]
    if task == "coverage":
        said = [says_covered(row["generated"], form) for row in judged]
        true = [yes == row["correct"] for yes, row in zip(said, judged, strict=True)]
        metrics = coverage_metrics(said, true)
        figures += [(name, f"{100 * getattr(metrics, name):.2f}") for name in ("precision", "recall", "f1")]
    return _table(figures, Counter(row["reason"] for row in rows))


def completions_table(rows: Sequence[Row], mode: Mode) -> Table:
    """Pass@1 and pass@5 over rows, and the reasons of what is not right. Strict pass@5 is told only where each row has
    five answers; the published formula calls fewer a pass."""
    counts = [(len(row["results"]), sum(row["results"])) for row in rows]
    first = mean_interval([row["pass_at_1"] for row in rows], [row["id"] for row in rows])
    reasons = Counter(reason for row in rows for reason in row["reasons"])
    figures = [
        ("rows", f"{len(rows):,}"),
        ("answers", f"{sum(len(row['reasons']) for row in rows):,}"),
        ("pass@1", _percent(first)),
    ]
    if mode == "official" or all(num >= 5 for num, _ in counts):
        figures.append(("pass@5", f"{100 * mean_pass_at_k(counts, 5):.2f}"))
    return _table(figures, reasons)


def _percent(one: Interval) -> str:
    return f"{100 * one.mean:.2f} [{100 * one.low:.1f}–{100 * one.high:.1f}]"


def _table(figures: Sequence[tuple[str, str]], reasons: Counter[str]) -> Table:
    table = Table(box=SIMPLE, show_header=False)
    for name, value in figures:
        table.add_row(name, value)
    for reason, count in sorted(reasons.items()):
        if reason:
            table.add_row(f"  {reason}", f"{count:,}")
    return table
