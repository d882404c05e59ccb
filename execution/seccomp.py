"""The system calls that a program may make: an allow-list, enforced by the kernel for the rest of the process's life.

What is not on the list fails with EPERM, calls of a foreign architecture kill the process. There is no clone, no
exec, no socket but a connected pair, no open for writing, no signal to anyone else. x86-64 and aarch64.

Two filters, both of which must agree: the long one is installed once, in the warm interpreter, and lets through what
that one needs besides (`ZYGOTE_ONLY`); the short one takes this away again in each forked process, where installing
the long one would cost a third of the whole run.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

# name -> number on (x86-64, aarch64); None where the architecture has no such call.
ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # reading and writing open descriptors
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "lseek": (8, 62), "ftruncate": (77, 46), "close": (3, 57), "close_range": (436, 436),
    "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "pipe": (22, None), "pipe2": (293, 59),
    # looking at files
    "fstat": (5, 80), "newfstatat": (262, 79), "stat": (4, None), "lstat": (6, None), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None),
    "readlinkat": (267, 78), "getdents64": (217, 61), "getcwd": (79, 17), "fadvise64": (221, 223),
    # memory
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "mremap": (25, 216), "brk": (12, 214),
    "madvise": (28, 233), "membarrier": (324, 283),
    # own signals and waiting
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136), "rt_sigsuspend": (130, 133), "rt_sigtimedwait": (128, 137),
    "sigaltstack": (131, 132), "restart_syscall": (219, 128), "pause": (34, None), "alarm": (37, None),
    "setitimer": (38, 103), "getitimer": (36, 102), "wait4": (61, 260), "waitid": (247, 95),
    "exit": (60, 93), "exit_group": (231, 94), "futex": (202, 98), "set_robust_list": (273, 99),
    "rseq": (334, 293), "sched_yield": (24, 124),
    # who and when
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getgroups": (115, 158), "getresuid": (118, 148),
    "getresgid": (120, 150), "getpgid": (121, 155), "getpgrp": (111, None), "getsid": (124, 156),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "nanosleep": (35, 101),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153), "getrusage": (98, 165),
    "getrlimit": (97, 163), "sysinfo": (99, 179), "uname": (63, 160), "getcpu": (309, 168),
    "sched_getaffinity": (204, 123), "getrandom": (318, 278),
    # what an asyncio event loop needs
    "eventfd2": (290, 19), "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_wait": (232, None),
    "epoll_pwait": (281, 22), "epoll_pwait2": (441, 441), "poll": (7, None), "ppoll": (271, 73),
    "select": (23, None), "pselect6": (270, 72), "recvfrom": (45, 207), "shutdown": (48, 210),
    "getsockopt": (55, 209), "getsockname": (51, 204), "getpeername": (52, 205),
}  # fmt: skip

# What the warm interpreter needs besides: to fork, wait, kill, limit, and make memory files.
ZYGOTE_ONLY: dict[str, tuple[int | None, int | None]] = {
    "clone": (56, 220), "fork": (57, None), "pidfd_open": (434, 434), "memfd_create": (319, 279),
    "prctl": (157, 167),
}  # fmt: skip
_OWN_PID = -1  # stands for the process that installs the filter
_WRITING = 0o3 | 0o100 | 0o1000 | 0o20000000  # O_WRONLY | O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE
_EPERM, _ENOTTY, _ENOSYS, _ENOTSUP = 1, 25, 38, 95
_FIONREAD, _FIONBIO, _FIONCLEX, _FIOCLEX = 0x541B, 0x5421, 0x5450, 0x5451
_AF_UNIX = 1
_F_DUPFD_CLOEXEC = 1030

# (numbers, [(argument, "in" | "without" | "null", values or bits)], errno where a condition does not hold)
_Condition = tuple[int, str, tuple[int, ...]]
_Conditional = dict[str, tuple[tuple[int | None, int | None], tuple[_Condition, ...], int]]
CONDITIONAL: _Conditional = {
    "open": ((2, None), ((1, "without", (_WRITING,)),), _EPERM),
    "openat": ((257, 56), ((2, "without", (_WRITING,)),), _EPERM),
    "fcntl": ((72, 25), ((1, "in", (0, 1, 2, 3, 4, _F_DUPFD_CLOEXEC)),), _EPERM),
    "ioctl": ((16, 29), ((1, "in", (_FIONREAD, _FIONBIO, _FIONCLEX, _FIOCLEX)),), _ENOTTY),
    "socketpair": ((53, 199), ((0, "in", (_AF_UNIX,)),), _EPERM),
    "sendto": ((44, 206), ((4, "null", ()),), _EPERM),  # to the peer of a pair only
    "clone3": ((435, 435), ((0, "in", ()),), _ENOSYS),  # so that the C library tries clone, and gets EPERM
}
# Of those, otherwise where files may be written: locks too; there are no extended attributes, as on many systems.
CONDITIONAL_WITH_FILES: _Conditional = {
    "fcntl": ((72, 25), ((1, "in", (0, 1, 2, 3, 4, 5, 6, 7, _F_DUPFD_CLOEXEC)),), _EPERM),
    **{
        name: (numbers, ((0, "in", ()),), _ENOTSUP)
        for name, numbers in {
            "getxattr": (191, 8), "lgetxattr": (192, 9), "fgetxattr": (193, 10), "listxattr": (194, 11),
            "llistxattr": (195, 12), "flistxattr": (196, 13), "setxattr": (188, 5), "lsetxattr": (189, 6),
            "fsetxattr": (190, 7),
        }.items()
    },
}  # fmt: skip
# What a program may do besides where it has a folder to write in.
FILES: dict[str, tuple[int | None, int | None]] = {
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "link": (86, None), "linkat": (265, 37),
    "symlink": (88, None), "symlinkat": (266, 36), "creat": (85, None), "truncate": (76, 45), "chmod": (90, None),
    "fchmod": (91, 52), "fchmodat": (268, 53), "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88), "fsync": (74, 82), "fdatasync": (75, 83), "fallocate": (285, 47), "flock": (73, 32),
    "umask": (95, 166), "chdir": (80, 49), "fchdir": (81, 50), "statfs": (137, 43), "fstatfs": (138, 44),
    "sendfile": (40, 71), "copy_file_range": (326, 285), "open": (2, None), "openat": (257, 56),
}  # fmt: skip
# Allowed to the warm interpreter without condition, to a program only under these.
CONDITIONAL_IN_PROGRAM: _Conditional = {
    "kill": ((62, 129), ((0, "in", (_OWN_PID,)),), _EPERM),
    "tkill": ((200, 130), ((0, "in", (_OWN_PID,)),), _EPERM),
    "tgkill": ((234, 131), ((0, "in", (_OWN_PID,)),), _EPERM),
    "prlimit64": ((302, 261), ((0, "in", (0, _OWN_PID)), (2, "null", ())), _EPERM),  # reading limits
}

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _JUMP_EQ, _JUMP_GE, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32_BIT = 0x40000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2

_Instruction = tuple[int, int, int, int]


def supported(machine: str | None = None) -> bool:
    """Whether a filter can be written for this machine's architecture."""
    return os.uname().sysname == "Linux" and (machine or platform.machine()) in _ARCHITECTURES


