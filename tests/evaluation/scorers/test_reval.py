"""REval's four verdicts: each rule on an answer written for it, and agreement with the official scorer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation import reval
from evaluation.reval import Pair, RevalRow
from evaluation.reval_truth import PointTruth
from evaluation.scorers.reval import Form, judge_coverage, judge_path
from evaluation.scorers.reval_output import judge_output
from evaluation.scorers.reval_state import judge_state
from execution.limits import Limits
from execution.sandbox import Sandbox, open_sandbox
from tests.evaluation.scorers.test_completions import read

RUNS = PointTruth(True, (3,), (("int", "1"), ("str", "'ab'")))
NEVER = PointTruth(False, (-1,), ())
SOURCE = "def f(a):\n    b = a\n    c = b\n    c = b\n    return c\n"


@pytest.fixture(scope="module")
def jail() -> Iterator[Sandbox]:
    with open_sandbox("bubblewrap", limits=Limits(cpu_s=0.3)) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("generated", "form", "official", "strict"),
    [
        ("YES", "direct", True, True),
        (" yes\n", "direct", True, True),
        ("[ANSWER]YES[/ANSWER] or not", "direct", True, True),
        ("YES, as a > 0", "direct", True, False),
        ("(YES)", "direct", False, False),
        ("It is YES", "direct", False, False),
        ("YES", "cot", False, False),
        ("so [/thought] [answer] yes", "cot", True, True),
    ],
)
def test_coverage_answers(generated: str, form: Form, official: bool, strict: bool) -> None:
    assert judge_coverage(generated, form, RUNS, "official").correct is official
    assert judge_coverage(generated, form, RUNS, "strict").correct is strict


@pytest.mark.parametrize(
    ("generated", "official", "strict"), [("nope", True, False), ("", True, False), ("NO", True, True)]
)
def test_what_is_not_yes_is_no(generated: str, official: bool, strict: bool) -> None:
    assert judge_coverage(generated, "direct", NEVER, "official").correct is official
    assert judge_coverage(generated, "direct", NEVER, "strict").correct is strict


@pytest.mark.parametrize(
    ("generated", "truth", "official", "strict"),
    [
        ("c = b", PointTruth(True, (4,), ()), True, True),  # the same text on lines 3 and 4
        ("    c = b  \nand more", PointTruth(True, (3,), ()), True, False),
        ("\nc = b", PointTruth(True, (3,), ()), False, True),
        ("-1", NEVER, True, True),
        ("-1.", NEVER, False, False),
        ("3", PointTruth(True, (3,), ()), False, False),
        ("   ", NEVER, False, False),
    ],
)
def test_path_answers(generated: str, truth: PointTruth, official: bool, strict: bool) -> None:
    assert judge_path(generated, "direct", truth, SOURCE, "official").correct is official
    assert judge_path(generated, "direct", truth, SOURCE, "strict").correct is strict


@pytest.mark.parametrize(
    ("generated", "official", "strict"),
    [
        ("1; int", True, True),
        ("‘ab’; str", True, False),
        ("ab; string", True, False),
        ("1; Int", True, False),
        ("0 + 1; <class 'int'>", True, False),
        ("1.0; int", False, False),
        ("True; int", False, False),
        ("1; float", False, False),
        ("Nil", False, False),
        ("1", False, False),
        ("[1]; List[List[int]]", False, False),
        ("while True: pass; int", False, False),
        ("[n for n in iter(int, 1)]; int", False, False),  # never ends
    ],
)
def test_state_answers(jail: Sandbox, generated: str, official: bool, strict: bool) -> None:
    assert judge_state(generated, "direct", RUNS, "official", jail).correct is official
    assert judge_state(generated, "direct", RUNS, "strict", jail).correct is strict


@pytest.mark.parametrize(
    ("generated", "values", "official"),
    [
        ("nil; int", (), True),
        ("[Nil]", (), True),
        ("'Nil'", (), False),
        ("1, 2; Tuple[int, int]", (("tuple", "(1, 2)"),), True),
        ("0.1 + 0.2; float", (("float", "0.3"),), True),
        ("frozenset({1}); frozenset", (("frozenset", "frozenset({1})"),), True),
        ("[1, 2]; collections.deque", (("deque", "deque([1, 2])"),), True),
        ("deque([1, 2]); deque", (("deque", "deque([1, 2])"),), False),
        ("2020-01-02; datetime.datetime", (("datetime", "datetime.datetime(2020, 1, 2, 0, 0)"),), True),
        ("datetime.datetime(2020, 1, 2); datetime", (("datetime", "datetime.datetime(2020, 1, 2, 0, 0)"),), False),
        ("2.0; numpy.float64", (("float64", "float64(2.0)"),), True),
        ("[1, 2]; np.ndarray", (("ndarray", "array([1, 2])"),), True),
        ("[1, 3]; numpy.ndarray", (("ndarray", "array([1, 2])"),), False),
        ("float('nan'); float", (("float", "nan"),), False),
        ("int; type", (("type", "<class 'int'>"),), True),
        ("None; NoneType", (("NoneType", "None"),), True),
    ],
)
def test_state_answers_of_other_types(jail: Sandbox, generated: str, values: tuple, official: bool) -> None:  # type: ignore[type-arg]
    truth = PointTruth(bool(values), (2,), values)
    assert judge_state(generated, "direct", truth, "official", jail).correct is official


FUNCTION = RevalRow("DREval/x", 0, "f", "def f(a):\n    return a * 2\n", None, ())
ASKED = Pair(0, "(2,)", "4", (), "assert f(2) == ??")
BOX = """
class Box:
    def __init__(self):
        self.held = []
    def put(self, one):
        self.held.append(one)
