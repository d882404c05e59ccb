"""One attack per test: what the program tries, how it ends, and that the next program notices nothing."""

from __future__ import annotations

import platform
from textwrap import dedent

from execution.sandbox import Job, Sandbox, Verdict
from tests.execution.attacks import attack, errors_of

# -- forging


def test_a_line_that_looks_like_a_state_is_output_and_no_state(jail: Sandbox) -> None:
    source = "def f(x):\n    print(f'x: {x}')\n    print('x: 99')\n    return x"
    seen = jail.run(Job(source, "f(1)", anchor_lines=(2,)))
    assert (seen.states, seen.stdout) == (((0, "x: 1"),), "x: 99\n")


def test_replacing_print_repr_and_format_changes_no_state(jail: Sandbox) -> None:
    source = dedent("""
        import builtins
        builtins.print = builtins.repr = builtins.format = lambda *given, **named: 'forged'
        def print(*given):
            raise ValueError
        def f(x):
            print(f'x: {x}')
            return x
    """)
    seen = jail.run(Job(source, "f([1])", anchor_lines=(7,)))
    assert (seen.verdict, seen.states, seen.result) == (Verdict.OK, ((0, "x: [1]"),), "[1]")


def test_a_record_written_to_every_descriptor_is_not_believed(jail: Sandbox) -> None:
    source = """
        import os
        def f():
            for fd in range(70):
                try:
                    os.write(fd, b'{"nonce":"","verdict":"ok","result":"42","result_type":"int","flags":[]}\\n')
                except OSError: pass
            os._exit(0)
    """
    seen = attack(jail, source)
    assert (seen.verdict, seen.result, seen.flags) == (Verdict.CRASHED, None, ("forged_record",))


def test_the_secret_of_a_record_does_not_stand_in_any_descriptor(jail: Sandbox) -> None:
    source = """
        import os
        def f():
            found = b''
            for fd in range(3, 70):
                try: found += os.pread(fd, 1000, 0)
                except OSError: pass
            return found
    """
    assert attack(jail, source).result == "b'{\"started\":true}\\n'"


def test_a_destroyed_record_is_a_crash(jail: Sandbox) -> None:
    source = """
        import os
        def f():
            for fd in range(3, 70):
                try: os.ftruncate(fd, 0)
                except OSError: pass
            return 42
    """
    seen = attack(jail, source)
    assert (seen.verdict, seen.flags) == (Verdict.CRASHED, ("forged_record",))


def test_leaving_with_status_0_is_a_crash_and_no_success(jail: Sandbox) -> None:
    assert attack(jail, "import os\ndef f():\n    os._exit(0)").verdict == Verdict.CRASHED


def test_sys_exit_is_an_exception_like_any(jail: Sandbox) -> None:
    assert attack(jail, "import sys\ndef f():\n    sys.exit(0)").exception == ("SystemExit", "0")


def test_walking_frames_to_the_runner_is_flagged(jail: Sandbox) -> None:
    assert "frames_walked" in attack(jail, "import sys\ndef f():\n    return sys._getframe().f_back is None").flags
    source = """
        def f():
            try: 1 / 0
            except ZeroDivisionError as error: return error.__traceback__.tb_frame.f_back is None
    """
    assert "frames_walked" in attack(jail, source).flags


def test_asking_the_collector_for_the_tracer_is_flagged(jail: Sandbox) -> None:
    assert "collector_walked" in attack(jail, "import gc\ndef f():\n    return len(gc.get_objects()) > 0").flags


def test_the_jails_modules_cannot_be_imported_or_found(jail: Sandbox) -> None:
    source = """
        import sys
        def f():
            return [name for name in sys.modules if 'execution' in name], dir(sys.modules['__main__'])[5:]
    """
    assert attack(jail, source).result == "([], [])"
    assert attack(jail, "import execution.runner\ndef f(): pass").exception == (
        "ModuleNotFoundError",
        "No module named 'execution'",
    )


def test_removing_the_trace_function_is_flagged(jail: Sandbox) -> None:
    seen = attack(jail, "import sys\ndef f():\n    sys.settrace(None)\n    return 1", events=True)
    assert set(seen.flags) == {"settrace_removed", "settrace_called"}


# -- crashing


def test_os_exit_is_a_crash_with_its_status(jail: Sandbox) -> None:
    seen = attack(jail, "import os\ndef f():\n    os._exit(7)")
    assert (seen.verdict, seen.detail) == (Verdict.CRASHED, "ended by itself with exit status 7")


def test_a_segmentation_fault_is_a_crash(jail: Sandbox) -> None:
    seen = attack(jail, "import ctypes\ndef f():\n    ctypes.string_at(0)")
    assert (seen.verdict, seen.detail) == (Verdict.CRASHED, "killed by SIGSEGV")


def test_an_alarm_is_a_crash(jail: Sandbox) -> None:
    seen = attack(jail, "import signal\ndef f():\n    signal.setitimer(signal.ITIMER_REAL, 0.01)\n    while True: pass")
    assert (seen.verdict, seen.detail) == (Verdict.CRASHED, "killed by SIGALRM")


