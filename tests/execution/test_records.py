"""What comes out of the jail is judged by shape and size; a record that the runner would not write is a crash."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from execution.limits import Limits
from execution.records import Answer, judge
from execution.sandbox import Verdict

LIMITS = Limits(num_states=2, num_events=2, result_chars=10, state_chars=10, output_bytes=100)
RECORD: dict[str, Any] = {
    "nonce": "n",
    "verdict": "ok",
    "result": "3",
    "result_type": "int",
    "result_is_literal": True,
    "states": [[0, "x: 3"]],
    "events": [["line", 0, 0, "f", 1, {"x": ["int", "3"]}, [], None]],
    "stdout": "",
    "flags": [],
    "cpu_s": 0.1,
    "wall_s": 0.1,
}


def answer(*records: object, status: int = 0, start: bytes = b'{"started":true}\n', **given: Any) -> Answer:
    said = start + b"".join(json.dumps(record).encode() + b"\n" for record in records)
    fields = {"cpu_s": 0.1, "wall_s": 0.1, "ended_by": 0, "num_printed": 0} | given
    return Answer(status=status, record=said, **fields)


def test_a_well_formed_record_is_an_observation() -> None:
    (seen,) = judge(answer(RECORD), 1, "n", LIMITS)
    assert (seen.verdict, seen.result, seen.states, seen.events[0].changes) == (
        Verdict.OK,
        "3",
        ((0, "x: 3"),),
        {"x": ("int", "3")},
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "other"},
        {"nonce": None},
        {"verdict": "sandbox_failed"},
        {"verdict": ["ok"]},
        {"result": 3},
        {"result": "x" * 12},
        {"result_type": None},
        {"states": [[0, "x"], [0, "x"], [0, "x"]]},
        {"states": [[0]]},
        {"states": [[-1, "x"]]},
        {"states": [[True, "x"]]},
        {"states": [[0, "x" * 12]]},
        {"states": {}},
        {"events": [["opcode", 0, 0, "f", 1, {}, [], None]]},
        {"events": [["line", 0, 0, "f", 1, {"x": "3"}, [], None]]},
        {"events": [["line", 0, 0, "f", 1, [], [], None]]},
        {"events": [["line"]]},
        {"events": [[["line"], 0, 0, "f", 1, {}, [], None]]},
        {"flags": ["trust me"]},
        {"cpu_s": -1.0},
        {"cpu_s": float("nan")},
        {"stdout": "x" * 101},
        {"exception": ["ValueError"]},
    ],
    ids=str,
)
def test_a_record_of_another_shape_or_size_is_a_forgery(changed: dict[str, Any]) -> None:
    (seen,) = judge(answer(RECORD | changed), 1, "n", LIMITS)
    assert (seen.verdict, seen.result, seen.flags) == (Verdict.CRASHED, None, ("forged_record",))


@pytest.mark.parametrize("record", [[], 3, "x", None, [[[]]]], ids=str)
def test_json_that_is_no_record_is_a_forgery(record: object) -> None:
    (seen,) = judge(answer(record), 1, "n", LIMITS)
    assert (seen.verdict, seen.flags) == (Verdict.CRASHED, ("forged_record",))


def test_bytes_that_are_no_json_are_a_forgery() -> None:
    for said in (b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"{}x\n", b"9" * 5000 + b"\n"):
        (seen,) = judge(answer(start=b'{"started":true}\n' + said), 1, "n", LIMITS)
        assert (seen.verdict, seen.flags) == (Verdict.CRASHED, ("forged_record",))


def test_a_record_does_not_save_a_process_that_ended_badly() -> None:
    (seen,) = judge(answer(RECORD, status=int(signal.SIGSEGV)), 1, "n", LIMITS)
    assert (seen.verdict, seen.detail, seen.result) == (Verdict.CRASHED, "killed by SIGSEGV", None)


def test_two_records_for_one_job_are_a_crash() -> None:
    (seen,) = judge(answer(RECORD, RECORD), 1, "n", LIMITS)
    assert seen.verdict == Verdict.CRASHED


def test_printed_bytes_are_counted_outside_whatever_the_record_says() -> None:
    (seen,) = judge(answer(RECORD, num_printed=101), 1, "n", LIMITS)
    assert (seen.verdict, seen.detail) == (Verdict.OUTPUT, "printed more than 100 bytes")


def test_the_verdict_of_a_process_without_record_comes_from_how_it_ended() -> None:
    ends = {
        int(signal.SIGXCPU): Verdict.TIMEOUT,
        int(signal.SIGSEGV): Verdict.CRASHED,
        int(signal.SIGKILL): Verdict.CRASHED,
        7 << 8: Verdict.CRASHED,
    }
    for status, verdict in ends.items():
        (seen,) = judge(answer(status=status), 1, "n", LIMITS)
        assert seen.verdict == verdict, status
    (seen,) = judge(answer(status=int(signal.SIGKILL), cpu_s=LIMITS.cpu_s), 1, "n", LIMITS)
    assert seen.verdict == Verdict.TIMEOUT
    for ended_by, detail in ((1, "still running after 20 s of wall time"), (2, "more than 2 s of CPU time")):
        (seen,) = judge(answer(status=int(signal.SIGKILL), ended_by=ended_by), 1, "n", LIMITS)
        assert (seen.verdict, seen.detail) == (Verdict.TIMEOUT, detail)


def test_a_process_that_failed_before_it_started_is_our_failure() -> None:
    (seen,) = judge(answer(status=99 << 8, start=b""), 1, "n", LIMITS)
    assert seen.verdict == Verdict.SANDBOX_FAILED
    (seen,) = judge(answer(status=99 << 8), 1, "n", LIMITS)
    assert seen.verdict == Verdict.CRASHED


def test_records_of_the_first_jobs_are_kept_when_a_later_one_crashes() -> None:
    seen = judge(answer(RECORD, status=int(signal.SIGSEGV)), 3, "n", LIMITS)
    assert [one.verdict for one in seen] == [Verdict.OK, Verdict.CRASHED]


def test_a_process_that_stopped_between_jobs_tells_of_those_before() -> None:
    assert [one.verdict for one in judge(answer(RECORD, RECORD), 3, "n", LIMITS)] == [Verdict.OK, Verdict.OK]
