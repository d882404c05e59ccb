"""Every limit of an execution, declared once; the tests try to break each of them and read it from here."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one job may use and say. Sizes are in bytes or characters, times in seconds.

    CPU time is the verdict; wall time is a loose backstop for programs that sleep, so that a loaded machine
    fails no good program.
    """

    cpu_s: float = 2.0  # more is Verdict.TIMEOUT; one second later the kernel kills, whatever is ignored
    wall_s: float = 20.0  # at least five times cpu_s
    memory_bytes: int = 512 * MEBIBYTE  # address space of the process; MemoryError is Verdict.MEMORY
    output_bytes: int = MEBIBYTE // 4  # printed text; more is Verdict.OUTPUT
    record_bytes: int = 8 * MEBIBYTE  # everything that the jail says about one job; also the largest file
    request_bytes: int = 8 * MEBIBYTE  # sources and calls sent to the jail at once
    num_files: int = 64  # open descriptors
    files_bytes: int = 16 * MEBIBYTE  # all that a program writes to files, in the jail that lets it
    num_inodes: int = 1024  # files, folders and links that it makes there, with the folder that they are in
    num_processes: int = 0  # processes and threads beside the program's own
    recursion_depth: int = 1000  # Python frames, as in a fresh interpreter
    num_states: int = 2000  # recorded anchor states
    state_chars: int = 4000  # of one state's text
    num_events: int = 5000  # recorded line events
    event_chars: int = 2_000_000  # of all texts in the events together
    value_chars: int = 2000  # of one value's text in an event
    value_depth: int = 20  # nesting shown of one value, everywhere
    result_chars: int = 50_000  # of the result's text, and of each argument's after the call
    message_chars: int = 2000  # of an exception's message
    startup_s: float = 60.0  # for the warm interpreter to come up
    num_together: int = 64  # inputs of one source run in one process

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0 or (value == 0 and name != "num_processes"):
                raise ValueError(f"Limits.{name} is {value}; it must be above 0")
        if self.wall_s < 5 * self.cpu_s:
            raise ValueError(f"Limits.wall_s is {self.wall_s}; it must be at least 5 times cpu_s ({self.cpu_s})")


DEFAULT_LIMITS = Limits()
