"""Questions about the n-th execution of a line. Each defect of ExecVerify's labels that is known has a test here that
ours are right (arXiv 2603.11226; its public code builds labels from a flat list of events, texts and substrings)."""

from __future__ import annotations

import ast

from evaluation.questions import NIL, VISIT_TASKS, Question, visit_questions
from evaluation.visits import Visits, line_visits
from tests.evaluation.conftest import Tracer

Key = tuple[int, int | None]  # line, visit


def next_statements(trace_of: Tracer, source: str, call: str) -> dict[Key, str]:
    return {(one.line, one.visit): one.accepted[0] for one in all_questions(trace_of, source, call, "next_statement")}


def variables(trace_of: Tracer, source: str, call: str) -> dict[tuple[int, int | None, str | None], str]:
    return {
        (one.line, one.visit, one.variable): one.accepted[0]
        for one in all_questions(trace_of, source, call, "variable")
    }


def all_questions(trace_of: Tracer, source: str, call: str, task: str) -> list[Question]:
    found = [one for one in visit_questions(trace_of(source, call), 0, 10_000) if one.task == task]
    assert all(len(one.accepted) == 1 for one in found)
    return found


def visits(trace_of: Tracer, source: str, call: str) -> dict[int, Visits]:
    return line_visits(trace_of(source, call).events, ast.parse(source))


LOOP = """\
def f(xs):
    total = 0
    for x in xs:
        if x > 1:
            total += x
    return total
"""


def test_each_execution_of_a_line_has_the_statement_that_followed_it(trace_of: Tracer) -> None:
    assert next_statements(trace_of, LOOP, "f([1, 5])") == {
        (3, 1): "if x > 1:",
        (3, 2): "if x > 1:",
        (3, 3): "return total",
        (4, 1): "for x in xs:",
        (4, 2): "total += x",
        (5, 1): "for x in xs:",
        (6, 1): "-1",
    }


def test_each_execution_of_a_line_has_the_values_after_it(trace_of: Tracer) -> None:
    assert variables(trace_of, LOOP, "f([2, 5])") == {
        (2, 1, "total"): "0; int",
        (3, 1, "x"): "2; int",
        (3, 2, "x"): "5; int",
        (5, 1, "total"): "2; int",
        (5, 2, "total"): "7; int",
        (6, 1, "total"): "7; int",
    }


# 10. A return counted twice; comprehensions that inflate ordinals.


def test_a_return_is_one_execution(trace_of: Tracer) -> None:
    source = "def f(x):\n    y = x + 1\n    return y\n"
    assert len(visits(trace_of, source, "f(1)")[3].each) == 1
    assert next_statements(trace_of, source, "f(1)") == {(3, 1): "-1"}


def test_a_comprehension_is_one_execution_of_its_line(trace_of: Tracer) -> None:
    source = "def f(xs):\n    ys = [x * 2 for x in xs]\n"
    source += "    zs = sorted(y for y in ys if any(y > x for x in xs))\n    return zs\n"
    seen = visits(trace_of, source, "f([1, 2, 3])")
    assert {line: len(one.each) for line, one in seen.items()} == {2: 1, 3: 1, 4: 1}


def test_an_expression_over_several_lines_does_not_inflate_ordinals(trace_of: Tracer) -> None:
    source = "def f(xs):\n    n = 0\n    for x in xs:\n"
    source += "        n = max(\n            n,\n            x,\n        )\n    return n\n"
    assert len(visits(trace_of, source, "f([1, 2])")[4].each) == 2


# 11. Lines of one statement as "next"; a helper's `def` as next; what follows a helper's return.


def test_what_follows_a_statement_over_several_lines_is_the_next_statement(trace_of: Tracer) -> None:
    source = "def f(a):\n    b = a\n    d = {\n        'x': b,\n        'y': [\n            b],\n    }\n    return d\n"
    seen = visits(trace_of, source, "f(1)")
    assert [(line, list(one.next_lines)) for line, one in sorted(seen.items())] == [(2, [3]), (3, [8]), (8, [None])]


HELPER = """\
def g(n):
    m = n + 1
    return m

def f(n):
    k = g(n)
    k = g(k)
    return k
"""


