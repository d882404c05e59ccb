"""The system call filters, run by a small interpreter of their byte code: what is let through, and nothing else."""

from __future__ import annotations

import struct

import pytest

from execution.seccomp import (
    ALLOWED,
    CONDITIONAL,
    CONDITIONAL_IN_PROGRAM,
    ZYGOTE_ONLY,
    assemble,
    assemble_for_program,
)

X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003
ALLOW, EPERM, ENOTTY, ENOSYS, KILL = 0x7FFF0000, 0x50001, 0x50019, 0x50026, 0x80000000
OWN_PID = 77
COLUMN = {"x86_64": 0, "aarch64": 1}
ARCHITECTURE = {"x86_64": X86_64, "aarch64": AARCH64}


def execute(program: bytes, number: int, arguments: tuple[int, ...], architecture: int) -> int:
    data = struct.pack("=iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    code = list(struct.iter_unpack("=HBBI", program))
    place = accumulator = 0
    while True:
        operation, if_true, if_false, operand = code[place]
        place += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif operation == 0x06:
            return operand
        else:
            test = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}
            place += if_true if test[operation] else if_false


def verdict(number: int, *arguments: int, machine: str = "x86_64", architecture: int | None = None) -> int:
    """What both filters together say to a program."""
    architecture = architecture or ARCHITECTURE[machine]
    long = execute(assemble(machine), number, arguments, architecture)
    if long != ALLOW:
        return long
    return execute(assemble_for_program(OWN_PID, machine), number, arguments, architecture)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_exactly_the_listed_calls_are_let_through(machine: str) -> None:
    column = COLUMN[machine]
    listed = {numbers[column] for numbers in ALLOWED.values()}
    conditional = {numbers[column] for numbers, _, _ in [*CONDITIONAL.values(), *CONDITIONAL_IN_PROGRAM.values()]}
    for number in range(1024):
        if number not in conditional:
            assert verdict(number, machine=machine) == (ALLOW if number in listed else EPERM), number


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_warm_interpreter_alone_may_fork(machine: str) -> None:
    for name, numbers in ZYGOTE_ONLY.items():
        number = numbers[COLUMN[machine]]
        if number is not None:
            assert execute(assemble(machine), number, (), ARCHITECTURE[machine]) == ALLOW, name
            assert verdict(number, machine=machine) == EPERM, name


def test_a_foreign_architecture_or_x32_kills() -> None:
    assert verdict(0, architecture=I386) == KILL
    assert verdict(0x40000000) == KILL
    assert verdict(63, machine="aarch64", architecture=X86_64) == KILL


@pytest.mark.parametrize("name", ["kill", "tkill", "tgkill"])
def test_signals_go_to_the_program_itself_only(name: str) -> None:
    number = CONDITIONAL_IN_PROGRAM[name][0][0]
    assert number is not None
    assert verdict(number, OWN_PID, 9) == ALLOW
    for other in (1, 0, OWN_PID + 1, 2**32 - 1):
        assert verdict(number, other, 9) == EPERM


@pytest.mark.parametrize("flags", [0o1, 0o2, 0o100, 0o1000, 0o20200000])
def test_files_are_not_opened_for_writing(flags: int) -> None:
    openat, reading, close_on_exec = 257, 0, 0o2000000
    assert verdict(openat, 2**32 - 100, 0, reading | close_on_exec) == ALLOW
    assert verdict(openat, 2**32 - 100, 0, flags) == EPERM


def test_sockets_are_pairs_that_send_to_each_other_only() -> None:
    socketpair, sendto, af_unix, af_inet = 53, 44, 1, 2
    assert verdict(socketpair, af_unix) == ALLOW
    assert verdict(socketpair, af_inet) == EPERM
    assert verdict(sendto, 3, 0, 0, 0, 0) == ALLOW
    assert verdict(sendto, 3, 0, 0, 0, 1 << 40) == EPERM


def test_limits_are_read_and_not_set() -> None:
    prlimit64 = 302
    assert verdict(prlimit64, 0, 7, 0) == ALLOW
    assert verdict(prlimit64, 0, 7, 1 << 40) == EPERM
    assert verdict(prlimit64, 1, 7, 0) == EPERM


def test_terminals_are_not_controlled_and_threads_not_made() -> None:
    ioctl, clone3, tiocsti = 16, 435, 0x5412
    assert verdict(ioctl, 0, tiocsti) == ENOTTY
    assert verdict(clone3, 1 << 40) == ENOSYS