"""
BOX_TEST = """
import unittest
class BoxTest(unittest.TestCase):
    def setUp(self):
        self.box = Box()
    def test_put(self):
        self.box.put(1)
        self.assertEqual(self.box.held, [1])
"""
CLASS = RevalRow("DREval/y", 99, "Box", BOX, BOX_TEST, ())
OF_CLASS = Pair(0, "", None, (), "self.box.put(1)\nassertEqual(self.box.held, ??)")


@pytest.mark.parametrize(
    ("generated", "row", "pair", "official", "strict"),
    [
        ("assert f(2) == 4", FUNCTION, ASKED, True, True),
        ("assert f(2) == 4.0", FUNCTION, ASKED, True, False),
        ("assert f(2) == f(2)", FUNCTION, ASKED, True, False),
        ("assert 1 == 1", FUNCTION, ASKED, True, False),
        ("assert True", FUNCTION, ASKED, False, False),
        ("assert f(2) == 5", FUNCTION, ASKED, False, False),
        (" assert f(2) == 4", FUNCTION, ASKED, False, True),
        ("4", FUNCTION, ASKED, False, False),
        ("assert f(2) == 4\nwhile True: pass", FUNCTION, ASKED, False, False),
        ("self.box.put(1)\nassertEqual(self.box.held, [1])", CLASS, OF_CLASS, True, True),
        ("assertEqual(self.box.held, [1])", CLASS, OF_CLASS, True, True),
        ("assertEqual(self.box.held, [2])", CLASS, OF_CLASS, False, False),
        ("self.assertEqual(self.box.held, [1])", CLASS, OF_CLASS, False, False),
        ("assertEqual(self.box.held, self.box.held)", CLASS, OF_CLASS, True, False),
    ],
)
def test_output_answers(jail: Sandbox, generated: str, row: RevalRow, pair: Pair, official: bool, strict: bool) -> None:
    assert judge_output(generated, "direct", row, pair, "official", jail).correct is official
    assert judge_output(generated, "direct", row, pair, "strict", jail).correct is strict


@pytest.mark.parametrize("form", ["direct", "cot"])
@pytest.mark.parametrize("task", ["coverage", "path", "state"])
def test_every_verdict_of_the_official_scorer_on_points_is_reproduced(
    benchmarks: Path, jail: Sandbox, form: Form, task: str
) -> None:
    truths = {}
    for said in read(benchmarks / "reference" / "reval_ground_truth_py311.jsonl"):
        values = tuple((kind.rpartition(".")[2], text) for kind, text in said["values"] or [])
        key = said["task_id"], said["input_idx"], said["point"]
        truths[key] = PointTruth(said["covered"], tuple(said["next_lines"]), values)
    sources = {row.item_id: row.source for row in reval.load(benchmarks)}
    differing = []
    for said in read(benchmarks / "reference" / f"reval_{form}_{task}.jsonl"):
        truth, text = truths[said["task_id"], said["input_idx"], said["point"]], said["generated"]
        if task == "coverage":
            judged = judge_coverage(text, form, truth, "official")
        elif task == "path":
            judged = judge_path(text, form, truth, sources[said["task_id"]], "official")
        else:
            judged = judge_state(text, form, truth, "official", jail)
        if judged.correct is not said["correct"]:
            differing.append((said["task_id"], said["input_idx"], said["point"], text))
    assert differing == []