def test_a_call_is_followed_by_the_callers_next_statement(trace_of: Tracer) -> None:
    seen = visits(trace_of, HELPER, "f(1)")
    assert list(seen[6].next_lines) == [7]
    assert list(seen[7].next_lines) == [8]


def test_a_helpers_return_ends_its_call(trace_of: Tracer) -> None:
    assert [visit.next_line for visit in visits(trace_of, HELPER, "f(1)")[3].each] == [None, None]


def test_executions_are_counted_in_the_order_in_which_they_began_over_recursive_calls(trace_of: Tracer) -> None:
    source = "def f(n):\n    if n == 0:\n        return 0\n    r = f(n - 1)\n    r += n\n    return r\n"
    found = variables(trace_of, source, "f(2)")
    assert (found[4, 1, "r"], found[4, 2, "r"]) == ("1; int", "0; int"), "the first call began first, and ended last"
    assert (found[5, 1, "r"], found[5, 2, "r"]) == ("1; int", "3; int")


# 12. Keywords found as substrings.


def test_names_that_hold_keywords_do_not_make_a_line_control_flow(trace_of: Tracer) -> None:
    source = "def f(x):\n    modified = x\n    format_ = modified\n    whileaway = format_\n    return whileaway\n"
    assert next_statements(trace_of, source, "f(1)") == {(5, 1): "-1"}


# 13. -1 for continuation lines and docstrings of what ran.


def test_continuation_lines_and_docstrings_are_never_asked_about(trace_of: Tracer) -> None:
    source = (
        'def f(a):\n    """Says\n    something."""\n    b = (a +\n         1)\n    """\n    a text\n    """\n'
        "    if a > 5:\n        b = 0\n    return b\n"
    )
    assert next_statements(trace_of, source, "f(1)") == {(9, 1): "return b", (10, 1): "-1", (11, 1): "-1"}


# 14. Types by substring, `str` for whatever is no literal; addresses.


def test_values_are_labelled_with_the_types_that_they_have(trace_of: Tracer) -> None:
    source = """\
def f():
    a = set()
    b = None
    c = b'x'
    d = True
    e = -1.5
    g = {'k': (1,)}
    h = 2j
    i = 'print(int)'
    return i
"""
    assert [text for _, text in sorted(variables(trace_of, source, "f()").items())] == [
        "set(); set",
        "None; NoneType",
        "b'x'; bytes",
        "True; bool",
        "-1.5; float",
        "{'k': (1,)}; dict",
        "2j; complex",
        "'print(int)'; str",
        "'print(int)'; str",
    ]


def test_what_is_no_literal_keeps_its_type_and_is_not_asked_for(trace_of: Tracer) -> None:
    source = """\
def f():
    a = frozenset([1])
    b = range(3)
    c = iter([1])
    d = {}.keys()
    e = float('nan')
    g = object()
    h = 'x' * 3000
    z = 1
    return z
"""
    after = visits(trace_of, source, "f()")[9].each[0].after
    assert {name: kind for name, (kind, _) in after.items()} == {
        "a": "frozenset",
        "b": "range",
        "c": "list_iterator",
        "d": "dict_keys",
        "e": "float",
        "g": "object",
        "h": "str",
        "z": "int",
    }
    assert all("0x" not in text for _, text in after.values())
    assert {variable for _, _, variable in variables(trace_of, source, "f()")} == {"z"}


# 15. No data-flow question about calls of helpers, nor before a return; Nil never the answer.


def test_lines_that_call_a_helper_and_the_last_line_have_their_values(trace_of: Tracer) -> None:
    found = variables(trace_of, HELPER, "f(1)")
    assert (found[6, 1, "k"], found[7, 1, "k"], found[8, 1, "k"]) == ("2; int", "3; int", "3; int")
    assert (found[2, 1, "m"], found[2, 2, "m"]) == ("2; int", "3; int")


def test_a_change_in_place_by_a_helper_is_asked_about(trace_of: Tracer) -> None:
    source = "def g(ys):\n    ys.append(1)\n    n = 1\n    return n\n\ndef f(xs):\n    g(xs)\n    return xs\n"
    assert variables(trace_of, source, "f([])")[7, 1, "xs"] == "[1]; list"


