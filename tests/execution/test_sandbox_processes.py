"""The jail's processes: what they can see, that they end with whoever needs them, and that a lost one is replaced."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from execution.local import LocalSandbox
from execution.sandbox import Job, Sandbox, Verdict
from execution.zygote import Start, ZygoteSandbox
from infra.processes import descendants
from tests.execution.conftest import open_jail
from tests.services.processes import all_gone

ROOT = Path(__file__).resolve().parents[2]
JOB = Job("def f(xs):\n    return sum(xs)", "f([1])")


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def family_of(process: psutil.Process) -> list[psutil.Process]:
    """The process and all its descendants."""
    return [process, *descendants(process)]


def jail_process(sandbox: Sandbox) -> psutil.Process:
    assert isinstance(sandbox, ZygoteSandbox)
    assert sandbox.process_id is not None
    return psutil.Process(sandbox.process_id)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may look into the jail's processes")
def test_the_jail_is_mounted_read_only_and_its_processes_hold_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPCODE_SECRET", "do-not-tell")
    with open_jail(7) as sandbox:
        family = family_of(jail_process(sandbox))
        environments = [Path(f"/proc/{member.pid}/environ").read_bytes() for member in family]
        arguments = b"".join(Path(f"/proc/{member.pid}/cmdline").read_bytes() for member in family)
        mounts = [line.split() for line in Path(f"/proc/{family[-1].pid}/mountinfo").read_text().splitlines()]
        users = [member.uids().real for member in family]
    writable = {mount[4] for mount in mounts if "ro" not in mount[5].split(",")}
    assert writable <= {"/dev/null", "/dev/urandom"}
    assert 0 not in users
    assert {pair for one in environments for pair in one.split(b"\0")} <= {b"", b"PYTHONHASHSEED=7", b"PWD=/"}
    assert b"do-not-tell" not in b"".join(environments) + arguments


def test_closing_ends_every_process_of_the_jail() -> None:
    sandbox = open_jail()
    family = family_of(jail_process(sandbox))
    assert len(family) >= 2
    sandbox.close()
    assert all_gone(family, 20)


@pytest.mark.parametrize("backend", ["bubblewrap", "local"])
def test_the_jail_dies_with_a_killed_parent_while_a_program_runs(backend: str, jail: Sandbox) -> None:
    code = f"""
from execution.sandbox import *
sandbox = open_sandbox({backend!r})
print(sandbox.process_id, flush=True)
sandbox.run(Job("def f():\\n    import time\\n    time.sleep(1000)", "f()"))
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        jailed = psutil.Process(int(parent.stdout.readline()))
        minimum = len(family_of(jailed)) + 1
        wait_for(lambda: len(family_of(jailed)) >= minimum, 1.0)
        family = family_of(jailed)
        parent.kill()
    assert all_gone(family, 20)


def test_a_forked_process_whose_parent_died_before_it_could_ask_to_be_killed_ends() -> None:
    code = """
import os
from execution import jail
parent = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == parent:
    pass
print("orphaned", flush=True)
jail.die_with(parent, jail._prctl())
print("lives on", flush=True)
"""
    seen = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert seen.stdout == "orphaned\n"


def test_a_killed_jail_is_replaced_unnoticed() -> None:
    with open_jail() as sandbox:
        jail_process(sandbox).kill()
        assert sandbox.run(JOB).result == "1"


def test_a_sandbox_outlives_the_thread_that_opened_it() -> None:
    opened: list[Sandbox] = []
    thread = threading.Thread(target=lambda: opened.append(open_jail()))
    thread.start()
    thread.join()
    with opened[0] as sandbox:
        assert sandbox.run(JOB).result == "1"


def test_a_jail_that_cannot_be_replaced_is_our_failure_and_no_verdict_on_the_program() -> None:
    with LocalSandbox() as sandbox:
        sandbox.start = Start(["/nonexistent/interpreter"])
        killed = jail_process(sandbox)
        killed.kill()
        all_gone([killed], 20)
        seen = sandbox.run(JOB)
    assert seen.verdict == Verdict.SANDBOX_FAILED and "/nonexistent/interpreter does not start" in seen.detail


def test_many_runs_leave_no_descriptor_and_no_process(jail: Sandbox) -> None:
    family = family_of(jail_process(jail))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        jail.run(JOB)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert family_of(jail_process(jail)) == family