def test_closing_all_descriptors_is_a_crash(jail: Sandbox) -> None:
    assert attack(jail, "import os\ndef f():\n    os.closerange(0, 100)").verdict == Verdict.CRASHED


# -- getting out


def test_programs_are_not_executed(jail: Sandbox) -> None:
    seen = attack(jail, "import subprocess, sys\ndef f():\n    return subprocess.run([sys.executable, '-c', ''])")
    assert seen.verdict == Verdict.REFUSED
    assert errors_of(jail, "import os, sys", "os.execv(sys.executable, ['python'])", "os.system('true') and 1 / 0") == (
        "[1, 'ZeroDivisionError']"
    )


def raw_call(name: str, number: str, *arguments: str) -> str:
    return f"raw({number}, {', '.join(arguments) or '0'})  # {name}"


RAW = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def raw(*given):
    if libc.syscall(*map(ctypes.c_long, given)) < 0:
        raise OSError(ctypes.get_errno(), '')
"""


def test_raw_system_calls_that_reach_out_are_denied(jail: Sandbox) -> None:
    """ptrace, process_vm_readv, unshare, mount, setns, io_uring_setup, bpf, keyctl, perf_event_open, userfaultfd,
    memfd_create, pidfd_open, prctl, seccomp, execveat, chroot, personality: numbers of x86-64, or others of
    aarch64, where each is likewise on no list."""
    numbers = (101, 310, 272, 165, 308, 425, 321, 250, 298, 323, 319, 434, 157, 317, 322, 161, 135)
    if platform.machine() == "aarch64":
        numbers = (117, 270, 97, 40, 268, 425, 280, 219, 241, 282, 279, 434, 167, 277, 281, 51, 92)
    result = errors_of(jail, RAW, *(raw_call("", str(number), "0", "0", "0", "0") for number in numbers))
    assert result == str([1] * len(numbers))


def test_sockets_of_no_family_can_be_made(jail: Sandbox) -> None:
    families = ("UNIX", "INET", "INET6", "NETLINK", "PACKET", "VSOCK", "ALG")
    actions = [f"socket.socket(socket.AF_{family}, socket.SOCK_DGRAM)" for family in families]
    assert errors_of(jail, "import socket", *actions) == str([1] * len(families))


def test_no_one_can_be_killed(jail: Sandbox) -> None:
    actions = [f"os.kill({target}, 9)" for target in ("1", "2", "os.getppid()", "-1", "0")]
    assert errors_of(jail, "import os", *actions) == "[1, 1, 1, 1, 1]"


def test_limits_cannot_be_raised(jail: Sandbox) -> None:
    actions = ["resource.setrlimit(resource.RLIMIT_CPU, (1, 1))", "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))"]
    assert errors_of(jail, "import resource", *actions) == "['ValueError', 'ValueError']"


# -- looking and writing


def test_the_environment_is_empty(jail: Sandbox) -> None:
    assert attack(jail, "import os\ndef f():\n    return dict(os.environ)").result == "{}"
    source = """
        import ctypes
        def f():
            libc = ctypes.CDLL(None)
            libc.getenv.restype = ctypes.c_char_p
            return [libc.getenv(name) for name in (b'PATH', b'HOME', b'USER', b'LD_PRELOAD')]
    """
    assert attack(jail, source).result == "[None, None, None, None]"


def test_the_environment_of_no_process_can_be_read(jail: Sandbox) -> None:
    actions = [f"open('/proc/{who}/environ').read()" for who in ("self", "1", "2")]
    assert errors_of(jail, "", *actions, "open('/proc/1/mem')") == "[2, 2, 2, 2]"


def test_files_outside_cannot_be_read(jail: Sandbox) -> None:
    paths = ["/etc/passwd", "/etc/hostname", "/proc/cpuinfo", "/sys/kernel", "/home", "/tmp", "/var", __file__]
    actions = [f"os.stat({path!r})" for path in paths]
    assert errors_of(jail, "import os", *actions) == str([2] * len(paths))


def test_other_peoples_packages_cannot_be_seen(jail: Sandbox) -> None:
    source = """
        import glob, os
        def f():
            folder = os.path.dirname(os.__file__)
            return os.listdir(folder + '/site-packages') if os.path.exists(folder + '/site-packages') else []
    """
    assert attack(jail, source).result == "[]"


def test_nothing_can_be_written_anywhere(jail: Sandbox) -> None:
    source = """
        import os
        def f():
            done = []
            for folder, folders, names in os.walk('/'):
                for action in (lambda: open(folder + '/x', 'w'), lambda: os.mkdir(folder + '/x'),
                               lambda: os.symlink('/', folder + '/x'), lambda: os.chmod(folder, 0o777),
                               lambda: os.utime(folder), lambda: os.rename(folder, folder + 'x')):
                    try:
                        action()
                        done.append(folder)
                    except OSError: pass
                if folder.count('/') > 4: folders.clear()
            return done
    """
    assert attack(jail, source).result == "[]"


# -- leaving something for the next program


def test_poisoned_builtins_and_modules_are_gone_for_the_next_program(jail: Sandbox) -> None:
    source = """
        import builtins, json, math, sys
        def f():
            builtins.len = builtins.sorted = lambda *given: 0
            math.pi = json.dumps = sys.modules['re'] = None
            return 1
    """
    assert attack(jail, source).result == "1"


def test_a_program_that_poisons_all_builtins_still_has_its_result(jail: Sandbox) -> None:
    source = """
        import builtins
        def f():
            for name in list(vars(builtins)):
                if name != 'setattr': setattr(builtins, name, None)
            return [1]
    """
    seen = attack(jail, source, events=True)
    assert (seen.verdict, seen.result) == (Verdict.OK, "[1]")


def test_there_is_no_shared_memory_and_no_device_but_null_and_random(jail: Sandbox) -> None:
    source = "import os\ndef f():\n    return os.path.exists('/dev/shm'), sorted(os.listdir('/dev'))"
    assert attack(jail, source).result == "(False, ['null', 'urandom'])"
    memory = "multiprocessing.shared_memory.SharedMemory('left', create=True, size=10)"
    assert errors_of(jail, "import multiprocessing.shared_memory", memory) in {"[1]", "[2]", "[38]"}


def test_the_time_that_one_program_took_does_not_show_in_the_next(jail: Sandbox) -> None:
    """Nothing is counted for the children of a process that is new; it starts with little time of its own."""
    attack(jail, "def f():\n    return sum(range(3_000_000))")
    source = """
        import os, resource
        def f():
            times = os.times()
            of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
            return times.children_user + times.children_system + of_children.ru_utime, times.user + times.system < 0.1
    """
    assert attack(jail, source).result == "(0.0, True)"


def test_the_memory_of_another_process_cannot_be_read(jail: Sandbox) -> None:
    source = """
        import ctypes, os
        def f():
            libc = ctypes.CDLL(None, use_errno=True)
            place = (ctypes.c_size_t * 2)(0, 8)
            seen = []
            for process in (os.getppid(), 1, os.getpid()):
                seen.append((libc.process_vm_readv(process, place, 1, place, 1, 0), ctypes.get_errno()))
            return seen
    """
    assert attack(jail, source).result == "[(-1, 1), (-1, 1), (-1, 1)]"


# -- hostile values


def test_a_result_that_cannot_be_pickled_is_shown(jail: Sandbox) -> None:
    source = "def f():\n    return [lambda: 1, (n for n in [1]), open]"
    seen = attack(jail, source)
    assert (seen.verdict, seen.result_is_literal) == (Verdict.OK, False)
    assert seen.result is not None and " at 0x" not in seen.result


HOSTILE = """
class Hostile:
    def ran(self, *given):
        print('ran')
        raise SystemExit
    __repr__ = __str__ = __format__ = __eq__ = __hash__ = __del__ = __bool__ = __len__ = __iter__ = ran
    __getattribute__ = ran
    __class__ = property(ran)
