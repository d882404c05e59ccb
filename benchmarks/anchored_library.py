"""Prints what the standard library's own tests say of its modules with anchors.

One row per suite: anchors, tests, failures plain and with anchors, and the ratio of the two run times. Names given
as arguments choose suites by their first module.
"""

from __future__ import annotations

import subprocess
import sys

from tests.execution.anchored_suite import run_suite
from tests.execution.standard_library import LOOK_AT_CODE, MORE_SUITES, SUITES

TIMEOUT_S = 300.0


def row(names: str, tests: str) -> str:
    first = names.split()[0]
    try:
        plain = run_suite(names.split(), tests.split(), anchored=False, timeout_s=TIMEOUT_S)
        anchored = run_suite(names.split(), tests.split(), anchored=True, timeout_s=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"{first:28} took more than {TIMEOUT_S:.0f} s"
    new = [test for test in anchored.failed if test not in plain.failed]
    looking = [test for test in new if test.split()[0] in LOOK_AT_CODE.get(first, ())]
    note = f"  {len(looking)} look at the module's own code" if looking else ""
    return (
        f"{first:28} {anchored.num_anchors:8} {anchored.num_run:6} {len(plain.failed):13} {len(anchored.failed):16}"
        f" {anchored.seconds / plain.seconds:10.2f}{note}"
    )


def main() -> None:
    chosen = set(sys.argv[1:])
    print("module                        anchors  tests  failed plain  failed anchored  time ratio")
    for names, tests in {**SUITES, **MORE_SUITES}.items():
        if not chosen or names.split()[0] in chosen:
            print(row(names, tests), flush=True)


if __name__ == "__main__":
    main()
