"""Inside the jail, in the forked process: runs jobs and writes what was seen to a private descriptor.

One line of JSON per job. Everything here is loaded with builtins of its own (`boot.py`), so a program that
replaces builtins or library functions does not reach it. What is written is still only a claim of the process
that ran the program: the other side checks shape and size, and judges.
"""

from __future__ import annotations

import builtins
import ctypes
import math
import resource
import sys
import types
from _io import BufferedWriter, FileIO, TextIOWrapper
from _json import encode_basestring_ascii, make_encoder
from _signal import ITIMER_REAL, setitimer
from collections.abc import Callable
from contextlib import suppress
from gc import callbacks
from posix import _exit, dup2, ftruncate, lseek, pread, write
from random import getstate as get_random_state
from random import seed as seed_generator
from time import perf_counter, process_time
from typing import Any

from execution.canonical import canonical, type_name
from execution.limits import Limits
from execution.residue import Residue, imports_only_shareable
from execution.tracer import (
    AnchorError,
    Events,
    States,
    compile_call,
    compile_program,
    message_of,
    put_constants,
)

MODULE = "program"
STARTED = b'{"started":true}'  # without the nonce: a program can read what stands in the descriptor
_FRAME_READS = frozenset({"tb_frame", "gi_frame", "cr_frame", "ag_frame"})
_WATCHED = {
    **dict.fromkeys(("os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system"), "wants_processes"),
    **dict.fromkeys(("subprocess.Popen", "pty.spawn", "os.kill"), "wants_processes"),
    **dict.fromkeys(("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"), "wants_network"),
    **dict.fromkeys(("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.link"), "wants_files"),
    **dict.fromkeys(("os.symlink", "os.truncate", "os.utime", "tempfile.mkstemp", "tempfile.mkdtemp"), "wants_files"),
    "sqlite3.connect": "wants_files",
    **dict.fromkeys(("gc.get_objects", "gc.get_referrers", "gc.get_referents"), "collector_walked"),
    "sys._current_frames": "frames_walked",
    "sys.addaudithook": "hook_added",
}
_SET_TRACE = frozenset({"sys.settrace", "sys.setprofile"})
_TRACER_FILE = Events.give_up.__code__.co_filename


class Watch:
    """An audit hook that notes what the program reached for; it never stops anything (the kernel does)."""

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.active = False
        self.guarded: object = None  # nobody may look into it
        library = _library_folders()

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if not self.active:
                return
            flag = _WATCHED.get(event)
            if flag is None:
                if event == "open":
                    flag = _opens_for_writing(args)
                elif event == "socket.__new__":
                    flag = None if args[1] == 1 else "wants_network"
                elif event in _SET_TRACE:
                    flag = None if self._caller() == _TRACER_FILE else "settrace_called"
                elif event == "sys._getframe" or (event == "object.__getattr__" and args[1] in _FRAME_READS):
                    watched = event == "object.__getattr__" and args[0] is self.guarded
                    flag = "frames_walked" if watched or not self._caller().startswith(library) else None
                elif event == "object.__getattr__" and args[0] is self.guarded:
                    flag = "frames_walked"
                elif event[:7] == "ctypes.":
                    flag = "memory_reached"
            if flag is not None:
                self.flags.add(flag)

        sys.addaudithook(hook)

    def _caller(self) -> str:
        """The file of the code that caused the event."""
        self.active = False  # reading a frame is an event of its own
        name = sys._getframe(2).f_code.co_filename
        self.active = True
        return name


def _library_folders() -> tuple[str, ...]:
    """What the file names of code begin with that may read frames: the library's, the interpreter's own, and ours."""
    return *(entry for entry in sys.path if entry), "<frozen ", _TRACER_FILE.partition(" ")[0]


def _opens_for_writing(args: tuple[Any, ...]) -> str | None:
    mode, flags = args[1], args[2]
    if type(mode) is str:
        return "wants_files" if any(letter in mode for letter in "wax+") else None
    return "wants_files" if type(flags) is int and flags & 0o3 else None


