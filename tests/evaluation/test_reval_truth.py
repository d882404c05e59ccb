"""REval's truth is reproduced from sandboxed runs: rows of our own, and the whole published file where it is."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation import reval
from evaluation.reval import Pair, Point, RevalRow
from evaluation.reval_truth import PACKAGES, TRUTH_LIMITS, NoTruth, PointTruth, pair_job, run_pair, truths
from evaluation.visits import line_visits
from execution.sandbox import Sandbox, open_sandbox
from execution.values import equal_literals

CLASS = """\
class Counter:
    def __init__(self, start):
        self.n = start

    def add(self, k):
        self.n += k
        return self.n
"""
TEST = """\
import unittest

class First(unittest.TestCase):
    def setUp(self):
        self.counter = Counter(5)

    def test_b(self):
        self.assertEqual(self.counter.add(2), 7)

    def test_a(self):
        self.fail("the first one in the text is meant")

class Second(unittest.TestCase):
    def test_1(self):
        counter = Counter(1)
        self.assertEqual(counter.n, 1)
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox("local", limits=TRUTH_LIMITS, packages=PACKAGES) as opened:
        yield opened


def row(source: str, entry_point: str, test: str | None, *pairs: Pair) -> RevalRow:
    return RevalRow("Test/0", 0, entry_point, source, test, pairs)


def pair(index: int, text: str, *points: tuple[int, str]) -> Pair:
    return Pair(index, text, None, tuple(Point(*point) for point in points), "")


def test_a_function_is_called_with_the_arguments_of_the_input(sandbox: Sandbox) -> None:
    source = "def f(a, b):\n    c = a + b\n    if c > 2:\n        c = 0\n    return c\n"
    one = pair(0, "(1, 1,)", (2, "c"), (4, "c"))
    seen = sandbox.run(pair_job(row(source, "f", None, one), one))
    assert truths(one, seen) == [PointTruth(True, (3,), (("int", "2"),)), PointTruth(False, (-1,), ())]


def test_of_a_class_the_first_test_method_alone_is_traced_after_its_set_up(sandbox: Sandbox) -> None:
    one = pair(0, "", (3, "self.n"), (6, "self.n"))
    seen = sandbox.run(pair_job(row(CLASS, "Counter", TEST, one), one))
    assert truths(one, seen) == [PointTruth(False, (-1,), ()), PointTruth(True, (7,), (("int", "7"),))]


def test_the_input_number_counts_test_classes(sandbox: Sandbox) -> None:
    one = pair(1, "", (3, "self.n"), (6, "self.n"))
    seen = sandbox.run(pair_job(row(CLASS, "Counter", TEST, one), one))
    [first, second] = truths(one, seen)
    assert (first.covered, first.next_lines, second.covered) == (True, (-1,), False)


def test_a_class_that_writes_files_is_run_where_it_can(sandbox: Sandbox) -> None:
    source = """\
class Store:
    def save(self, text):
        with open('a.txt', 'w') as file:
            file.write(text)
        with open('a.txt') as file:
            back = file.read()
        return back
"""
    test = """\
import unittest
class First(unittest.TestCase):
    def test_1(self):
        self.assertEqual(Store().save('xy'), 'xy')
"""
    one = pair(0, "", (6, "back"))
    assert truths(one, run_pair(row(source, "Store", test, one), one, sandbox)) == [
        PointTruth(True, (5,), (("str", "'xy'"),))
    ]


def test_a_failing_test_and_cut_events_are_no_truth(sandbox: Sandbox) -> None:
    one = pair(0, "(10 ** 6,)", (1, "n"))
    failing = sandbox.run(pair_job(row("def f(n):\n    raise ValueError(n)\n", "f", None, one), one))
    with pytest.raises(NoTruth, match="ValueError"):
        truths(one, failing)
    long = pair_job(row("def f(n):\n    while n:\n        n -= 1\n", "f", None, one), one)
    with open_sandbox("local", limits=replace(TRUTH_LIMITS, num_events=100)) as short:
        seen = short.run(long)
    with pytest.raises(NoTruth, match="cut"):
        truths(one, seen)


def test_all_points_agree_with_revals_published_truth(benchmarks: Path, sandbox: Sandbox) -> None:
    published = {}
    with (benchmarks / "reference" / "reval_ground_truth_py311.jsonl").open(encoding="utf-8") as file:
        for line in file:
            said = json.loads(line)
            published[said["task_id"], said["input_idx"], said["point"]] = said
    num_points = 0
    for program in reval.load(benchmarks):
        for one in program.pairs:
            seen = run_pair(program, one, sandbox)
            visits = line_visits(seen.events, ast.parse(program.source))
            for number, ours in enumerate(truths(one, seen)):
                said = published[program.item_id, one.input_index, number]
                where = (program.item_id, one.input_index, one.points[number])
                assert (ours.covered, list(ours.next_lines)) == (said["covered"], said["next_lines"]), where
                assert (one.points[number].line in visits) == said["covered"], where
                values = [(kind.rpartition(".")[2], text) for kind, text in said["values"] or []]
                assert len(ours.values) == len(values), where
                assert all(map(same, ours.values, values)), where
                num_points += 1
    assert num_points == len(published)


def same(ours: tuple[str, str], said: tuple[str, str]) -> bool:
    """Equal in type, and in value but for how it is written: `float64(2.0)` for `2.0`, `1.0` for `1.` in an array, the
    fields of the objects in a ResultSet, which no answer can name."""
    (kind, text), (said_kind, said_text) = ours, said
    written = {plain(said_text), plain(f"{kind}({said_text})")}
    equal = plain(text) in written or equal_literals(text, said_text) is True or kind == "ResultSet"
    return kind == said_kind and equal


def plain(text: str) -> str:
    return re.sub(r"\s+", "", re.sub(r"(\d)\.(?=[,\]])", r"\1.0", text))
