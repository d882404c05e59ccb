"""Limits: each row is named by a test that tries to break it, and the values that say how much is shown are kept."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from execution.limits import Limits
from execution.sandbox import Job, Sandbox, SandboxError, open_sandbox
from tests.execution.conftest import LOW_LIMITS, open_jail

SHORT = dataclasses.replace(
    LOW_LIMITS, event_chars=2000, value_chars=30, value_depth=3, result_chars=50, message_chars=40
)


def test_every_limit_is_named_by_a_test_of_execution() -> None:
    texts = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    unnamed = [
        field.name
        for field in dataclasses.fields(Limits)
        if not any(re.search(rf"(?:LIMITS|SHORT|limits)\.{field.name}\b|\b{field.name}=", text) for text in texts)
    ]
    assert unnamed == []


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Limits)])
def test_no_limit_is_negative(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        dataclasses.replace(Limits(), **{field: -1})


@pytest.fixture(scope="module")
def short() -> Sandbox:
    return open_jail(limits=SHORT)


def test_a_result_and_an_argument_are_cut_at_their_length(short: Sandbox) -> None:
    seen = short.run(Job("def f(a):\n    return a", "f('x' * 1000)"))
    assert seen.result is not None and len(seen.result) == SHORT.result_chars + 1 and not seen.result_is_literal
    assert [len(text) for text in seen.arguments_after] == [SHORT.result_chars + 1]


def test_a_message_is_cut_at_its_length(short: Sandbox) -> None:
    seen = short.run(Job("def f():\n    raise ValueError('x' * 1000)", "f()"))
    assert seen.exception == ("ValueError", "x" * SHORT.message_chars)


def test_a_value_is_shown_to_its_depth_only(short: Sandbox) -> None:
    seen = short.run(Job("def f():\n    a = []\n    for _ in range(100): a = [a]\n    return a", "f()"))
    assert seen.result == "[" * SHORT.value_depth + "…" + "]" * SHORT.value_depth


def test_texts_of_events_are_bounded_one_by_one_and_together(short: Sandbox) -> None:
    source = "def f():\n    a = 'x' * 1000\n    for n in range(200): a = str(n) + a\n    return 1"
    seen = short.run(Job(source, "f()", events=True))
    texts = [text for event in seen.events for _, text in event.changes.values()]
    assert seen.events_cut and max(map(len, texts)) == SHORT.value_chars + 1
    assert sum(map(len, texts)) <= SHORT.event_chars + SHORT.value_chars


def test_a_warm_interpreter_that_does_not_come_up_in_time_is_an_error() -> None:
    with pytest.raises(SandboxError, match="does not start"):
        open_sandbox("bubblewrap", limits=dataclasses.replace(Limits(), startup_s=0.001))
