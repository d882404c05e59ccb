"""Listings of REval's programs: the test of an input as it runs, line numbers, comments."""

from __future__ import annotations

import ast

from evaluation.reval import Pair, RevalRow
from evaluation.reval_listing import ShownTest, call_of, numbered, with_test
from evaluation.reval_listing import test_text as text_of_test

TEST = """\
import unittest

class Helper:
    def test_no(self):
        pass

class First(unittest.TestCase):
    def setUp(self):
        self.n = 1
        self.m = 2

    def helper(self):
        return 3

    def test_b(self):
        if self.n:
            self.assertEqual(self.n, 1)

    def test_a(self):
        self.fail()

class Second(unittest.TestCase):
    def test_1(self):
        text = '''a
          b'''
        self.assertEqual(len(text), 13)
"""


def shown(index: int, given: str = "left = 1\n") -> ShownTest:
    pair = Pair(index, given, None, (), "")
    return text_of_test(RevalRow("Test/0", 0, "Box", "class Box: pass\n", TEST, (pair,)), pair)


def test_the_first_test_method_of_the_inputs_test_class_is_shown_with_its_own_set_up() -> None:
    assert shown(0) == ShownTest("self.n = 1\nself.m = 2", "if self.n:\n    self.assertEqual(self.n, 1)")


def test_a_text_over_several_lines_keeps_its_blanks() -> None:
    body = shown(1).body
    [text, *_] = [node.value for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Constant)]
    assert text == "a\n          b"


def test_an_input_whose_class_is_not_found_is_shown_as_published() -> None:
    assert shown(2) == ShownTest("", "left = 1")


def test_a_call_is_the_name_and_the_tuple_without_its_last_comma() -> None:
    row = RevalRow("Test/0", 0, "f", "def f(a, b): pass\n", None, ())
    assert call_of(row, Pair(0, "([1.0], 0.3,)", "1", (), "")) == "f([1.0], 0.3)"


def test_lines_are_numbered_before_a_tab_and_set_up_is_commented() -> None:
    assert numbered("a\n  b") == "1\ta\n2\t  b"
    assert with_test("class A: pass\n", ShownTest("x = 1\n\ny = 2", "z")) == "class A: pass\n\n# x = 1\n# \n# y = 2\nz"