def kernel_limits(limits: Limits) -> list[tuple[int, tuple[int, int]]]:
    """The kernel's limits for a program, as arguments of `setrlimit`; where a lower one is set, that one stays."""
    cpu_s = math.ceil(limits.cpu_s)
    wanted = (
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.record_bytes, limits.record_bytes),
        (resource.RLIMIT_NOFILE, limits.num_files, limits.num_files),
        (resource.RLIMIT_NPROC, limits.num_processes, limits.num_processes),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
    )
    lowered = []
    for kind, soft, hard in wanted:
        _, present = resource.getrlimit(kind)
        if present != resource.RLIM_INFINITY:
            hard = min(hard, present)
        lowered.append((kind, (min(soft, hard), hard)))
    return lowered


class Runner:
    """Runs the jobs of one request, one after another, and writes a record for each."""

    def __init__(self, limits: Limits, nonce: str, record_fd: int, stdout_fd: int, watch: Watch) -> None:
        self.limits = limits
        self.stdout_fd = stdout_fd
        self.watch = watch
        self.marker = "\0" + nonce
        self.codes: dict[tuple[str, tuple[int, ...]], types.CodeType] = {}
        encode: Any = make_encoder(None, _refuse, encode_basestring_ascii, None, ":", ",", False, False, False)

        def send(record: dict[str, Any]) -> None:
            record["nonce"] = nonce
            data = "".join(encode(record, 0)).encode("ascii")
            if len(data) >= limits.record_bytes:
                data = "".join(encode({"nonce": nonce, "verdict": "output", "detail": "record too large"}, 0)).encode()
            write_all(record_fd, data + b"\n")

        self.send = send
        self.record_fd = record_fd

    def run_all(self, jobs: list[dict[str, Any]], residue: Residue) -> None:
        """Run jobs until one leaves something behind or ends badly; those after it get no record."""
        write_all(self.record_fd, STARTED + b"\n")
        together = len(jobs) > 1
        try:
            together = together and imports_only_shareable(jobs[0]["source"])
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            together = False
        if together:
            residue.remember()
        for job in jobs:
            record = self.run(job)
            self.send(record)
            if not together or record["verdict"] not in {"ok", "exception"} or record["flags"]:
                return
            ftruncate(self.stdout_fd, 0)
            lseek(self.stdout_fd, 0, 0)
            if not residue.clear():
                return

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """One job in a namespace of its own; never raises for what the program does."""
        started_cpu, started = process_time(), perf_counter()
        states = States(self.limits)
        events = Events(self.limits, job["watched"]) if job["events"] else None
        calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        record: dict[str, Any] = {"verdict": "ok", "detail": "", "exception": None, "flags": []}
        try:
            code, call = self._compile(job, states, calls)
        except AnchorError as error:
            record["verdict"], record["detail"] = "refused", str(error)
            return record
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            record["verdict"], record["exception"] = "exception", [type_name(error), str(error)]
            return record
        output = _new_stdout()
        generator = get_random_state()[1] if "random" in job["source"] else None
        self.watch.guarded = states.guarded
        self._execute(code, call, events, record)
        if generator is not None and (left := get_random_state()[1]) != generator:
            record["random_state"] = str(hash(left))
        self._finish_output(output, record)
        record["states"] = states.rows
        record["flags"] += [
            name for name, holds in (("states_cut", states.cut), ("forged_state", states.forged)) if holds
        ]
        record["flags"] += sorted(self.watch.flags)
        self.watch.flags.clear()
        if job["files"] and "wants_files" in record["flags"]:
            record["flags"].remove("wants_files")
        if events is not None:
            record["events"], record["events_cut"] = events.rows, events.cut
        record["arguments_after"] = self._arguments(calls)
        record["cpu_s"], record["wall_s"] = process_time() - started_cpu, perf_counter() - started
        return record

    def _compile(self, job: dict[str, Any], states: States, calls: list[Any]) -> tuple[types.CodeType, types.CodeType]:
        marker = self.marker
        source, anchor_lines = job["source"], tuple(job["anchor_lines"])
        code = self.codes.get((source, anchor_lines))
        if code is None:
            code = self.codes[source, anchor_lines] = compile_program(source, anchor_lines, marker)
        call = compile_call(job["call"], marker)

        def invoke(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            calls.append((args, kwargs))
            return function(*args, **kwargs)

        made = states.put_into(code, anchor_lines, marker) if anchor_lines else code
        return made, put_constants(call, {marker: invoke})

    def _execute(
        self, code: types.CodeType, call: types.CodeType, events: Events | None, record: dict[str, Any]
    ) -> None:
        module = types.ModuleType(MODULE)
        module.__dict__["__builtins__"] = builtins
        sys.modules[MODULE] = module
        limits = self.limits
        recursion_limit = sys.getrecursionlimit()
        value: object = None
        error: BaseException | None = None
        self.watch.active = True
        try:
            if events is not None:
                self.watch.active = False
                events.start()
                self.watch.active = True
            exec(code, module.__dict__)
            if events is not None:
                events.in_call = 1
            value = eval(call, module.__dict__)
        except BaseException as raised:  # noqa: BLE001 whatever the program raises is its result
            error = raised
        callbacks.clear()
        setitimer(ITIMER_REAL, 0)
        sys.setrecursionlimit(recursion_limit)
        if events is not None and not events.stop():
            record["flags"].append("settrace_removed")
        if error is None:
            shown = canonical(value, limits.result_chars, limits.value_depth)
            record["result_type"], record["result"], record["result_is_literal"] = shown
        elif MemoryError in type.__dict__["__mro__"].__get__(type(error)):
            record["verdict"], record["exception"] = "memory", ["MemoryError", ""]
        else:
            record["verdict"] = "exception"
            record["exception"] = [type_name(error), _final_message(error, limits.message_chars)]
        self.watch.active = False

    def _finish_output(self, output: TextIOWrapper, record: dict[str, Any]) -> None:
        with suppress(OSError, ValueError):  # over the limit, or closed by the program
            output.flush()
        size = lseek(self.stdout_fd, 0, 2)
        text = pread(self.stdout_fd, min(size, self.limits.output_bytes), 0)
        record["stdout"], record["stdout_bytes"] = text.decode("utf-8", "replace"), size

    def _arguments(self, calls: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> list[str]:
        if not calls:
            return []
        args, kwargs = calls[0]
        chars, depth = self.limits.result_chars, self.limits.value_depth
        texts = [canonical(value, chars, depth)[1] for value in args]
        return texts + [f"{name}={canonical(value, chars, depth)[1]}" for name, value in kwargs.items()]


def _refuse(value: object) -> object:
    raise TypeError("records hold texts, numbers and lists only")


def _new_stdout() -> TextIOWrapper:
    output = TextIOWrapper(BufferedWriter(FileIO(1, "w", closefd=False)), encoding="utf-8", errors="strict")
    sys.stdout = sys.__stdout__ = output  # type: ignore[misc]
    return output


def _final_message(error: BaseException, max_chars: int) -> str:
    """What a traceback would show: the class's own `__str__` is called, whatever it does."""
    try:
        return str.__str__(str(error))[:max_chars]
    except BaseException:  # noqa: BLE001 hostile __str__
        return message_of(error, max_chars)


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[write(fd, view) :]


class Forked:
    """The life of a forked process: limits, filter, jobs, exit. Made before the fork, so that the fork is cheap."""

    def __init__(
        self, limits: Limits, watch: Watch, residue: Residue, install_filter: Callable[[], None] | None
    ) -> None:
        self.limits = limits
        self.kernel_limits = kernel_limits(limits)
        self.watch = watch
        self.residue = residue
        self.install_filter = install_filter
        self._fork = ctypes.PyDLL(None, use_errno=True).fork

    def fork(self) -> int:
        """`os.fork` at a third of its cost: the interpreter's own fork handlers, most of all the reseeding of
        `random` and the renewal of locks that no second thread can hold, touch 180 pages. `run_and_exit` seeds."""
        pid: int = self._fork()
        if pid < 0:
            raise OSError(ctypes.get_errno(), "fork")
        return pid

    def run_and_exit(self, request: dict[str, Any], record_fd: int, stdout_fd: int) -> None:
        """Never returns; raises what goes wrong before the first job starts."""
        dup2(stdout_fd, 1)
        seed_generator()
        runner = Runner(self.limits, request["nonce"], record_fd, stdout_fd, self.watch)
        jobs = request["jobs"]
        request.clear()  # frames lead a curious program here: let it find less
        sys.setrecursionlimit(self.limits.recursion_depth + len_of_stack())
        for kind, values in self.kernel_limits:
            resource.setrlimit(kind, values)
        if self.install_filter is not None:
            self.install_filter()
        runner.run_all(jobs, self.residue)
        _exit(0)


def len_of_stack() -> int:
    """Python frames that lie below the program's and that a fresh interpreter would not have."""
    frame, count = sys._getframe(0), 0
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count + 4
