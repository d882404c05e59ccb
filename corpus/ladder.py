"""The ladder of difficulty: what a synthesised program must contain at each of the six levels.

Source: ExecVerify (arXiv 2603.11226), its synthesis configurations. Departure: seeds, levels and control
structures are drawn by `random.Random` alone; no language model writes the program.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from corpus.shapes import Shape

STRUCTURES = ("if", "for", "while", "elif")


@dataclass(frozen=True)
class Level:
    """Constraints of one level. `depth` counts control structures, strictly nested in one another."""

    other_members: bool
    depth: int
    helper: bool


LADDER: dict[int, Level] = {
    1: Level(other_members=False, depth=0, helper=False),
    2: Level(other_members=True, depth=0, helper=False),
    3: Level(other_members=True, depth=1, helper=False),
    4: Level(other_members=True, depth=2, helper=False),
    5: Level(other_members=True, depth=3, helper=False),
    6: Level(other_members=True, depth=3, helper=True),
}


def draw_structures(rng: random.Random, depth: int) -> tuple[str, ...]:
    """`depth` control structures, outermost first, with replacement, uniformly (ExecVerify §3.2)."""
    return tuple(rng.choice(STRUCTURES) for _ in range(depth))


@dataclass(frozen=True)
class Sketch:
    """A function as it was drawn: text, parameters with the shapes that arguments may have, what it tests."""

    source: str
    parameters: dict[str, Shape]
    type_name: str
    member: str
    structures: tuple[str, ...]
    entry_point: str = "f"
