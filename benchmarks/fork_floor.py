"""What one fork of the warm interpreter costs before it does anything: fork, exit, wait, in a loop.

    python benchmarks/fork_floor.py EXECUTION_FOLDER COUNT     prints CPU seconds per fork

Run as a script by `sandbox_speed`, in an interpreter started as the jail's is, with the jail's code and modules loaded.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import resource
import runpy
import sys
from pathlib import Path


def main(folder: str, count: int) -> None:
    jail = runpy.run_path(str(Path(folder) / "boot.py"), run_name="boot")["load"](Path(folder))
    for name in sorted(jail.SHAREABLE):
        importlib.import_module(name)
    fork = ctypes.PyDLL(None).fork  # as the jail forks: without the interpreter's own handlers
    gc.collect()
    gc.freeze()
    before = _cpu_s()
    for _ in range(count):
        process_id = fork()
        if process_id == 0:
            os._exit(0)
        os.waitpid(process_id, 0)
    print((_cpu_s() - before) / count)


def _cpu_s() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
