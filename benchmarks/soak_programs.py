"""The endless, seeded stream of programs for the soak: one in ten hostile, the others synthesised or examples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from benchmarks.hostile import CATALOGUE, Attack
from corpus.sources import collect_python
from corpus.synthesis import synthesise
from execution.anchors import instrument
from execution.program import Program
from execution.sandbox import Job

HOSTILE_EVERY = 10
EXAMPLE_EVERY = 20
TOGETHER_EVERY = 25
NUM_TOGETHER = 4
_EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "programs"
_CHUNK = 100
_LEVELS = 6


@dataclass(frozen=True)
class Case:
    """Program number `index` of the soak: its jobs (more than one are run in one process), and its attack if any."""

    index: int
    jobs: tuple[Job, ...]
    attack: Attack | None = None

    @property
    def name(self) -> str:
        return self.attack.name if self.attack else "honest"


def case(index: int) -> Case:
    """The same index gives the same case on any machine."""
    turn, place = divmod(index, HOSTILE_EVERY)
    if place == HOSTILE_EVERY - 1:
        attack = CATALOGUE[turn % len(CATALOGUE)]
        return Case(index, (attack.job,), attack)
    if index % EXAMPLE_EVERY == 0:
        examples = _examples()
        return Case(index, (_job(examples[index // EXAMPLE_EVERY % len(examples)], index),))
    chunk, offset = divmod(index, _CHUNK)
    programs = _synthesised(chunk)
    if index % TOGETHER_EVERY == 1:
        same = [program for program in programs if program.source_id == programs[offset * NUM_TOGETHER].source_id]
        return Case(index, tuple(_job(program, index) for program in same[:NUM_TOGETHER]))
    return Case(index, (_job(programs[offset * NUM_TOGETHER], index),))


def _job(program: Program, index: int) -> Job:
    """Line events of the program as it is, or the states at its anchors, in turns."""
    if index % 2:
        return Job(program.source, program.call, events=True)
    placed = instrument(program.source)
    return Job(placed.source, program.call, placed.anchor_lines)


@lru_cache(maxsize=2)
def _synthesised(chunk: int) -> list[Program]:
    level = chunk % _LEVELS + 1
    profile = "tiny" if chunk // _LEVELS % 2 else "general"
    return synthesise(level, chunk, _CHUNK, NUM_TOGETHER, profile)


@lru_cache(maxsize=1)
def _examples() -> list[Program]:
    return [found.program for found in collect_python(_EXAMPLES).programs]