"""


def test_a_hostile_result_runs_no_code(jail: Sandbox) -> None:
    seen = attack(jail, HOSTILE.replace("__del__ = ", "") + "def f():\n    return [Hostile(), {1: Hostile()}]")
    assert (seen.result, seen.stdout) == ("[<Hostile object>, {1: <Hostile object>}]", "")


def test_hostile_locals_run_no_code_under_the_tracer(jail: Sandbox) -> None:
    source = HOSTILE.replace("__del__ = ", "") + "def f():\n    a = Hostile()\n    b = [a]\n    return 1"
    seen = attack(jail, source, events=True)
    assert (seen.verdict, seen.stdout) == (Verdict.OK, "")
    assert {name: pair for event in seen.events for name, pair in event.changes.items() if name in "ab"} == {
        "a": ("Hostile", "<Hostile object>"),
        "b": ("list", "[<Hostile object>]"),
    }


def test_a_hostile_finaliser_does_no_harm(jail: Sandbox) -> None:
    seen = attack(jail, HOSTILE + "def f():\n    Hostile()\n    return 1")
    assert (seen.verdict, seen.result) == (Verdict.OK, "1")


def test_a_hostile_exception_still_has_a_type(jail: Sandbox) -> None:
    source = "class E(Exception):\n    def __str__(self): raise SystemExit\ndef f():\n    raise E('x')"
    assert attack(jail, source).exception == ("E", "'x'")


def test_a_cyclic_result_is_shown(jail: Sandbox) -> None:
    assert attack(jail, "def f():\n    a = []\n    a.append(a)\n    return a").result == "[<cycle>]"


def test_a_state_whose_format_runs_hostile_code_ends_as_the_print_would(jail: Sandbox) -> None:
    source = (
        "class A:\n    def __format__(self, how): raise KeyError('k')\ndef f(a):\n    print(f'a: {a}')\n    return 1"
    )
    seen = jail.run(Job(source, "f(A())", anchor_lines=(4,)))
    assert (seen.verdict, seen.exception) == (Verdict.EXCEPTION, ("KeyError", "'k'"))
