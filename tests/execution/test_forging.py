"""Forging states: ways to the recorder, each of which records nothing, or is flagged, or both."""

from __future__ import annotations

from textwrap import dedent

import pytest

from execution.records import TAMPERING
from execution.sandbox import Job, Observation, Sandbox, Verdict

TRUE = ((0, "x: 1"),)


def attacked(jail: Sandbox, attack: str, before: str = "") -> Observation:
    """A program whose one anchor shows `x: 1`, with an attack after it; afterwards an honest run has its one state."""
    lines = ["def f(x):", "    print(f'x: {x}')", *dedent(attack).strip().splitlines()]
    source = "\n".join([*lines[:2], *(f"    {line}" for line in lines[2:]), "    return x"]) + "\n" + dedent(before)
    seen = jail.run(Job(source, "f(1)", anchor_lines=(2,)))
    honest = jail.run(Job("def f(x):\n    print(f'x: {x}')\n    return x", "f(1)", anchor_lines=(2,)))
    assert (honest.states, honest.flags) == (TRUE, ())
    return seen


RECORDER = "recorder = next(c for c in f.__code__.co_consts if callable(c))"


def test_the_recorder_called_from_another_line_records_nothing(jail: Sandbox) -> None:
    seen = attacked(jail, f"{RECORDER}\nrecorder('x: 99')")
    assert (seen.states, seen.flags) == (TRUE, ("forged_state",))


def test_the_recorder_called_from_other_code_under_the_same_line_records_nothing(jail: Sandbox) -> None:
    other = """exec(compile('\\nrecorder("x: 99")', '<program>', 'exec'), {'recorder': recorder})"""
    seen = attacked(jail, f"{RECORDER}\n{other}")
    assert (seen.states, seen.flags) == (TRUE, ("forged_state",))


def test_a_changed_copy_of_the_code_records_nothing(jail: Sandbox) -> None:
    seen = attacked(jail, "if x == 1:\n    f.__code__ = f.__code__.replace(co_name='g')\n    f(2)")
    assert (seen.states, seen.flags) == (TRUE, ("forged_state",))


def test_from_the_recorder_no_state_can_be_reached_unseen(jail: Sandbox) -> None:
    for look in (
        "recorder.__self__.gi_frame.f_locals",
        "__import__('inspect').getgeneratorlocals(recorder.__self__)",
        "__import__('operator').attrgetter('gi_frame.f_locals')(recorder.__self__)",
    ):
        seen = attacked(jail, f"{RECORDER}\n{look}['rows'].append((0, 'x: 99'))")
        assert "frames_walked" in seen.flags, look


def test_a_recorder_that_was_closed_changes_what_the_program_does(jail: Sandbox) -> None:
    seen = attacked(jail, f"{RECORDER}\nrecorder.__self__.close()\nreturn f(2)")
    assert (seen.verdict, seen.states) == (Verdict.EXCEPTION, TRUE)


@pytest.mark.parametrize(
    ("attack", "flag"),
    [
        ("exec('import sys; sys._getframe()')", "frames_walked"),
        ("eval('[None for n in [0]].__class__ and __import__(\"sys\")._getframe(0)')", "frames_walked"),
        ("import sys\nsys.addaudithook(lambda *given: None)", "hook_added"),
        ("import ctypes\nctypes.c_char.from_address(id(x))", "memory_reached"),
        ("import gc\ngc.get_referrers(f)", "collector_walked"),
        ("import sys\nsys._current_frames()", "frames_walked"),
        ("import sys\nsys.setprofile(None)", "settrace_called"),
    ],
)
def test_what_could_lead_to_the_recorder_is_flagged(jail: Sandbox, attack: str, flag: str) -> None:
    seen = attacked(jail, attack)
    assert flag in seen.flags and flag in TAMPERING


def test_frames_walked_when_the_message_of_an_exception_is_made_are_flagged(jail: Sandbox) -> None:
    late = """
        import sys
        class Late(Exception):
            def __str__(self):
                frame = sys._getframe()
                while frame is not None:
                    if 'states' in frame.f_locals: frame.f_locals['states'].rows.append((0, 'x: 99'))
                    frame = frame.f_back
                return ''
    """
    seen = attacked(jail, "raise Late", late)
    assert seen.verdict == Verdict.EXCEPTION and "frames_walked" in seen.flags


def test_nothing_that_was_arranged_runs_after_the_program(jail: Sandbox) -> None:
    """An alarm and a callback of the collector, both of which would run among the runner's frames."""
    source = """
        import gc, signal
        ended = []
        def late(*given):
            if ended: print('late')
        def f():
            signal.signal(signal.SIGALRM, late)
            gc.callbacks.append(late)
            gc.enable()
            gc.set_threshold(1)
            big = [[n] for n in range(5_000)]
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            ended.append(1)
            return big
    """
    seen = jail.run(Job(dedent(source), "f()"))
    assert (seen.verdict, seen.stdout) == (Verdict.OK, "")


def test_the_librarys_own_look_at_frames_is_no_offence(jail: Sandbox) -> None:
    source = """
        import collections, dataclasses, enum, typing
        Pair = collections.namedtuple('Pair', 'a b')
        @dataclasses.dataclass
        class Box:
            held: typing.List[int]
        class Colour(enum.Enum):
            RED = 1
        def f(x):
            return Pair(1, Box([x]).held), Colour.RED.name
    """
    seen = jail.run(Job(dedent(source), "f(1)"))
    assert (seen.verdict, seen.flags) == (Verdict.OK, ())
