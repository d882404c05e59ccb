"""The catalogue of hostile programs: one attack each, with the verdicts that it may end in.

The soak runs them between honest programs; `tests/benchmarks/test_soak.py` runs each of them once. Every source
defines `f()`. What an attack proves alone, and on which limit, is said by the tests of `execution`.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from execution.sandbox import Job, Verdict

OK, EXCEPTION, TIMEOUT, MEMORY = Verdict.OK, Verdict.EXCEPTION, Verdict.TIMEOUT, Verdict.MEMORY
OUTPUT, CRASHED, REFUSED = Verdict.OUTPUT, Verdict.CRASHED, Verdict.REFUSED


@dataclass(frozen=True)
class Attack:
    """`ends_jail`: after it the warm interpreter is replaced. `sleeps`: only the wall limit ends it. `files`: it runs
    in a jail of its own, with a folder to write in.
    """

    name: str
    source: str
    verdicts: frozenset[Verdict]
    result: str | None = None  # the canonical text that `f()` must give, where it must give one
    ends_jail: bool = False
    sleeps: bool = False
    events: bool = False
    files: bool = False

    @property
    def job(self) -> Job:
        return Job(self.source, "f()", events=self.events, files=self.files)


def _attack(name: str, *verdicts: Verdict, source: str, **more: str | bool) -> Attack:
    return Attack(name, dedent(source), frozenset(verdicts), **more)  # type: ignore[arg-type]


_HOSTILE_VALUE = """
class Hostile:
    def ran(self, *given):
        print('ran')
        raise SystemExit
    __repr__ = __str__ = __format__ = __eq__ = __hash__ = __bool__ = __len__ = __iter__ = ran
    __getattribute__ = ran
    __class__ = property(ran)
