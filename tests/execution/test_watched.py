"""Watched expressions: read where values are stored, as further variables of a frame; no code of the program runs."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent

import pytest

from execution.limits import Limits
from execution.local import LocalSandbox
from execution.sandbox import Job, Sandbox, Verdict

CLASS = """
    ran = []
    class Base:
        limit = 3
        @property
        def doubled(self):
            ran.append('doubled')
            return 2 * self.n
        def __getitem__(self, key):
            ran.append('getitem')
            return key
        def __getattr__(self, name):
            ran.append('getattr')
            return name
    class A(Base):
        __slots__ = ('kept',)
        def __init__(self, n):
            self.n = n
            self.kept = [n]
    class Key:
        def __hash__(self):
            return hash('k')
        def __eq__(self, other):
            ran.append('eq')
            return False
    def f(a):
        key = 'k'
        d = {Key(): 0, 'k': 1}
        pair = (d, a)
        at = 1
        ran.clear()  # what making `d` took
        at = 1
        return ran
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with LocalSandbox(limits=Limits(value_chars=100)) as opened:
        yield opened


def last_values(sandbox: Sandbox, *watched: str) -> dict[str, tuple[str, str]]:
    """What is known of watched expressions when `f` returns."""
    seen = sandbox.run(Job(dedent(CLASS), "f(A(7))", events=True, watched=watched))
    assert (seen.verdict, seen.result) == (Verdict.OK, "[]"), "no code of the program ran for the tracer"
    known: dict[str, tuple[str, str]] = {}
    for event in seen.events:
        if event.function == "f":
            known.update(event.changes)
            for name in event.deleted:
                del known[name]
    return {name: known[name] for name in watched if name in known}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a.n", ("int", "7")),
        ("a.kept", ("list", "[7]")),  # a slot
        ("a.limit", ("int", "3")),  # of the class
        ("a.kept[0]", ("int", "7")),
        ("(a.n, key)", ("tuple", "(7, 'k')")),
        ("d['k']", ("int", "1")),
        ("d[key]", ("int", "1")),
        ("pair[at].n", ("int", "7")),
        ("pair[0]['k']", ("int", "1")),
        ("key[0]", ("str", "'k'")),
        ("(at,)", ("tuple", "(1,)")),
    ],
)
def test_an_expression_has_its_value(sandbox: Sandbox, expression: str, expected: tuple[str, str]) -> None:
    assert last_values(sandbox, expression) == {expression: expected}


@pytest.mark.parametrize(
    "expression",
    ["a.doubled", "a['k']", "a.unknown", "a.kept[1]", "d['x']", "missing.n", "key[at:]", "-at", "f(1)", "a.n +", ""],
)
def test_what_would_run_code_or_fails_or_is_no_such_expression_has_no_value(sandbox: Sandbox, expression: str) -> None:
    assert last_values(sandbox, expression) == {}


def test_a_librarys_own_property_is_read(sandbox: Sandbox) -> None:
    source = "from pathlib import PurePath\ndef f():\n    p = PurePath('a/b.c')\n    return p.suffix"
    seen = sandbox.run(Job(source, "f()", events=True, watched=("p.suffix",)))
    assert [event.changes["p.suffix"] for event in seen.events if "p.suffix" in event.changes] == [("str", "'.c'")]


def test_a_change_is_told_once_and_the_end_of_a_value_as_deleted(sandbox: Sandbox) -> None:
    source = """
        class A: pass
        def f():
            a = A()
            a.n = 1
            a.m = 2
            a.n = 3
            del a.n
            return a.m
    """
    seen = sandbox.run(Job(dedent(source), "f()", events=True, watched=("a.n",)))
    told = [(event.line, event.changes.get("a.n"), event.deleted) for event in seen.events if event.function == "f"]
    assert told == [
        (3, None, ()),
        (4, None, ()),
        (5, None, ()),
        (6, ("int", "1"), ()),
        (7, None, ()),
        (8, ("int", "3"), ()),
        (9, None, ("a.n",)),
        (9, None, ()),
    ]


def test_without_watched_expressions_the_events_are_as_before(sandbox: Sandbox) -> None:
    plain = sandbox.run(Job(dedent(CLASS), "f(A(7))", events=True))
    names_only = sandbox.run(Job(dedent(CLASS), "f(A(7))", events=True, watched=("key", "a")))
    assert plain.events == names_only.events
