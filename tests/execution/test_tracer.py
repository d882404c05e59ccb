"""Line events: every step of the program's own frames, what changed, what was returned or raised; nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

import pytest

from execution.limits import Limits
from execution.local import LocalSandbox
from execution.sandbox import Job, Observation, Sandbox, Verdict
from execution.traces import Event


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with LocalSandbox() as opened:
        yield opened


def traced(sandbox: Sandbox, source: str, call: str) -> Observation:
    seen = sandbox.run(Job(dedent(source).lstrip("\n"), call, events=True))
    assert seen.verdict in {Verdict.OK, Verdict.EXCEPTION}, seen
    return seen


def steps(seen: Observation, function: str) -> list[tuple[str, int]]:
    return [(event.kind, event.line) for event in seen.events if event.function == function]


def test_each_line_is_an_event_and_changes_are_those_since_the_frames_last_event(sandbox: Sandbox) -> None:
    source = """
        def f(xs):
            t = 0
            for x in xs:
                t += x
            return t
    """
    seen = traced(sandbox, source, "f([5])")
    assert seen.events == (
        Event("call", 0, 0, "<module>", 0),
        Event("line", 0, 0, "<module>", 1),
        Event("return", 0, 0, "<module>", 1, {"f": ("function", "<function f>")}, (), ("NoneType", "None")),
        Event("call", 1, 1, "f", 1, {"xs": ("list", "[5]")}),
        Event("line", 1, 1, "f", 2),
        Event("line", 1, 1, "f", 3, {"t": ("int", "0")}),
        Event("line", 1, 1, "f", 4, {"x": ("int", "5")}),
        Event("line", 1, 1, "f", 3, {"t": ("int", "5")}),
        Event("line", 1, 1, "f", 5),
        Event("return", 1, 1, "f", 5, value=("int", "5")),
    )


def test_a_change_in_place_and_a_change_of_type_are_changes(sandbox: Sandbox) -> None:
    source = """
        def f(a):
            a.append(1)
            a = True
            a = 1
            return a
    """
    changes = [event.changes for event in traced(sandbox, source, "f([])").events if event.function == "f"]
    assert changes == [
        {"a": ("list", "[]")},
        {},
        {"a": ("list", "[1]")},
        {"a": ("bool", "True")},
        {"a": ("int", "1")},
        {},
    ]


def test_a_deleted_name_is_told_once(sandbox: Sandbox) -> None:
    seen = traced(sandbox, "def f():\n    a = b = 1\n    del a\n    return b", "f()")
    assert [event.deleted for event in seen.events if event.function == "f"] == [(), (), (), ("a",), ()]


def test_an_exception_is_an_event_in_each_frame_and_the_return_after_it_has_no_value(sandbox: Sandbox) -> None:
    source = """
        def g():
            raise ValueError('bad')
        def f():
            try:
                g()
            except ValueError:
                return None
    """
    seen = traced(sandbox, source, "f()")
    tail = [(event.kind, event.function, event.line, event.value) for event in seen.events[-7:]]
    assert tail == [
        ("line", "g", 2, None),
        ("exception", "g", 2, ("ValueError", "bad")),
        ("return", "g", 2, None),
        ("exception", "f", 5, ("ValueError", "bad")),
        ("line", "f", 6, None),
        ("line", "f", 7, None),
        ("return", "f", 7, ("NoneType", "None")),
    ]


def test_every_recursive_call_has_a_frame_number_and_a_depth_of_its_own(sandbox: Sandbox) -> None:
    seen = traced(sandbox, "def f(n):\n    return n if n == 0 else f(n - 1)", "f(2)")
    calls = [(event.frame, event.depth) for event in seen.events if event.kind == "call"]
    assert calls == [(0, 0), (1, 1), (2, 2), (3, 3)]


def test_a_generators_frame_keeps_its_number_when_it_goes_on(sandbox: Sandbox) -> None:
    source = """
        def g():
            yield 1
            yield 2
        def f():
            return list(g())
    """
    seen = traced(sandbox, source, "f()")
    events = [event for event in seen.events if event.function == "g"]
    assert {event.frame for event in events} == {2}
    assert [event.value for event in events if event.kind == "return"] == [
        ("int", "1"),
        ("int", "2"),
        ("NoneType", "None"),
    ]


def test_frames_of_the_library_are_not_in_the_events_and_methods_are_under_their_qualified_names(
    sandbox: Sandbox,
) -> None:
    source = """
        import statistics
        class A:
            def mean(self, xs):
                return statistics.mean(xs)
        def f(xs):
            return A().mean(xs)
    """
    seen = traced(sandbox, source, "f([1, 3])")
    assert {event.function for event in seen.events} == {"<module>", "A", "A.mean", "f"}
    assert seen.result == "2"


def test_fields_of_the_programs_own_objects_are_seen_to_change(sandbox: Sandbox) -> None:
    source = """
        class A:
            def __init__(self):
                self.n = 0
                self.n = 1
        def f():
            a = A()
            return a.n
    """
    seen = traced(sandbox, source, "f()")
    shown = [event.changes["self"][1] for event in seen.events if "self" in event.changes]
    assert shown == ["<A object>", "A(n=0)", "A(n=1)"]


def test_module_level_code_is_traced_as_the_module_frame(sandbox: Sandbox) -> None:
    seen = traced(sandbox, "a = 1\nb = a + 1\n", "b")
    assert steps(seen, "<module>") == [("call", 0), ("line", 1), ("line", 2), ("return", 2)]
    assert [event.changes for event in seen.events][2:] == [{"a": ("int", "1")}, {"b": ("int", "2")}]


def test_deep_recursion_cuts_the_events_and_leaves_the_run_as_it_is(sandbox: Sandbox) -> None:
    source = "def f(n):\n    return n if n == 0 else 1 + f(n - 1)"
    seen = traced(sandbox, source, "f(960)")
    assert (seen.result, seen.events_cut, seen.flags) == ("960", True, ())
    endless = traced(sandbox, "def f():\n    return f()", "f()")
    assert (endless.exception, endless.flags) == (("RecursionError", "maximum recursion depth exceeded"), ())


def test_events_are_bounded_in_number_and_size_and_marked_as_cut() -> None:
    limits = Limits(num_events=10, value_chars=20)
    with LocalSandbox(limits=limits) as sandbox:
        seen = traced(
            sandbox, "def f():\n    a = [0] * 10**6\n    for i in range(100):\n        pass\n    return i", "f()"
        )
    assert (len(seen.events), seen.events_cut, seen.result) == (10, True, "99")
    (shown,) = [event.changes["a"] for event in seen.events if "a" in event.changes]
    assert shown == ("list", "[0, 0, 0, 0, 0, 0, 0…")


def test_tracing_keeps_no_object_alive(sandbox: Sandbox) -> None:
    source = """
        log = []
        class A:
            def __del__(self):
                log.append('gone')
        def g():
            a = A()
            return 1
        def f():
            g()
            return list(log)
    """
    assert traced(sandbox, source, "f()").result == "['gone']"


def test_a_trace_is_the_same_in_two_runs_under_two_seeds() -> None:
    source = "def f(xs):\n    s = {x for x in xs}\n    o = object()\n    return sorted(s)"
    seen = []
    for seed in (0, 1):
        with LocalSandbox(seed) as sandbox:
            seen.append(sandbox.run(Job(source, "f(['b', 'a'])", events=True)).events)
    assert seen[0] == seen[1]
