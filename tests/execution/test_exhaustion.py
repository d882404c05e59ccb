"""One attack per test on a limit: what the program uses up, how it ends, and that the next one notices nothing."""

from __future__ import annotations

from dataclasses import replace

from execution.sandbox import Job, Sandbox, Verdict
from tests.execution.attacks import attack, errors_of
from tests.execution.conftest import LOW_LIMITS, open_jail


def test_a_fork_bomb_does_not_fork_once(jail: Sandbox) -> None:
    seen = attack(jail, "import os\ndef f():\n    while True:\n        os.fork()")
    assert seen.verdict == Verdict.REFUSED and seen.exception == (
        "PermissionError",
        "[Errno 1] Operation not permitted",
    )


def test_a_thread_bomb_does_not_start_one_thread(jail: Sandbox) -> None:
    source = """
        import threading, time
        def f():
            started = 0
            try:
                for _ in range(100):
                    threading.Thread(target=time.sleep, args=(9,)).start()
                    started += 1
            except RuntimeError:
                return started
    """
    assert attack(jail, source).result == str(LOW_LIMITS.num_processes)


def test_the_kernel_lets_the_jails_user_have_no_process_more(jail: Sandbox) -> None:
    source = """
        import os, resource
        def f():
            return os.getuid() != 0, resource.getrlimit(resource.RLIMIT_NPROC)
    """
    most = LOW_LIMITS.num_processes
    assert attack(jail, source).result == f"(True, ({most}, {most}))"


def test_a_memory_bomb_ends_in_verdict_memory(jail: Sandbox) -> None:
    seen = attack(jail, "def f():\n    kept = []\n    while True:\n        kept.append('x' * 10_000_000)")
    assert seen.verdict == Verdict.MEMORY


def test_memory_is_limited_to_what_is_declared(jail: Sandbox) -> None:
    most = LOW_LIMITS.memory_bytes
    assert errors_of(jail, "", f"bytearray({most // 2})", f"bytearray({most})") == "['DONE', 'MemoryError']"


def test_a_huge_string_and_a_huge_integer_end_in_verdict_memory(jail: Sandbox) -> None:
    assert attack(jail, "def f():\n    return len('x' * 2**40)").verdict == Verdict.MEMORY
    assert attack(jail, "def f():\n    return 1 << 2**34").verdict == Verdict.MEMORY


def test_the_text_of_a_huge_integer_is_never_made(jail: Sandbox) -> None:
    seen = attack(jail, "def f():\n    return 1 << 10_000_000")
    assert (seen.verdict, seen.result, seen.result_is_literal) == (Verdict.OK, "<int of 10000001 bits>", False)


def test_an_endless_loop_is_a_timeout_by_cpu(jail: Sandbox) -> None:
    seen = attack(jail, "def f():\n    while True: pass")
    assert (seen.verdict, seen.detail) == (Verdict.TIMEOUT, f"more than {LOW_LIMITS.cpu_s:g} s of CPU time")


def test_cpu_time_over_the_limit_is_a_timeout_though_the_program_ended(jail: Sandbox) -> None:
    source = f"""
        import time
        def f():
            while time.process_time() < {LOW_LIMITS.cpu_s + 0.2}: pass
            return 1
    """
    seen = attack(jail, source)
    assert (seen.verdict, seen.result) == (Verdict.TIMEOUT, None)


def test_ignoring_every_signal_does_not_outlive_the_cpu_limit(jail: Sandbox) -> None:
    source = """
        import signal
        def f():
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            while True: pass
    """
    assert attack(jail, source).verdict == Verdict.TIMEOUT


def test_swallowing_every_exception_does_not_outlive_the_cpu_limit(jail: Sandbox) -> None:
    source = """
        def f():
            while True:
                try:
                    while True: print('x' * 100_000)
                except BaseException: pass
    """
    assert attack(jail, source).verdict in {Verdict.TIMEOUT, Verdict.OUTPUT}


def test_sleeping_is_a_timeout_by_wall_time() -> None:
    limits = replace(LOW_LIMITS, cpu_s=0.2, wall_s=1.0)
    with open_jail(limits=limits) as jail:
        seen = jail.run(Job("import time\ndef f():\n    time.sleep(1000)", "f()"))
    assert (seen.verdict, seen.detail) == (Verdict.TIMEOUT, f"still running after {limits.wall_s:g} s of wall time")


def test_endless_recursion_is_an_exception_as_anywhere(jail: Sandbox) -> None:
    seen = attack(jail, "def f():\n    return f()")
    assert seen.exception == ("RecursionError", "maximum recursion depth exceeded")


def test_recursion_goes_as_deep_as_in_a_fresh_interpreter(jail: Sandbox) -> None:
    depth = LOW_LIMITS.recursion_depth - 10
    source = f"def g(n):\n    return 0 if n == 0 else 1 + g(n - 1)\ndef f():\n    return g({depth})"
    assert attack(jail, source).result == str(depth)


def test_recursion_through_c_code_without_limit_crashes_alone(jail: Sandbox) -> None:
    source = """
        import sys
        sys.setrecursionlimit(10**9)
        class A:
            def __repr__(self): return repr(self)
        def f():
            return repr(A())
    """
    assert attack(jail, source).verdict in {Verdict.CRASHED, Verdict.MEMORY}


def test_endless_output_ends_in_verdict_output(jail: Sandbox) -> None:
    assert attack(jail, "def f():\n    while True: print('x' * 1000)").verdict == Verdict.OUTPUT


def test_output_up_to_the_limit_is_kept_whole_and_above_it_is_verdict_output(jail: Sandbox) -> None:
    most = LOW_LIMITS.output_bytes
    fits = attack(jail, f"def f():\n    print('x' * {most - 2})")
    assert (fits.verdict, len(fits.stdout)) == (Verdict.OK, most - 1)
    assert attack(jail, f"def f():\n    print('x' * {most})").verdict == Verdict.OUTPUT


def test_endless_output_through_the_raw_descriptor_ends_in_verdict_output(jail: Sandbox) -> None:
    assert attack(jail, "import os\ndef f():\n    while True: os.write(1, b'x' * 1000)").verdict == Verdict.OUTPUT


def test_output_through_the_raw_descriptor_is_output_like_any(jail: Sandbox) -> None:
    seen = attack(jail, "import os\ndef f():\n    print('a', flush=True)\n    os.write(1, b'b\\n')")
    assert seen.stdout == "a\nb\n"


def test_a_huge_record_ends_in_verdict_output(jail: Sandbox) -> None:
    num_arguments = 100
    source = "def f(*given):\n    return 1"
    call = f"f({', '.join(['chr(1) * 40_000'] * num_arguments)})"
    seen = jail.run(Job(source, call))
    assert (seen.verdict, seen.detail) == (Verdict.OUTPUT, "record too large")


def test_descriptors_are_limited(jail: Sandbox) -> None:
    source = """
        import os
        def f():
            try:
                while True: last = os.dup(0)
            except OSError as error:
                return last, error.errno
    """
    seen = attack(jail, source)
    assert seen.result == f"({LOW_LIMITS.num_files - 1}, 24)"
