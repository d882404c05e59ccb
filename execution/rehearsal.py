"""Inside the jail: the warm interpreter runs a few programs of our own before it serves any.

What the interpreter learns by running (types' attribute caches, specialised bytecode, resolved library functions) is
then there in every forked process, which else learns it anew and copies a page of memory for each thing learnt: a
fifth of all the pages that a run copies.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from execution.limits import Limits
from execution.residue import Residue
from execution.runner import MODULE, Runner, Watch, len_of_stack

NUM_ROUNDS = 12  # bytecode is specialised from the ninth call on
_SOURCE = """
def f(items, word='ab'):
    total, seen, parts = 0, {}, []
    for place, item in enumerate(items):
        seen[item] = seen.get(item, 0) + place
        if item % 2:
            total += item
        parts.append(word.upper())
    text = ', '.join(str(item) for item in sorted(seen))
    print(f'text: {text}')
    result = [part for part in parts if part]
    print(f'result: {result}')
    return result, total, seen, 2.5, None, True, word[total:]
"""
# As `execution.sandbox.Job` has them; the sandbox adds what is not named here.
SAMPLES: tuple[dict[str, Any], ...] = (
    {"source": _SOURCE, "call": "f([3, 1], word='k')", "anchor_lines": (10, 12)},
    {"source": _SOURCE, "call": "f([3, 1, 2])", "events": True},
    {"source": _SOURCE, "call": "f(3)"},
)


def rehearse(jobs: list[dict[str, Any]], limits: Limits, watch: Watch, residue: Residue) -> None:
    """Run `jobs`, which are trusted, in this process; nothing of it is left but what the interpreter learnt."""
    stdout, depth = sys.stdout, sys.getrecursionlimit()
    record_fd, output_fd = (os.memfd_create("rehearsal", os.MFD_CLOEXEC) for _ in range(2))
    try:
        for _ in range(NUM_ROUNDS):
            for job in jobs:
                request = json.loads(json.dumps({"nonce": "0" * 32, "jobs": [job]}).encode())
                runner = Runner(limits, request["nonce"], record_fd, output_fd, watch)
                sys.setrecursionlimit(limits.recursion_depth + len_of_stack())
                runner.run_all(request["jobs"], residue)
    finally:
        sys.stdout = sys.__stdout__ = stdout  # type: ignore[misc, assignment]
        sys.setrecursionlimit(depth)
        sys.modules.pop(MODULE, None)
        os.close(record_fd)
        os.close(output_fd)