"""

_EXHAUSTING = (
    _attack("fork bomb", REFUSED, source="import os\ndef f():\n    while True:\n        os.fork()"),
    _attack(
        "thread bomb", REFUSED, source="import threading\ndef f():\n    while True:\n        threading.Thread().start()"
    ),
    _attack(  # filling memory may take the CPU time that the soak allows
        "memory bomb",
        MEMORY,
        TIMEOUT,
        source="def f():\n    kept = []\n    while True:\n        kept.append('x' * 10_000_000)",
    ),
    _attack("huge string", MEMORY, source="def f():\n    return len('x' * 2**40)"),
    _attack("huge integer", MEMORY, source="def f():\n    return 1 << 2**34"),
    _attack("text of a huge integer", OK, source="def f():\n    return 1 << 1_000_000", result="<int of 1000001 bits>"),
    _attack("endless loop", TIMEOUT, source="def f():\n    while True: pass"),
    _attack("endless loop, line events", TIMEOUT, source="def f():\n    while True: x = 1", events=True),
    _attack(
        "ignored signals",
        TIMEOUT,
        source="""
        import signal
        def f():
            for number in range(1, 65):
                try: signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError): pass
            while True: pass
        """,
    ),
    _attack(
        "swallowed exceptions",
        TIMEOUT,
        OUTPUT,
        source="""
        def f():
            while True:
                try:
                    while True: pass
                except BaseException: pass
        """,
    ),
    _attack("sleep", TIMEOUT, source="import time\ndef f():\n    time.sleep(1000)", sleeps=True),
    _attack("endless recursion", EXCEPTION, source="def f():\n    return f()"),
    _attack(
        "recursion in C",
        CRASHED,
        MEMORY,
        source="""
        import sys
        sys.setrecursionlimit(10**9)
        class A:
            def __repr__(self): return repr(self)
        def f(): return repr(A())
        """,
        ends_jail=True,
    ),
    _attack("endless output", OUTPUT, source="def f():\n    while True: print('x' * 1000)"),
    _attack("endless raw output", OUTPUT, source="import os\ndef f():\n    while True: os.write(1, b'x' * 1000)"),
    _attack(
        "all descriptors",
        EXCEPTION,
        source="import os\ndef f():\n    while True: os.dup(0)",
    ),
    _attack(
        "memory files",
        REFUSED,
        EXCEPTION,
        source="import os\ndef f():\n    while True: os.memfd_create('x')",
    ),
    _attack(
        "pipes kept full",
        EXCEPTION,
        source="import os\ndef f():\n    while True: os.write(os.pipe()[1], b'x' * 60_000)",
    ),
)

_FORGING = (
    _attack(
        "forged record",
        CRASHED,
        source="""
        import os
        def f():
            for fd in range(70):
                try: os.write(fd, b'{"nonce":"","verdict":"ok","result":"42","result_type":"int","flags":[]}\\n')
                except OSError: pass
            os._exit(0)
        """,
        ends_jail=True,
    ),
    _attack(
        "destroyed record",
        CRASHED,
        source="""
        import os
        def f():
            for fd in range(3, 70):
                try: os.ftruncate(fd, 0)
                except OSError: pass
            return 42
        """,
        ends_jail=True,
    ),
    _attack("exit with status 0", CRASHED, source="import os\ndef f():\n    os._exit(0)", ends_jail=True),
    _attack("sys.exit", EXCEPTION, source="import sys\ndef f():\n    sys.exit(0)"),
    _attack("forged state line", OK, source="def f():\n    print('x: 99')\n    return 1", result="1"),
    _attack(
        "frames walked", OK, source="import sys\ndef f():\n    return sys._getframe().f_back is None", ends_jail=True
    ),
    _attack("collector walked", OK, source="import gc\ndef f():\n    return len(gc.get_objects()) > 0", ends_jail=True),
    _attack(
        "tracer removed",
        OK,
        source="import sys\ndef f():\n    sys.settrace(None)\n    return 1",
        ends_jail=True,
        events=True,
    ),
)

_CRASHING = (
    _attack("segmentation fault", CRASHED, source="import ctypes\ndef f():\n    ctypes.string_at(0)", ends_jail=True),
    _attack(
        "alarm",
        CRASHED,
        source="import signal\ndef f():\n    signal.setitimer(signal.ITIMER_REAL, 0.001)\n    while True: pass",
        ends_jail=True,
    ),
    _attack(
        "killing itself",
        CRASHED,
        source="import os\ndef f():\n    os.kill(os.getpid(), 9)\n    return 1",
        ends_jail=True,
    ),
    _attack(
        "closing all descriptors", CRASHED, source="import os\ndef f():\n    os.closerange(0, 100)", ends_jail=True
    ),
)

_REACHING_OUT = (
    _attack(
        "running a program",
        REFUSED,
        source="import subprocess, sys\ndef f():\n    return subprocess.run([sys.executable, '-c', ''])",
    ),
    _attack("exec", REFUSED, source="import os, sys\ndef f():\n    os.execv(sys.executable, ['python'])"),
    _attack("socket", REFUSED, source="import socket\ndef f():\n    return socket.socket()"),
    _attack("connection", REFUSED, source="import socket\ndef f():\n    socket.create_connection(('127.0.0.1', 22))"),
    _attack("killing everyone", REFUSED, source="import os\ndef f():\n    os.kill(-1, 9)"),
    _attack("killing the parent", REFUSED, source="import os\ndef f():\n    os.kill(os.getppid(), 9)"),
    _attack(
        "raised limits",
        EXCEPTION,
        source="import resource\ndef f():\n    resource.setrlimit(resource.RLIMIT_NPROC, (9, 9))",
    ),
    _attack(
        "raw system calls",
        OK,
        source="""
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        def f():
            for number in (101, 310, 272, 165, 308, 425, 321, 250, 298, 323, 317, 322, 161, 135):
                if libc.syscall(ctypes.c_long(number), 0, 0, 0, 0) >= 0: return number
            return 0
        """,
        result="0",
        ends_jail=True,
    ),
    _attack("environment", OK, source="import os\ndef f():\n    return dict(os.environ)", result="{}"),
    _attack("environment of others", EXCEPTION, source="def f():\n    return open('/proc/1/environ').read()"),
    _attack("password file", EXCEPTION, source="def f():\n    return open('/etc/passwd').read()"),
    _attack("writing a file", REFUSED, source="def f():\n    open('/tmp/left', 'w').write('x')"),
    _attack("shared memory", REFUSED, EXCEPTION, source="def f():\n    open('/dev/shm/left', 'w').write('x')"),
    _attack("deep folders", REFUSED, source="import os\ndef f():\n    while True: os.mkdir('a'); os.chdir('a')"),
    _attack("symbolic links", REFUSED, source="import os\ndef f():\n    os.symlink('/', '/tmp/left')"),
)

_POISONING = (
    _attack(
        "poisoned builtins",
        OK,
        source="""
        import builtins
        def f():
            for name in list(vars(builtins)):
                if name != 'setattr': setattr(builtins, name, None)
            return [1]
        """,
        result="[1]",
    ),
    _attack(
        "poisoned modules",
        OK,
        source="""
        import json, math, sys
        def f():
            math.pi = json.dumps = sys.modules['re'] = None
            return 1
        """,
        result="1",
    ),
    _attack(
        "replaced print and repr",
        OK,
        source="""
        import builtins
        builtins.print = builtins.repr = builtins.format = lambda *given, **named: 'forged'
        def f():
            return repr(1)
        """,
        result="'forged'",
    ),
    _attack(
        "hostile result",
        OK,
        source=_HOSTILE_VALUE + "def f():\n    return [Hostile()]",
        result="[<Hostile object>]",
    ),
    _attack(
        "hostile locals",
        OK,
        source=_HOSTILE_VALUE + "def f():\n    a = Hostile()\n    b = [a]\n    return 1",
        result="1",
        events=True,
    ),
    _attack(
        "hostile finaliser",
        OK,
        source="class A:\n    def __del__(self): raise SystemExit\ndef f():\n    A()\n    return 1",
        result="1",
    ),
    _attack(
        "hostile exception",
        EXCEPTION,
        source="class E(Exception):\n    def __str__(self): raise SystemExit\ndef f():\n    raise E('x')",
    ),
    _attack("cyclic result", OK, source="def f():\n    a = []\n    a.append(a)\n    return a", result="[<cycle>]"),
    _attack("exit handler", OK, source="import atexit, os\ndef f():\n    atexit.register(os._exit, 3)", result="None"),
)

_WRITING = (
    _attack(
        "files: left behind",
        OK,
        source="""
        import os
        def f():
            found = os.listdir('.')
            open('left', 'w').write('x')
            return found, os.listdir('.')
        """,
        result="([], ['left'])",
        files=True,
    ),
    _attack(
        "files: full disk",
        EXCEPTION,
        source="""
        def f():
            for number in range(1000): open(str(number), 'wb').write(b'x' * 1_000_000)
        """,
        files=True,
    ),
    _attack(
        "files: many inodes",
        EXCEPTION,
        source="def f():\n    for number in range(10**6): open(str(number), 'w').close()",
        files=True,
    ),
    _attack(
        "files: deep folders",
        EXCEPTION,
        source="import os\ndef f():\n    while True: os.mkdir('a'); os.chdir('a')",
        files=True,
    ),
    _attack(
        "files: link to the outside",
        EXCEPTION,
        source="import os\ndef f():\n    os.symlink('/etc/passwd', 'a')\n    return open('a').read()",
        files=True,
    ),
    _attack(
        "files: crash while writing",
        CRASHED,
        source="import os\ndef f():\n    open('left', 'w').write('x')\n    os._exit(0)",
        files=True,
    ),
)

CATALOGUE: tuple[Attack, ...] = (*_EXHAUSTING, *_FORGING, *_CRASHING, *_REACHING_OUT, *_POISONING, *_WRITING)
