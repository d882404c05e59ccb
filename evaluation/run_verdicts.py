"""How the run of a program that a response led to has ended: one set of words for all tasks, to be counted."""

from __future__ import annotations

from execution.sandbox import Observation, Verdict

VERDICTS = {
    "ok": "the program came to its end; what it gave may be wrong",
    "raised": "it raised",
    "timeout": "it did not end in its time",
    "memory": "it took more memory than the limit",
    "output": "it gave more than the limit, or what nothing can be read from",
    "crashed": "its process died, or ended itself",
    "refused": "it asked for what the sandbox does not give",
    "tampered": "it reached for the machinery that judges it",
    "failed": "our own failure: says nothing about the program",
}
_OF_VERDICT = {
    Verdict.OK: "ok",
    Verdict.EXCEPTION: "raised",
    Verdict.TIMEOUT: "timeout",
    Verdict.MEMORY: "memory",
    Verdict.OUTPUT: "output",
    Verdict.CRASHED: "crashed",
    Verdict.REFUSED: "refused",
    Verdict.SANDBOX_FAILED: "failed",
}


def verdict_of(seen: Observation) -> str:
    """The word for a run, a name in VERDICTS; "tampered" is for whoever judges by flags to say."""
    return _OF_VERDICT[seen.verdict]
