"""Observes programs: runs original and instrumented under two hash seeds, and gives a trace or a reason against it.

The four runs of a program must agree in result, exception, printed output and the arguments after the call; the
states must be equal under both seeds. What does not agree, or could not be judged, is set aside with a reason.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from execution.anchors import INSTRUMENTOR_VERSION, Instrumented, instrument
from execution.limits import Limits
from execution.program import Program, content_id
from execution.records import TAMPERING
from execution.sandbox import Job, Observation, Sandbox, Verdict
from execution.traces import SetAside, State, Trace

TRACER_VERSION = "3"

REASONS: dict[str, str] = {
    "syntax_error": "the source or the call does not parse",
    "no_anchors": "no state was printed: no anchor could be placed, or none was reached",
    "too_many_states": "more states were printed than asked for",
    "state_too_long": "the text of a state is longer than the limit",
    "exception": "the program raised",
    "timeout": "more CPU time than the limit, or still waiting at the wall limit",
    "memory": "more memory than the limit",
    "output": "printed more than the limit",
    "crashed": "the process died, or ended itself",
    "refused": "the program needs what the sandbox does not give: files, network, processes, threads",
    "behaviour_changed": "the instrumented program gave another result, output, exception or arguments",
    "seed_dependent": "two runs under different hash seeds differ, or draw from an unseeded random generator",
    "address": "a state, the result or the output shows a memory address",
    "not_literal": "the result is no Python literal",
    "not_text": "a state or the output holds lone surrogates, which no UTF-8 file can keep",
    "tampered": "the program reached for the tracer, frames or the collector",
    "sandbox_failed": "the sandbox failed twice; this says nothing about the program",
}
_OF_VERDICT = {
    Verdict.EXCEPTION: "exception",
    Verdict.TIMEOUT: "timeout",
    Verdict.MEMORY: "memory",
    Verdict.OUTPUT: "output",
    Verdict.CRASHED: "crashed",
    Verdict.REFUSED: "refused",
    Verdict.SANDBOX_FAILED: "sandbox_failed",
}
_UNDECIDING_LIMITS = frozenset({"startup_s", "num_together"})
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{4,}")


def observe(
    programs: Sequence[Program], sandboxes: tuple[Sandbox, Sandbox], max_states: int = 10
) -> list[Trace | SetAside]:
    """Traces of programs that share one source, in their order; a SetAside for each that yields none.

    `sandboxes` differ in their hash seed. Raises ValueError where the sources or the seeds do not fit.
    """
    if not programs:
        return []
    source = programs[0].source
    if any(program.source != source for program in programs):
        raise ValueError("observe() takes programs of one source at a time")
    if sandboxes[0].hash_seed == sandboxes[1].hash_seed:
        raise ValueError(f"both sandboxes have the hash seed {sandboxes[0].hash_seed}; two different ones are needed")
    try:
        placed = instrument(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        return [SetAside(program, "syntax_error", str(error)) for program in programs]
    if not placed.anchors:
        why = "; ".join(dict.fromkeys(reason for _, reason in placed.left_out)) or "nothing is assigned"
        return [SetAside(program, "no_anchors", why) for program in programs]
    return _observe_placed(programs, placed, sandboxes, max_states)


def trace_versions(backend: str, hash_seeds: Sequence[int], limits: Limits) -> dict[str, str]:
    """All that a program's trace depends on beside the program: part of its identity. `limits` stands for those that
    decide what is recorded or put aside; how long a jail may take to start is none of them."""
    deciding = {name: value for name, value in asdict(limits).items() if name not in _UNDECIDING_LIMITS}
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "instrumentor": INSTRUMENTOR_VERSION,
        "tracer": TRACER_VERSION,
        "hash_seeds": ",".join(map(str, hash_seeds)),
        "backend": backend,
        "limits": content_id("limits", deciding)[:12],
    }


def run_call(source: str, call: str, sandbox: Sandbox, anchor_lines: Sequence[int] = ()) -> Observation:
    """One call in a process of its own; a failure of the sandbox is tried once more."""
    job = Job(source, call, tuple(anchor_lines))
    seen = sandbox.run(job)
    return sandbox.run(job) if seen.verdict == Verdict.SANDBOX_FAILED else seen


def _observe_placed(
    programs: Sequence[Program], placed: Instrumented, sandboxes: tuple[Sandbox, Sandbox], max_states: int
) -> list[Trace | SetAside]:
    first, second = sandboxes
    original = _run_all(first, lambda program: Job(program.source, program.call, events=True), programs)
    writing = {program for program, seen in zip(programs, original, strict=True) if wants_to_write(seen)}
    for place, program in enumerate(programs):
        if program in writing:
            original[place] = first.run(Job(program.source, program.call, events=True, files=True))
    outcomes: dict[int, Trace | SetAside] = {}
    for place, program in enumerate(programs):
        if original[place].verdict != Verdict.OK:  # the other three runs could not change that
            outcomes[place] = SetAside(program, *_why_not_ok(original[place]))
    going = [place for place in range(len(programs)) if place not in outcomes]
    rest = [programs[place] for place in going]

    def plain(program: Program) -> Job:
        return Job(program.source, program.call, events=True, files=program in writing)

    def with_anchors(program: Program) -> Job:
        return Job(placed.source, program.call, placed.anchor_lines, files=program in writing)

    original_second = _run_all(second, plain, rest)
    anchored = [_run_all(sandbox, with_anchors, rest) for sandbox in sandboxes]
    for place, *others in zip(going, original_second, *anchored, strict=True):
        runs = (original[place], *others)
        outcomes[place] = _outcome(programs[place], placed, runs, max_states, sandboxes)
    return [outcomes[place] for place in range(len(programs))]


def wants_to_write(seen: Observation) -> bool:
    """Whether a folder to write in is all that the program lacked."""
    return seen.verdict == Verdict.REFUSED and {flag for flag in seen.flags if flag.startswith("wants")} == {
        "wants_files"
    }


def _run_all(sandbox: Sandbox, job_of: Callable[[Program], Job], programs: Sequence[Program]) -> list[Observation]:
    jobs = [job_of(program) for program in programs]
    seen = sandbox.run_together(jobs)
    return [
        sandbox.run(job) if one.verdict == Verdict.SANDBOX_FAILED else one for job, one in zip(jobs, seen, strict=True)
    ]


def _outcome(
    program: Program,
    placed: Instrumented,
    runs: Sequence[Observation],
    max_states: int,
    sandboxes: tuple[Sandbox, Sandbox],
) -> Trace | SetAside:
    """`runs`: original and original, anchored and anchored, each under the first and the second seed."""
    reason = why_not(runs, max_states)
    if reason is not None:
        return SetAside(program, *reason)
    original, original_second, anchored, _ = runs
    # Line events that depend on the hash order are no truth, though result and states may not: none are kept.
    stable = original.events == original_second.events
    states = tuple(
        State(placed.anchors[position].index, placed.anchors[position].name, text) for position, text in anchored.states
    )
    return Trace(
        program=program,
        instrumented=placed.source,
        states=states,
        result=original.result,
        result_type=original.result_type,
        exception=original.exception,
        stdout=original.stdout,
        events=original.events if stable else (),
        events_cut=original.events_cut or not stable,
        versions=trace_versions(sandboxes[0].name, [sandbox.hash_seed for sandbox in sandboxes], sandboxes[0].limits),
    )


def why_not(runs: Sequence[Observation], max_states: int) -> tuple[str, str] | None:
    """Why these four runs make no trace, None where they do."""
    original, original_second, anchored, anchored_second = runs
    for seen in runs:
        if seen.verdict in {Verdict.SANDBOX_FAILED, Verdict.TIMEOUT}:  # near a limit: no statement about equality
            return _why_not_ok(seen)
    flags = sorted({flag for seen in runs for flag in seen.flags})
    if not TAMPERING.isdisjoint(flags):
        return "tampered", ", ".join(flags)
    difference = _difference(original, original_second)
    if difference:
        return "seed_dependent", difference
    if original.random_state != original_second.random_state:
        return "seed_dependent", "the random generator is used without a seed"
    difference = _difference(original, anchored) or _difference(original_second, anchored_second)
    if difference:
        return "behaviour_changed", difference
    return _why_not_states(anchored, anchored_second, max_states) or _why_not_result(original)


def _why_not_states(first: Observation, second: Observation, max_states: int) -> tuple[str, str] | None:
    if not first.states:
        return "no_anchors", "no anchor was reached"
    if len(first.states) > max_states:
        return "too_many_states", f"{len(first.states)} states; at most {max_states} are asked for"
    if "states_cut" in first.flags or "states_cut" in second.flags:
        return "state_too_long", "a state's text was cut at the limit"
    if first.states != second.states:
        return "seed_dependent", "the states differ"
    for _, text in first.states:
        if _ADDRESS.search(text):
            return "address", text[:200]
        if not _is_text(text):
            return "not_text", repr(text[:200])
    return None


def _why_not_result(seen: Observation) -> tuple[str, str] | None:
    if _ADDRESS.search(seen.stdout):
        return "address", "in what was printed"
    if not _is_text(seen.stdout):
        return "not_text", "in what was printed"
    if not seen.result_is_literal:
        return "not_literal", f"{seen.result_type}: {(seen.result or '')[:200]}"
    return None


def _why_not_ok(seen: Observation) -> tuple[str, str]:
    detail = seen.detail
    if seen.exception is not None and not detail:
        detail = ": ".join(filter(None, seen.exception))[:500]
    if seen.exception is not None and seen.exception[0] in {"SyntaxError", "IndentationError", "TabError"}:
        return "syntax_error", detail
    return _OF_VERDICT[seen.verdict], detail


def _difference(one: Observation, other: Observation) -> str:
    """The first thing in which two runs of one program differ, or ""."""
    if one.verdict != other.verdict:
        return f"verdict: {one.verdict} and {other.verdict} {' '.join(_why_not_ok(other)[1:])}".strip()
    for name in ("result_type", "result", "exception", "stdout", "arguments_after"):
        if getattr(one, name) != getattr(other, name):
            return f"{name}: {getattr(one, name)!r:.200} and {getattr(other, name)!r:.200}"
    return ""


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
