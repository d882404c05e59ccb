"""Programs in the background: recorded, stopped with all that they started, and never mistaken for another."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra import background
from infra.background import Background, BackgroundError

SLEEP = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"

Start = Callable[[str], Background]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def start(tmp_path: Path, records: Path) -> Iterator[Start]:
    """Starts a program of the given source, and waits until it is there."""
    started: list[Background] = []

    def begin(source: str) -> Background:
        log = tmp_path / "log"
        one = background.start("thing", ("-c", source), cwd=tmp_path, environment=os.environ, log=log, records=records)
        started.append(one)
        background.wait_until(lambda: "here" in log.read_text(), one, 30)
        return one

    yield begin
    for one in started:
        if (process := one.process) is not None:
            for member in (*process.children(recursive=True), process):
                member.kill()


def test_started_program_is_recorded_and_leads_its_own_process_group(start: Start, records: Path) -> None:
    one = start(SLEEP)
    assert background.recorded(records, "thing") == one
    assert os.getpgid(one.pid) == one.pid != os.getpgid(0)


def test_stop_ends_the_program_and_what_it_started_and_forgets_it(start: Start, records: Path) -> None:
    one = start(PARENT)
    process = one.process
    assert process is not None
    (child,) = process.children()
    assert background.stop(records, "thing", grace_s=10)
    assert one.process is None
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert background.recorded(records, "thing") is None


def test_program_that_ignores_the_request_is_killed(start: Start, records: Path) -> None:
    one = start(STUBBORN)
    assert background.stop(records, "thing", grace_s=0.5)
    assert one.process is None


@pytest.mark.parametrize("change", [{"started": 1.0}, {"command": ["another", "program"]}])
def test_process_that_is_not_the_recorded_one_is_left_alone(
    start: Start, records: Path, change: dict[str, object]
) -> None:
    one = start(SLEEP)
    path = records / "thing.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert not background.stop(records, "thing", grace_s=1)
    assert one.process is not None
    assert not path.exists()


def test_stop_without_a_record_is_nothing(records: Path) -> None:
    assert not background.stop(records, "thing", grace_s=1)


def test_program_that_ends_while_it_starts_is_told_with_the_end_of_its_log(tmp_path: Path, records: Path) -> None:
    one = background.start(
        "thing",
        ("-c", "raise SystemExit('no such disk')"),
        cwd=tmp_path,
        environment=os.environ,
        log=tmp_path / "log",
        records=records,
    )
    with pytest.raises(BackgroundError, match=r"the thing ended while it started(.|\n)*no such disk"):
        background.wait_until(lambda: False, one, 30)


def test_program_that_is_never_ready_is_told_after_the_deadline(start: Start) -> None:
    with pytest.raises(BackgroundError, match=r"the thing is not ready after 0 s(.|\n)*here"):
        background.wait_until(lambda: False, start(SLEEP), 0.1)
