"""The flattened view, worked by hand: what REval's list of records says, also where that is not what happened."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

import pytest

from execution.flat import Flattened, expressions_to_watch, flattened
from execution.local import LocalSandbox
from execution.sandbox import Job, Sandbox, Verdict

CALLS = """
    def g(n):
        m = n + 1
        return m

    def f(n):
        a = g(n)
        a = 2 * a
        return a
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with LocalSandbox() as opened:
        yield opened


def view(sandbox: Sandbox, source: str, call: str, *expressions: str) -> Flattened:
    watched = tuple(text for expression in expressions for text in expressions_to_watch(expression))
    seen = sandbox.run(Job(dedent(source).lstrip("\n"), call, events=True, watched=watched))
    assert seen.verdict == Verdict.OK, seen
    return flattened(seen.events)


def test_only_what_the_call_runs_is_covered(sandbox: Sandbox) -> None:
    seen = view(sandbox, CALLS, "f(1)")
    assert [line for line in range(1, 9) if seen.covered(line)] == [2, 3, 6, 7, 8]


def test_the_next_line_is_that_of_the_next_record_in_whatever_frame(sandbox: Sandbox) -> None:
    seen = view(sandbox, CALLS, "f(1)")
    assert seen.next_lines(6) == [2]
    assert seen.next_lines(3) == [7], "the caller's next line: the return of `g` is no record of its own"
    assert seen.next_lines(8) == [-1]
    assert seen.next_lines(1) == [-1], "never reached"


def test_a_line_that_returns_a_call_comes_twice_the_second_time_with_nothing_in_it(sandbox: Sandbox) -> None:
    source = """
        def g(n):
            return n

        def f(n):
            return g(n)
    """
    seen = view(sandbox, source, "[f(1), f(2)]")
    assert [record.line for record in seen.records] == [5, 2, 5, 2, 5]
    assert seen.next_lines(5) == [-1, 2]
    assert seen.next_lines(2) == [5]
    assert seen.values(2, "n") == [("int", "2")], "after the first visit comes the line event of the second call"


def test_a_value_after_a_line_is_looked_up_in_the_next_record_whichever_frame_that_is(sandbox: Sandbox) -> None:
    seen = view(sandbox, CALLS, "f(1)")
    assert seen.values(6, "n") == [("int", "1")], "the callee's namesake"
    assert seen.values(6, "a") == [], "Nil, though it is assigned there"
    assert seen.values(7, "a") == [("int", "4")]


def test_the_last_record_is_its_own_successor_and_shows_what_was_before_it(sandbox: Sandbox) -> None:
    source = """
        class A:
            def __init__(self):
                self.n = 1
                self.n = 2
    """
    seen = view(sandbox, source, "A()", "self.n")
    assert seen.values(3, "self.n") == [("int", "1")]
    assert seen.values(4, "self.n") == [("int", "1")]


def test_events_on_one_line_are_one_record_whichever_frame_they_belong_to(sandbox: Sandbox) -> None:
    source = """
        def f(xs):
            ys = [y * 2 for y in xs]
            return ys
    """
    seen = view(sandbox, source, "f([1, 5])")
    assert [record.line for record in seen.records] == [2, 3]
    assert seen.records[0].values["y"] == ("int", "5"), "the comprehension's frame has the last word"


def test_names_of_one_expression_are_combined_over_all_visits(sandbox: Sandbox) -> None:
    source = """
        def f():
            seen = {}
            for i in (1, 2):
                seen[i] = i * i
            return seen
    """
    seen = view(sandbox, source, "f()", "seen[i]", "(i, seen)")
    assert seen.values(4, "seen[i]") == [("int", "1"), ("int", "4")]
    assert seen.values(4, "(i, seen)") == [
        ("tuple", "(1, {1: 1})"),
        ("tuple", "(1, {1: 1, 2: 4})"),
        ("tuple", "(2, {1: 1})"),
        ("tuple", "(2, {1: 1, 2: 4})"),
    ]


def test_a_path_through_objects_and_containers_has_its_values(sandbox: Sandbox) -> None:
    source = """
        class Shop:
            def __init__(self):
                self.stock = {}
            def add(self, name, n):
                self.stock[name] = {'n': n}
                return self.stock
        def f():
            shop = Shop()
            shop.add('a', 1)
            return shop.add('b', 2)
    """
    seen = view(sandbox, source, "f()", "self.stock[name]['n']", "self.stock")
    assert seen.values(5, "self.stock[name]['n']") == [("int", "1"), ("int", "2")]
    assert seen.values(5, "self.stock")[0] == ("dict", "{'a': {'n': 1}}")


def test_functions_modules_and_iterators_are_no_values(sandbox: Sandbox) -> None:
    source = """
        import itertools
        def f():
            m = itertools
            i = iter([1])
            z = zip([1])
            g = (x for x in [1])
            c = itertools.count()
            return 0
    """
    seen = view(sandbox, source, "f()")
    assert seen.records[-1].values == {}


def test_the_parts_to_watch_are_those_with_one_name() -> None:
    assert expressions_to_watch("n") == ()
    assert expressions_to_watch("self.a['k'][0]") == ("self.a['k'][0]", "self.a['k']", "self.a")
    assert expressions_to_watch("self.a[self.i].n") == ("self.a[self.i].n", "self.a", "self.i")
    with pytest.raises(ValueError, match="no expression"):
        expressions_to_watch("a +")


def test_a_value_cut_at_the_limits_is_an_error_where_its_parts_are_asked_for(sandbox: Sandbox) -> None:
    source = "def f():\n    xs = ['a' * 5000]\n    for i in (0,):\n        xs[i] += 'b'\n    return xs"
    seen = view(sandbox, source, "f()", "xs[i]")
    with pytest.raises(ValueError, match="no canonical text"):
        seen.values(4, "xs[i]")
