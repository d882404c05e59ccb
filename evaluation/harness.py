"""Harness: asks an endpoint every item of an evaluation, judges each answer, and writes one row per answer.

Rows are appended to a JSONL file batch by batch and synced, so that a killed evaluation goes on where it was without
asking anything twice. Items with the same prompt are asked once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.endpoint import Completion, Endpoint
from evaluation.items import Item, Judged
from evaluation.jails import Jails
from evaluation.scorers.judgement import SANDBOX_FAILED, SKIPPED, Judgement

BATCH_SIZE = 256
# Columns of a row that hold lists, for those who keep rows in tables.
LIST_COLUMNS = ("step_correct", "faults", "states_true", "states_predicted", "expected")
Row = dict[str, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Decoding:
    """How answers are drawn: greedy at temperature 0, else `num_samples` of them from the nucleus `top_p`.
    `max_new_tokens` is a limit over those that items bring."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    num_samples: int = 1
    seed: int = 0

    def __str__(self) -> str:
        if not self.temperature:
            return f"greedy, at most {self.max_new_tokens} tokens"
        return (
            f"{self.num_samples} samples at temperature {self.temperature:g}, top_p {self.top_p:g}, seed {self.seed},"
            f" at most {self.max_new_tokens} tokens"
        )


def evaluate(
    items: Sequence[Item],
    endpoint: Endpoint,
    out_file: Path | str,
    jails: Jails,
    decoding: Decoding,
    *,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> list[Row]:
    """The rows of each item, one per sample, in the order of `items`; see `_row` for what a row holds.

    Items whose rows are in `out_file` already, with the same prompt and truth, are not asked again. `progress` hears
    (items done, total).
    """
    out_file = Path(out_file)
    wanted = {row_id(item): item for item in items}
    if len(wanted) < len(items):
        raise ValueError("two items have the same item_id")
    rows, answered = _kept_rows(out_file, wanted, decoding)
    answered |= {name: [] for name, item in wanted.items() if item.left_out and name not in rows}
    _append(out_file, {name: _rows(wanted[name], answers, jails, decoding) for name, answers in answered.items()}, rows)
    for batch in _batches([item for item in items if row_id(item) not in rows], batch_size):
        prompts = list(dict.fromkeys(item.prompt for item in batch))
        first = batch[0]
        answers = endpoint.generate(
            prompts,
            min(first.max_new_tokens or decoding.max_new_tokens, decoding.max_new_tokens),
            decoding.temperature,
            num_samples=decoding.num_samples,
            seed=decoding.seed,
            progress=None if progress is None else partial(_tell, progress, len(rows), len(items), decoding),
            stop=first.stop,
            top_p=decoding.top_p,
        )
        by_prompt = dict(zip(prompts, answers, strict=True))
        made = {row_id(item): _rows(item, by_prompt[item.prompt], jails, decoding) for item in batch}
        _append(out_file, made, rows)
        if progress is not None:
            progress(len(rows), len(items))
    return [row for item in items for row in rows[row_id(item)]]


def row_id(item: Item) -> str:
    """The name of an item in rows; that of our own form is the item's, other forms are told apart."""
    return item.item_id if item.form == "steps" else f"{item.item_id}@{item.form}"


def benchmark_label(item: Item) -> str:
    """What figures are kept under: the benchmark, and the form where it is not our own."""
    return item.benchmark if item.form == "steps" else f"{item.benchmark}:{item.form}"


def _batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """Items that can be asked in one call; prompts of similar length share a batch: little padding."""
    groups: dict[tuple[Any, ...], list[Item]] = {}
    for item in items:
        groups.setdefault((item.max_new_tokens, item.stop), []).append(item)
    for group in groups.values():
        group.sort(key=lambda item: (len(item.prompt), item.prompt, item.item_id))
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _tell(progress: Progress, before: int, total: int, decoding: Decoding, part: int) -> None:
    progress(min(total, before + part // decoding.num_samples), total)


def _rows(item: Item, answers: Sequence[Completion], jails: Jails, decoding: Decoding) -> list[Row]:
    """One row per answer; one without an answer for an item that is left out."""
    if item.left_out:
        return [_row(item, Completion("", 0, True), Judged(Judgement(None)), 0, decoding)]
    if item.judge is None:
        raise ValueError(f"item {item.item_id} has nothing to judge by")
    return [
        _row(item, answer, item.judge(answer.text, jails), sample, decoding) for sample, answer in enumerate(answers)
    ]


def _row(item: Item, completion: Completion, judged: Judged, sample: int, decoding: Decoding) -> Row:
    """What was asked, what came back, how it was judged, and by what truth.

    `final_correct` is the strict verdict, `official_correct` the published one (None: no such rule), `frame_correct`
    that by the frame's own events. An answer that the published rule leaves out is wrong where it is the only one.
    """
    official, frames = judged.official, judged.frame_aware
    skipped = official is not None and official.reason == SKIPPED
    return {
        "item_id": row_id(item),
        "sample": sample,
        "decoding": str(decoding),
        "cluster": item.cluster,
        "benchmark": benchmark_label(item),
        "task": item.task,
        "form": item.form,
        "pair": item.pair,
        "prompt": item.prompt,
        "left_out": bool(item.left_out),
        "covered": item.covered,
        "expected": list(item.expected),
        "response": completion.text,
        "token_count": completion.token_count,
        "truncated": not completion.finished,
        "answer": judged.answer,
        "step_correct": list(judged.step_correct),
        "final_correct": judged.strict.correct,
        "official_correct": None if official is None else official.correct,
        "official_reason": "" if official is None else official.reason,
        "official_skipped": skipped,
        "frame_correct": None if frames is None else frames.correct,
        "faults": list(judged.faults),
        "reason": item.left_out or judged.strict.reason or "right",
        "judged": judged.strict.correct is not None,
        "num_states": len(judged.true_states),
        "states_true": list(judged.true_states),
        "states_predicted": list(judged.predicted_states),
    }


def _kept_rows(
    out_file: Path, wanted: dict[str, Item], decoding: Decoding
) -> tuple[dict[str, list[Row]], dict[str, list[Completion]]]:
    """Rows of earlier calls that answer the items of this one, and the answers that our own failure left unjudged: they
    are judged again, not asked again. Everything else is dropped from the file: a torn last line, rows of another
    question, truth or decoding, and of fewer samples."""
    if not out_file.exists():
        return {}, {}
    content = out_file.read_bytes()
    found: dict[str, list[tuple[Row, bytes]]] = {}
    for line in content[: content.rfind(b"\n") + 1].splitlines(keepends=True):
        row = json.loads(line)
        item = wanted.get(row["item_id"])
        if item is not None and _same_question(row, item, decoding):
            found.setdefault(row["item_id"], []).append((row, line))
    kept: dict[str, list[Row]] = {}
    answered: dict[str, list[Completion]] = {}
    lines: list[bytes] = []
    for name, pairs in found.items():
        made = [row for row, _ in pairs]
        if [row["sample"] for row in made] != list(range(1 if wanted[name].left_out else decoding.num_samples)):
            continue
        if any(row["reason"] == SANDBOX_FAILED for row in made):
            answered[name] = [Completion(row["response"], row["token_count"], not row["truncated"]) for row in made]
            continue
        kept[name] = made
        lines += [line for _, line in pairs]
    if b"".join(lines) != content:
        temporary = out_file.with_name(out_file.name + ".tmp")
        with temporary.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(out_file)
    return kept, answered


def _same_question(row: Row, item: Item, decoding: Decoding) -> bool:
    asked = (item.prompt, list(item.expected), bool(item.left_out), str(decoding))
    return (row["prompt"], row["expected"], row["left_out"], row["decoding"]) == asked


def _append(out_file: Path, new: dict[str, list[Row]], rows: dict[str, list[Row]]) -> None:
    if not new:
        return
    out_file.parent.mkdir(parents=True, exist_ok=True)
    with out_file.open("ab") as file:
        for name, made in new.items():
            # JSON turns tuples to lists and back-slashes lone surrogates: what is returned is what is read again.
            lines = [json.dumps(row) for row in made]
            file.write("".join(f"{line}\n" for line in lines).encode())
            rows[name] = [json.loads(line) for line in lines]
        file.flush()
        os.fsync(file.fileno())
