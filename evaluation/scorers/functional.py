"""Functional correctness: generated code judged by its tests, as HumanEval and MBPP do, in the sandbox.

Sources: openai/human-eval, human_eval/execution.py (Chen et al., arXiv 2107.03374): prompt, completion, tests and
`check(entry point)` in one program, passed where nothing is raised within 3 s. MBPP (Austin et al., arXiv 2108.07732)
has no official scorer; the same rule is used: set-up, code, assertions, and 10 s, as its slowest reference program
takes some two. Departure: the seconds are CPU time, so that a loaded machine fails no good program; wall time is a
backstop.

Strict differs where code reached for the machinery that judges it (frames, the collector, trace functions, hooks,
memory): that is wrong, whatever its tests say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluation.scorers.completions import OFFICIAL_LIMITS, Scored
from evaluation.scorers.judgement import RAISED, SANDBOX_FAILED, STOPPED, TIMEOUT, WRONG, Judgement, Mode
from execution.observe import wants_to_write
from execution.records import TAMPERING
from execution.sandbox import Job, Observation, Sandbox, Verdict

TAMPERED = "tampered"
HUMANEVAL_LIMITS = replace(OFFICIAL_LIMITS, cpu_s=3.0, wall_s=15.0)
MBPP_LIMITS = replace(OFFICIAL_LIMITS, cpu_s=10.0, wall_s=50.0)


@dataclass(frozen=True)
class Task:
    """What stands before and after a generation in the program that judges it."""

    before: str
    after: str

    def program(self, generation: str) -> str:
        return f"{self.before}{generation}\n{self.after}\n"


def humaneval_task(row: Mapping[str, Any]) -> Task:
    """A row of HumanEval; generations go on where the prompt ends."""
    return Task(row["prompt"], f"{row['test']}\ncheck({row['entry_point']})")


def mbpp_task(row: Mapping[str, Any]) -> Task:
    """A row of MBPP (`test_setup_code`, `test_list`) or of its sanitized form (`test_imports`, `test_list`);
    generations are whole programs."""
    before = [row.get("test_setup_code", ""), *row.get("test_imports", ())]
    return Task("\n".join([*filter(None, before), ""]), "\n".join(row["test_list"]))


def score_generations(task: Task, generations: Sequence[str], mode: Mode, sandbox: Sandbox) -> Scored:
    """A Judgement per generation; equal ones are run once. One that our sandbox failed on leaves n."""
    verdicts = {one: _judge(task.program(one), mode, sandbox) for one in dict.fromkeys(generations)}
    judged = tuple(verdicts[one] for one in generations)
    return Scored(judged, tuple(one.correct for one in judged if one.correct is not None))


def _judge(program: str, mode: Mode, sandbox: Sandbox) -> Judgement:
    job = Job(program, "True")
    seen = sandbox.run(job)
    if wants_to_write(seen):
        job = replace(job, files=True)
        seen = sandbox.run(job)
    if seen.verdict is Verdict.SANDBOX_FAILED:
        seen = sandbox.run(job)
    if mode == "strict" and not TAMPERING.isdisjoint(seen.flags):
        return Judgement(False, TAMPERED)
    return _verdict(seen)


def _verdict(seen: Observation) -> Judgement:
    if seen.verdict is Verdict.OK:
        return Judgement(True)
    if seen.verdict is Verdict.EXCEPTION:
        return Judgement(False, WRONG if (seen.exception or ("",))[0] == "AssertionError" else RAISED)
    if seen.verdict is Verdict.SANDBOX_FAILED:
        return Judgement(None, SANDBOX_FAILED)
    return Judgement(False, TIMEOUT if seen.verdict is Verdict.TIMEOUT else STOPPED)
