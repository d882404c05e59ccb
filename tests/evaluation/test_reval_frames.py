"""REval's truth by frames, on programs for which the flattened truth is wrong; each expectation worked by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evaluation.reval import Pair, Point, RevalRow
from evaluation.reval_frames import frame_truths
from evaluation.reval_truth import TRUTH_LIMITS, PointTruth, run_pair, truths
from execution.sandbox import Sandbox, open_sandbox

TEST = """\
import unittest

class First(unittest.TestCase):
    def test_a(self):
        box = Box()
        self.assertEqual(box.put(3), 3)
        self.assertEqual(box.put(4), 7)
"""


@pytest.fixture(scope="module")
def jail() -> Iterator[Sandbox]:
    with open_sandbox("local", limits=TRUTH_LIMITS) as opened:
        yield opened


def both(
    jail: Sandbox, source: str, arguments: str, line: int, variable: str, test: str | None = None
) -> tuple[PointTruth, PointTruth]:
    """The flattened truth and the frames' own."""
    pair = Pair(0, arguments, None, (Point(line, variable),), "")
    seen = run_pair(RevalRow("Test/0", 0, "f", source, test, (pair,)), pair, jail)
    [flat] = truths(pair, seen)
    [framed] = frame_truths(pair, seen.events)
    return flat, framed


def test_after_a_line_that_calls_the_value_is_the_callers_own(jail: Sandbox) -> None:
    source = "def double(n):\n    n = n * 2\n    return n\n\ndef f(a):\n    b = double(a)\n    return b\n"
    flat, framed = both(jail, source, "(3,)", 6, "b")
    assert flat == PointTruth(True, (2,), ())  # the callee's first line, where there is no b
    assert framed == PointTruth(True, (7,), (("int", "6"),))


def test_a_namesake_in_the_callee_is_not_the_variable(jail: Sandbox) -> None:
    source = "def double(n):\n    return n * 2\n\ndef f(a):\n    n = double(a)\n    return n\n"
    flat, framed = both(jail, source, "(3,)", 5, "n")
    assert flat.values == (("int", "3"),)  # the callee's n
    assert framed.values == (("int", "6"),)


def test_after_the_callees_last_line_comes_the_end_of_its_frame(jail: Sandbox) -> None:
    source = "def double(n):\n    n = n * 2\n    return n\n\ndef f(a):\n    b = double(a)\n    return b\n"
    flat, framed = both(jail, source, "(3,)", 3, "n")
    assert flat.next_lines == (7,)
    assert framed == PointTruth(True, (-1,), (("int", "6"),))


def test_a_method_that_the_test_calls_twice_ends_twice(jail: Sandbox) -> None:
    source = (
        "class Box:\n    def __init__(self):\n        self.sum = 0\n\n    def put(self, n):\n        self.sum += n\n"
        "        return self.sum\n"
    )
    flat, framed = both(jail, source, "", 7, "n", TEST)
    assert flat.next_lines == (-1, 6)
    assert framed == PointTruth(True, (-1,), (("int", "3"), ("int", "4")))
    flat, framed = both(jail, source, "", 3, "self.sum", TEST)
    assert flat.next_lines == (6,)
    assert framed == PointTruth(True, (-1,), (("int", "0"),))


def test_the_last_line_of_a_call_leaves_what_it_set(jail: Sandbox) -> None:
    source = "class Box:\n    def put(self, n):\n        self.sum = n\n"
    test = "import unittest\nclass First(unittest.TestCase):\n    def test_a(self):\n        Box().put(3)\n"
    flat, framed = both(jail, source, "", 3, "self.sum", test)
    assert flat.values == ()
    assert framed == PointTruth(True, (-1,), (("int", "3"),))


def test_recursion_keeps_the_variables_of_each_call_apart(jail: Sandbox) -> None:
    source = "def f(n):\n    if n == 0:\n        return 0\n    m = f(n - 1)\n    return m + 1\n"
    flat, framed = both(jail, source, "(2,)", 4, "n")
    assert flat.next_lines == (2,)
    assert flat.values == (("int", "1"), ("int", "0"))  # of the calls made there
    assert framed == PointTruth(True, (5,), (("int", "2"), ("int", "1")))


def test_a_line_that_no_frame_reached_is_as_published(jail: Sandbox) -> None:
    source = "def f(n):\n    if n:\n        n = 0\n    return n\n"
    flat, framed = both(jail, source, "(0,)", 3, "n")
    assert flat == framed == PointTruth(False, (-1,), ())


def test_a_generator_goes_on_in_its_own_frame(jail: Sandbox) -> None:
    source = "def count():\n    k = 1\n    yield k\n    k = 2\n    yield k\n\ndef f(n):\n    return list(count())\n"
    _, framed = both(jail, source, "(0,)", 3, "k")
    assert framed == PointTruth(True, (4,), (("int", "1"),))


def test_a_comprehension_is_part_of_its_line(jail: Sandbox) -> None:
    source = "def f(a):\n    k = 7\n    b = [k for k in a]\n    return k, b\n"
    flat, framed = both(jail, source, "([1, 2],)", 3, "k")
    assert framed == PointTruth(True, (4,), (("int", "7"),))
    assert flat.next_lines == (4,)


def test_two_names_are_told_at_each_visit_and_not_mixed(jail: Sandbox) -> None:
    source = "def f(a):\n    for i in range(2):\n        a[i] += 1\n    return a\n"
    flat, framed = both(jail, source, "([5, 7],)", 3, "a[i]")
    assert set(flat.values) == {("int", "6"), ("int", "7"), ("int", "8")}  # 7: a before its second change, at i = 1
    assert framed.values == (("int", "6"), ("int", "8"))
