"""Anchored programs behave as the originals: benchmarks with their own tests, and the standard library's suites."""

from __future__ import annotations

import ast
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from execution.anchors import Instrumented, instrument
from tests.execution.benchmark_files import benchmark_rows

ROOT = Path(__file__).parents[2]


def run_batch(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.execution.behaviour_batch"],
        cwd=ROOT,
        input=json.dumps(rows),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(finished.stdout)
    return found


def expect_equal_behaviour(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    results = run_batch(rows)
    assert len(results) == len(rows)
    assert [result for result in results if not result["same"]] == []
    return results


def test_every_cruxeval_program_behaves_the_same_and_gives_the_published_output() -> None:
    rows = benchmark_rows("cruxeval/dev.jsonl")
    results = expect_equal_behaviour(
        [{"id": row["id"], "source": row["code"], "call": f"f({row['input']})"} for row in rows]
    )
    wrong = [
        row["id"]
        for row, result in zip(rows, results, strict=True)
        if ast.literal_eval(result["instrumented"][0]) != ast.literal_eval(row["output"])
    ]
    assert wrong == []


def test_every_humaneval_program_behaves_the_same_under_its_tests() -> None:
    rows = [
        {
            "id": row["task_id"],
            "source": row["prompt"] + row["canonical_solution"],
            "tests": f"{row['test']}\ncheck({row['entry_point']})",
        }
        for row in benchmark_rows("humaneval/dev.jsonl")
    ]
    results = expect_equal_behaviour(rows)
    assert all(result["instrumented"][0] == [0, []] for result in results)  # no test failed


def test_every_mbpp_program_behaves_the_same_under_its_tests() -> None:
    rows = [
        {
            "id": row["task_id"],
            "source": row["code"],
            "tests": "\n".join([row["test_setup_code"], *row["test_list"], *row["challenge_test_list"]]),
        }
        for row in benchmark_rows("mbpp/dev.jsonl")
    ]
    results = expect_equal_behaviour(rows)
    passed = sum(result["instrumented"][0] == [0, []] for result in results)
    assert passed >= 0.95 * len(rows)


def test_every_reval_program_behaves_the_same_on_its_inputs_and_under_its_tests() -> None:
    rows: list[dict[str, Any]] = []
    for row in benchmark_rows("reval/data/DREval_data.jsonl"):
        if row["test"]:
            rows.append({"id": row["task_id"], "source": row["code"], "tests": row["test"]})
            continue
        for place, given in enumerate(row["inputs"]):
            call = f"{row['entry_point']}({given})" if "(" not in given.partition(row["entry_point"])[2] else given
            rows.append({"id": [row["task_id"], place], "source": row["code"], "call": call})
    expect_equal_behaviour(rows)


def originals_of(placed: Instrumented) -> ast.Module:
    """The instrumented program with its anchors taken out again and its returns put back."""
    return _TakeOut(set(placed.anchor_lines)).visit(ast.parse(placed.source))


class _TakeOut(ast.NodeTransformer):
    def __init__(self, lines: set[int]) -> None:
        self.lines = lines

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, self._block(block))
        return super().generic_visit(node)

    def _block(self, block: list[ast.stmt]) -> list[ast.stmt]:
        kept: list[ast.stmt] = []
        for place, statement in enumerate(block):
            if isinstance(statement, ast.Expr) and statement.lineno in self.lines:
                continue
            before = block[place - 1] if place else None
            if isinstance(statement, ast.Return) and isinstance(before, ast.Expr) and before.lineno in self.lines:
                last = kept[-1] if kept else None
                match last, statement.value:
                    case ast.Assign(targets=[ast.Name(id=bound)], value=value), ast.Name(id=returned) if (
                        bound == returned and re.fullmatch(r"return_val(_\d+)?", bound)
                    ):
                        kept[-1] = ast.Return(value)
                        continue
            kept.append(statement)
        return kept


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("cruxeval/dev.jsonl", ("code",)),
        ("humaneval/dev.jsonl", ("prompt", "canonical_solution")),
        ("mbpp/dev.jsonl", ("code",)),
        ("reval/data/DREval_data.jsonl", ("code",)),
    ],
)
def test_taking_the_anchors_out_gives_the_original_program_and_lines_keep_their_text(
    name: str, fields: tuple[str, ...]
) -> None:
    for row in benchmark_rows(name):
        source = "".join(row[field] for field in fields)
        placed = instrument(source)
        assert ast.dump(originals_of(placed)) == ast.dump(ast.parse(source))
        expect_sound_line_map(source, placed)


def expect_sound_line_map(source: str, placed: Instrumented) -> None:
    original, instrumented = re.split(r"\r\n|\r|\n", source), re.split(r"\r\n|\r|\n", placed.source)
    assert sorted(placed.line_map) == list(range(1, len(original) + bool(original[-1])))
    order = [placed.line_map[line] for line in sorted(placed.line_map)]
    assert order == sorted(set(order))
    assert not set(order) & set(placed.anchor_lines)
    for line, new_line in placed.line_map.items():
        before, after = original[line - 1], instrumented[new_line - 1]
        named = re.sub(r"\breturn_val(_\d+)? =", "return", after, count=1)
        assert before == after or before.startswith((after.rstrip(), named.rstrip())), (before, after)
    for anchor in placed.anchors:
        text = instrumented[anchor.instrumented_line - 1].strip()
        assert text == f"print(f'{anchor.name}: {{{anchor.name}}}')"


def test_anchors_per_program_on_cruxeval_are_near_the_published_distribution() -> None:
    # arXiv 2605.11922, table of anchors: mean 3.2, median 3, range 1-7, where a language model places them.
    counts = [len(instrument(row["code"]).anchors) for row in benchmark_rows("cruxeval/dev.jsonl")]
    assert 2.8 <= statistics.mean(counts) <= 3.6
    assert statistics.median(counts) == 3
    assert sum(1 <= count <= 7 for count in counts) / len(counts) > 0.98
