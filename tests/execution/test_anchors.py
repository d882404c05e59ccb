"""Anchors stand where the rules say: exact instrumented source per construct."""

from __future__ import annotations

from textwrap import dedent

from execution.anchors import instrument


def anchored(source: str) -> str:
    return instrument(dedent(source).lstrip("\n")).source


def expect(source: str, instrumented: str) -> None:
    assert anchored(source) == dedent(instrumented).lstrip("\n")


def test_the_example_of_the_paper_is_anchored_after_assignment_after_loop_and_before_return() -> None:
    expect(
        """
        def f(nums):
            res = []
            for n in nums:
                res.append(n * 2)
            return sum(res)
        """,
        """
        def f(nums):
            res = []
            print(f'res: {res}')
            for n in nums:
                res.append(n * 2)
            print(f'res: {res}')
            return_val = sum(res)
            print(f'return_val: {return_val}')
            return return_val
        """,
    )
