"""Harness: asks an endpoint every item of an evaluation, judges each answer, and writes one row per item.

Rows are appended to a JSONL file batch by batch and synced, so that a killed evaluation goes on where it was without
asking anything twice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.cruxeval import CruxevalRow
from evaluation.endpoint import Completion, Endpoint
from evaluation.prompts import QUESTION_TASKS, TASKS, input_prompt, output_prompt, question_prompt
from evaluation.questions import Question, questions
from evaluation.responses import parse_response
from evaluation.scoring import Scored, score_answer, score_input, score_output
from evaluation.summary import Summary, summarise
from execution.sandbox import Sandbox
from execution.traces import SetAside, Trace
from execution.values import equal_literals

__all__ = ["Item", "Summary", "evaluate", "items_from_cruxeval", "items_from_traces", "judge", "summarise"]

HELD_OUT = "held_out"
BATCH_SIZE = 256
# Columns of a row that hold lists, for those who keep rows in tables.
LIST_COLUMNS = ("step_correct", "faults", "states_true", "states_predicted", "expected")


@dataclass(frozen=True)
class Item:
    """One thing to ask. `cluster` is the program's source_id. `left_out` is why it can't be asked, mostly ""."""

    item_id: str
    cluster: str
    benchmark: str
    task: str
    prompt: str
    trace: Trace | None
    question: Question | None = None
    anchored: bool = True
    left_out: str = ""

    @property
    def expected(self) -> tuple[str, ...]:
        """Every accepted answer; empty for input prediction, where they can't be listed."""
        if self.question is not None:
            return self.question.accepted
        if self.task == "output" and self.trace is not None and self.trace.result is not None:
            return (self.trace.result,)
        return ()


def items_from_traces(
    traces: Iterable[Trace],
    style: str = "compact",
    tasks: Sequence[str] = TASKS,
    seed: int = 0,
    questions_per_task: int = 1,
    benchmark: str = HELD_OUT,
    anchored: bool = True,
) -> list[Item]:
    """Output and input prediction and REval's questions on each program, as `tasks` asks.

    `anchored` False gives output and input prediction on the original source, without steps.
    """
    items: list[Item] = []
    for trace in traces:
        name = f"{benchmark}/{trace.program.program_id}"
        items += _predictions(trace, name, benchmark, style, tasks, anchored)
        if any(task in QUESTION_TASKS for task in tasks):
            items += _questions(trace, name, benchmark, style, tasks, seed, questions_per_task)
    return items


def items_from_cruxeval(
    rows: Sequence[CruxevalRow],
    traces: Iterable[Trace | SetAside],
    style: str = "compact",
    tasks: Sequence[str] = ("output", "input"),
    anchored: bool = True,
) -> list[Item]:
    """CRUXEval's two tasks. A row is matched with its trace by program; one that has none is an item left out,
    with the reason, so that it is counted."""
    by_program = {outcome.program.program_id: outcome for outcome in traces}
    items: list[Item] = []
    for row in rows:
        outcome = by_program.get(row.program.program_id)
        name = f"cruxeval/{row.item_id}"
        if isinstance(outcome, Trace) and equal_literals(outcome.result or "", row.output) is True:
            items += _predictions(outcome, name, "cruxeval", style, tasks, anchored)
            continue
        if outcome is None:
            reason = "not_traced"
        else:
            reason = outcome.reason if isinstance(outcome, SetAside) else "truth_differs"
        cluster = row.program.source_id
        items += [Item(f"{name}/{task}", cluster, "cruxeval", task, "", None, left_out=reason) for task in tasks]
    return items


def _predictions(
    trace: Trace, name: str, benchmark: str, style: str, tasks: Sequence[str], anchored: bool
) -> list[Item]:
    program = trace.program
    source = trace.instrumented if anchored else program.source
    items = []
    if "output" in tasks and trace.result is not None:
        text = output_prompt(source, program.call, style, anchored=anchored).text
        items.append(Item(f"{name}/output", program.source_id, benchmark, "output", text, trace, None, anchored))
    if "input" in tasks and trace.result is not None and program.entry_point is not None:
        text = input_prompt(source, program.entry_point, trace.result, style, anchored=anchored).text
        items.append(Item(f"{name}/input", program.source_id, benchmark, "input", text, trace, None, anchored))
    return items


def _questions(
    trace: Trace, name: str, benchmark: str, style: str, tasks: Sequence[str], seed: int, per_task: int
) -> list[Item]:
    program = trace.program
    items = []
    for question in questions(trace, seed, per_task):
        if question.task in tasks:
            text = question_prompt(program.source, program.call, question, style).text
            name_here = f"{name}/{question.question_id}"
            items.append(Item(name_here, program.source_id, benchmark, question.task, text, trace, question))
    return items