def assemble(machine: str | None = None, *, files: bool = False) -> bytes:
    """The long filter as an array of `struct sock_filter`; `files` lets write, make and remove files where there is
    a place to. Raises KeyError where not supported."""
    column, architecture = _ARCHITECTURES[machine or platform.machine()]
    code: list[_Instruction] = [(_LOAD, 0, 0, 4), (_JUMP_EQ, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]
    code.append((_LOAD, 0, 0, 0))
    if column == 0:
        code += [(_JUMP_GE, 0, 1, _X32_BIT), (_RETURN, 0, 0, _KILL)]
    unconditional = [*ALLOWED.values(), *ZYGOTE_ONLY.values(), *(FILES.values() if files else ())]
    for numbers in unconditional + [numbers for numbers, _, _ in CONDITIONAL_IN_PROGRAM.values()]:
        number = numbers[column]
        if number is not None:
            code += [(_JUMP_EQ, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    code += _conditional({**CONDITIONAL, **(CONDITIONAL_WITH_FILES if files else {})}, column, 0)
    return _pack([*code, (_RETURN, 0, 0, _ERRNO | _EPERM)])


def assemble_for_program(pid: int, machine: str | None = None) -> bytes:
    """The short filter, for the process `pid`, which already is under the long one."""
    column, _ = _ARCHITECTURES[machine or platform.machine()]
    code: list[_Instruction] = [(_LOAD, 0, 0, 0)]
    for numbers in ZYGOTE_ONLY.values():
        number = numbers[column]
        if number is not None:
            code += [(_JUMP_EQ, 0, 1, number), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    code += _conditional(CONDITIONAL_IN_PROGRAM, column, pid)
    return _pack([*code, (_RETURN, 0, 0, _ALLOW)])


def _pack(code: list[_Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _conditional(calls: _Conditional, column: int, pid: int) -> list[_Instruction]:
    code: list[_Instruction] = []
    for numbers, conditions, errno in calls.values():
        number = numbers[column]
        if number is not None:
            body = [part for condition in conditions for part in _check(condition, errno, pid)]
            body.append((_RETURN, 0, 0, _ALLOW))
            code += [(_JUMP_EQ, 0, len(body), number), *body]
    return code


def _check(condition: _Condition, errno: int, pid: int) -> list[_Instruction]:
    """Go on where an argument satisfies the condition, else return `errno`. Little-endian: low half first."""
    argument, kind, values = condition
    low = 16 + 8 * argument
    refuse = (_RETURN, 0, 0, _ERRNO | errno)
    if kind == "without":
        return [(_LOAD, 0, 0, low), (_JUMP_SET, 0, 1, values[0]), refuse]
    if kind == "null":
        return [
            (_LOAD, 0, 0, low),
            (_JUMP_EQ, 1, 0, 0),
            refuse,
            (_LOAD, 0, 0, low + 4),
            (_JUMP_EQ, 1, 0, 0),
            refuse,
        ]
    numbers = [pid if value == _OWN_PID else value for value in values]
    tests = [(_JUMP_EQ, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    return [(_LOAD, 0, 0, low), *tests, refuse]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Filter:
    """Both filters, made ready before the fork; each `install…` puts this process under one for good."""

    def __init__(self, *, files: bool = False) -> None:
        marker = 0x7EADBEEF  # a process number that no process has: found again to be replaced
        self._long = _Ready(assemble(files=files))
        short = assemble_for_program(marker)
        self._short = _Ready(short)
        self._pid_offsets = [place for place in range(4, len(short), 8) if short[place : place + 4] == _word(marker)]
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl
        self._prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
        self._getpid = os.getpid

    def install_in_zygote(self) -> None:
        """Raises OSError where the kernel refuses."""
        if self._prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "the kernel refuses no_new_privs")
        self._install(self._long)

    def install_in_program(self) -> None:
        """Raises OSError where the kernel refuses."""
        pid = _word(self._getpid())
        for place in self._pid_offsets:
            ctypes.memmove(ctypes.addressof(self._short.code) + place, pid, 4)
        self._install(self._short)

    def _install(self, ready: _Ready) -> None:
        if self._prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ready.address, 0, 0):
            raise OSError(ctypes.get_errno(), "the kernel refuses the seccomp filter")


class _Ready:
    """A filter in memory where the kernel reads it."""

    def __init__(self, code: bytes) -> None:
        self.code = ctypes.create_string_buffer(code, len(code))
        self.program = _Program(len(code) // 8, ctypes.addressof(self.code))
        self.address = ctypes.addressof(self.program)


def _word(number: int) -> bytes:
    return struct.pack("=I", number)
