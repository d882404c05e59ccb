"""Synthesis: programs written from constraints at six levels of difficulty, seeded, without a model.

Source: ExecVerify (arXiv 2603.11226), program synthesis by (type, member) and constraints. Departure: drawn by a
grammar that follows types and ranges, so that nearly every program runs; nothing is executed here.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from corpus.arguments import argument_lists
from corpus.chains import Chain
from corpus.general import General
from corpus.ladder import LADDER, Sketch
from corpus.member_table import SEEDS
from corpus.normal_form import normal_source
from corpus.shapes import Unsafe
from corpus.tiny import Tiny
from execution.program import Program, content_id

SYNTHESIS_VERSION = "1"
MAX_DRAWS = 2000
MAX_WITHOUT_ARGUMENTS = 400
DRAWS_PER_SEED = 50  # of (type, member) before the next one takes its turn


class SynthesisError(ValueError):
    """Asked for what the synthesiser can't give; the message says what is allowed."""


Draw = Callable[[random.Random, int, int], Sketch]
"""(random numbers, level, turn) -> a function; Unsafe where nothing fit to run came out."""


def _draw_tiny(rng: random.Random, level: int, turn: int) -> Sketch:
    return Tiny(rng, level).sketch()


def _draw_chain(rng: random.Random, level: int, turn: int) -> Sketch:
    return Chain(rng, level).sketch()


def _draw_general(rng: random.Random, level: int, turn: int) -> Sketch:
    """Seeds take turns, as in ExecVerify, in an order of each level's own."""
    order = random.Random(level).sample(SEEDS, len(SEEDS))
    return General(rng, level, order[turn % len(order)]).sketch()


PROFILES: dict[str, Draw] = {"general": _draw_general, "tiny": _draw_tiny, "tiny_chains": _draw_chain}


def synthesise(level: int, seed: int, count: int, inputs_per_program: int, profile: str) -> list[Program]:
    """`count` different sources with `inputs_per_program` calls each: one Program per call, source by source.

    Different means: not the same after renaming of names.
    The same arguments give the same programs on any machine; a larger `count` only adds programs at the end.
    Raises SynthesisError for an unknown level or profile, or where so many different programs are not found.
    """
    if level not in LADDER:
        raise SynthesisError(f"no level {level}: levels are {min(LADDER)} to {max(LADDER)}")
    if profile not in PROFILES:
        raise SynthesisError(f"no profile {profile!r}: profiles are {', '.join(sorted(PROFILES))}")
    if count < 0 or inputs_per_program < 1:
        raise SynthesisError(f"{count} programs with {inputs_per_program} inputs each: give at least 0 and 1")
    programs: list[Program] = []
    seen: set[str] = set()
    for index in range(count):
        programs += _one(level, seed, index, inputs_per_program, profile, seen)
    return programs


def _one(level: int, seed: int, index: int, num_inputs: int, profile: str, seen: set[str]) -> list[Program]:
    rng = random.Random(content_id("synthesis", SYNTHESIS_VERSION, profile, level, seed, index))
    without_arguments = 0
    for draw in range(MAX_DRAWS):
        try:
            sketch = PROFILES[profile](rng, level, index + draw // DRAWS_PER_SEED)
        except Unsafe:
            continue
        normal = normal_source(sketch.source)
        if normal in seen:
            continue
        arguments = argument_lists(rng, sketch.parameters, num_inputs, is_tiny=profile != "general")
        if arguments is None:
            without_arguments += 1
            if without_arguments == MAX_WITHOUT_ARGUMENTS:
                break
            continue
        seen.add(normal)
        origin = _origin(level, seed, index, sketch)
        return [Program(sketch.source, f"{sketch.entry_point}({given})", origin, level) for given in arguments]
    raise SynthesisError(
        f"no new program number {index} of level {level} (profile {profile}, {num_inputs} inputs) in"
        f" {draw + 1} draws: ask for fewer programs or inputs"
    )


def _origin(level: int, seed: int, index: int, sketch: Sketch) -> str:
    parts = [
        f"level={level}",
        f"seed={seed}",
        f"index={index}",
        f"type={sketch.type_name}",
        f"member={sketch.member}",
    ]
    if sketch.structures:
        parts.append(f"nesting={'>'.join(sketch.structures)}")
    return "synthesis:" + ",".join(parts)