def judge(item: Item, text: str, sandbox: Sandbox | None) -> Scored:
    """What the response `text` to the item is worth. `sandbox` is needed for input prediction."""
    if item.question is not None:
        return score_answer(item.task, text, item.question)
    if item.trace is None:
        raise ValueError(f"item {item.item_id} has nothing to judge by")
    response = parse_response(text, item.task)
    if item.task == "output":
        return score_output(response, item.trace, anchored=item.anchored)
    if sandbox is None:
        raise ValueError("input prediction runs the committed input: it needs a sandbox")
    return score_input(response, item.trace, sandbox, anchored=item.anchored)


def evaluate(
    items: Sequence[Item],
    endpoint: Endpoint,
    out_file: Path | str,
    sandbox: Sandbox | None,
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """One row per item, in the order of `items`; see `_row` for what a row holds.

    Items whose row is in `out_file` already, with the same prompt, are not asked again. `progress` hears
    (done, total).
    """
    out_file = Path(out_file)
    wanted = {item.item_id: item for item in items}
    if len(wanted) < len(items):
        raise ValueError("two items have the same item_id")
    rows = _kept_rows(out_file, wanted)
    left_out = [item for item in items if item.left_out and item.item_id not in rows]
    _append(out_file, [_left_out_row(item) for item in left_out], rows)
    # Prompts of similar length share a batch: little padding.
    pending = sorted(
        (item for item in items if item.item_id not in rows), key=lambda item: (len(item.prompt), item.item_id)
    )
    for start in range(0, len(pending), batch_size):
        batch = pending[start : start + batch_size]
        done = len(rows)
        answers = endpoint.generate(
            [item.prompt for item in batch],
            max_new_tokens,
            temperature,
            seed=seed,
            progress=None if progress is None else partial(_tell, progress, done, len(items)),
        )
        judged = [_row(item, answer[0], sandbox) for item, answer in zip(batch, answers, strict=True)]
        _append(out_file, judged, rows)
        if progress is not None:
            progress(len(rows), len(items))
    return [rows[item.item_id] for item in items]


def _tell(progress: Callable[[int, int], None], before: int, total: int, part: int) -> None:
    progress(before + part, total)


def _row(item: Item, completion: Completion, sandbox: Sandbox | None) -> dict[str, Any]:
    """The row of one item: what was asked, what came back, how it was judged, and by what truth."""
    scored = judge(item, completion.text, sandbox)
    response = parse_response(completion.text, item.task)
    return {
        **_identity(item),
        "response": completion.text,
        "token_count": completion.token_count,
        "truncated": not completion.finished,
        "answer": response.input if item.task == "input" else response.answer,
        "step_correct": list(scored.step_correct),
        "final_correct": scored.final_correct,
        "faults": list(scored.faults),
        "reason": scored.reason,
        "judged": scored.judged,
        "num_states": len(scored.true_states),
        "states_true": list(scored.true_states),
        "states_predicted": [step.text for step in response.steps],
    }


def _left_out_row(item: Item) -> dict[str, Any]:
    return {
        **_identity(item),
        "response": "",
        "token_count": 0,
        "truncated": False,
        "answer": None,
        "step_correct": [],
        "final_correct": None,
        "faults": [],
        "reason": item.left_out,
        "judged": False,
        "num_states": 0,
        "states_true": [],
        "states_predicted": [],
    }


def _identity(item: Item) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "cluster": item.cluster,
        "benchmark": item.benchmark,
        "task": item.task,
        "prompt": item.prompt,
        "left_out": bool(item.left_out),
        "covered": None if item.question is None else item.question.covered,
        "expected": list(item.expected),
    }


def _kept_rows(out_file: Path, wanted: dict[str, Item]) -> dict[str, dict[str, Any]]:
    """Rows of earlier calls that answer the items of this one. A torn last line, a row of another question and a
    row that our own failure left unjudged are dropped from the file (they are asked again)."""
    if not out_file.exists():
        return {}
    content = out_file.read_bytes()
    lines = content[: content.rfind(b"\n") + 1].splitlines(keepends=True)
    rows: dict[str, dict[str, Any]] = {}
    kept: list[bytes] = []
    for line in lines:
        row = json.loads(line)
        item = wanted.get(row["item_id"])
        if item is None or row["item_id"] in rows or row["prompt"] != item.prompt:
            continue
        if row["expected"] != list(item.expected) or row["reason"] == "sandbox_failed":
            continue
        rows[row["item_id"]] = row
        kept.append(line)
    if b"".join(kept) != content:
        temporary = out_file.with_name(out_file.name + ".tmp")
        with temporary.open("wb") as file:
            file.writelines(kept)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(out_file)
    return rows


def _append(out_file: Path, new: Sequence[dict[str, Any]], rows: dict[str, dict[str, Any]]) -> None:
    if not new:
        return
    out_file.parent.mkdir(parents=True, exist_ok=True)
    with out_file.open("ab") as file:
        for row in new:
            # JSON turns tuples to lists and back-slashes lone surrogates: what is returned is what is read again.
            line = json.dumps(row)
            file.write(line.encode() + b"\n")
            rows[row["item_id"]] = json.loads(line)
        file.flush()
        os.fsync(file.fileno())