def test_a_line_that_does_not_run_has_nil_and_minus_one(trace_of: Tracer) -> None:
    source = "def f(x):\n    y = 0\n    if x:\n        y = 1\n        y += 1\n    return y\n"
    assert variables(trace_of, source, "f(0)")[4, 1, "y"] == NIL
    assert next_statements(trace_of, source, "f(0)")[5, 1] == "-1"


def test_an_execution_that_raised_has_no_value_and_the_others_have(trace_of: Tracer) -> None:
    source = """\
def f(xs):
    total = 0
    for x in xs:
        try:
            total += 6 // x
        except ZeroDivisionError:
            total -= 1
    return total
"""
    found = variables(trace_of, source, "f([2, 0, 3])")
    assert {key: text for key, text in found.items() if key[0] == 5} == {
        (5, 1, "total"): "3; int",
        (5, 3, "total"): "4; int",
    }
    assert next_statements(trace_of, source, "f([2, 0, 3])")[5, 2] == "except ZeroDivisionError:"


def test_a_loop_that_its_iterator_ends_did_not_raise_and_one_whose_iterable_raised_did(trace_of: Tracer) -> None:
    source = """\
class Count:
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        return self
    def __next__(self):
        self.n -= 1
        if self.n < 0:
            raise StopIteration
        return self.n

def f(xs):
    t = 0
    for x in Count(2):
        t += x
    try:
        for y in next(xs):
            t += y
    except StopIteration:
        t += 5
    return t
"""
    seen = visits(trace_of, source, "f(iter([]))")
    assert [(visit.raised, visit.next_line) for visit in seen[14].each] == [(False, 15), (False, 15), (False, 16)]
    assert [(visit.raised, visit.next_line) for visit in seen[17].each] == [(True, 19)]


# 16. The first function of the text taken for the entry point.


def test_the_call_decides_what_runs_and_not_the_order_of_functions(trace_of: Tracer) -> None:
    seen = visits(trace_of, HELPER, "f(1)")
    assert [len(seen[line].each) for line in (2, 3, 6, 7, 8)] == [2, 2, 1, 1, 1]
    assert trace_of(HELPER, "f(1)").result == "3"


# 17. Nested functions twice; one arbitrary order of a set.


def test_nested_functions_are_asked_about_once_on_their_own_lines(trace_of: Tracer) -> None:
    source = "def f(x):\n    def g(y):\n        z = y + x\n        return z\n    w = g(1)\n    return w\n"
    assert variables(trace_of, source, "f(1)") == {
        (3, 1, "z"): "2; int",
        (4, 1, "z"): "2; int",
        (5, 1, "w"): "2; int",
        (6, 1, "w"): "2; int",
    }


def test_a_set_is_labelled_in_an_order_that_does_not_depend_on_hashes(trace_of: Tracer) -> None:
    source = "def f():\n    s = {'b', 'a', 'c'}\n    n = len(s)\n    return n\n"
    assert variables(trace_of, source, "f()")[2, 1, "s"] == "{'a', 'b', 'c'}; set"


# What is drawn.


def test_every_line_is_asked_about_before_any_line_twice(trace_of: Tracer) -> None:
    trace = trace_of(LOOP, "f([2, 3, 4, 5, 6, 7, 8, 9])")
    for seed in range(10):
        drawn = [one for one in visit_questions(trace, seed, 4) if one.task == "variable"]
        assert len({one.line for one in drawn}) == 4


def test_the_questions_drawn_depend_on_the_seed_alone_and_have_ids_of_their_own(trace_of: Tracer) -> None:
    trace = trace_of(LOOP, "f([2, 3, 4])")
    first = visit_questions(trace, 1, 5)
    assert first == visit_questions(trace, 1, 5) != visit_questions(trace, 2, 5)
    assert len({one.question_id for one in first}) == len(first) == 5 * len(VISIT_TASKS)
    assert "variable:2:#1:total" in {one.question_id for one in visit_questions(trace, 1, 100)}
