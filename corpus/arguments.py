"""Literal arguments for the parameters of a synthesised function."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from corpus.shapes import Shape

_WORDS = """apple bird cloud delta echo forest green hello index jazz kite level moon noon orange paper quiet river
stats table under view water xray yellow zebra Blue Code Data Tree note list word test mama radar"""
WORDS = _WORDS.split()
LETTERS = "abcdefgh"
MAX_VAIN_TRIES = 10


def argument_lists(
    rng: random.Random, parameters: Mapping[str, Shape], count: int, is_tiny: bool = False
) -> list[str] | None:
    """`count` different argument lists, `'ab', 6` (tiny: `x=3, y=6`), or None where they are not found.

    Numbers are drawn from `count` bands of their range, in a different order for each parameter, so that conditions
    on them come out differently.
    """
    if count > math.prod(_num_values(shape) for shape in parameters.values()):
        return None
    found: dict[str, None] = {}
    vain = 0
    while len(found) < count and vain < MAX_VAIN_TRIES:
        before = len(found)
        bands = {name: rng.sample(range(count), count) for name in parameters}
        for turn in range(count):
            values = {
                name: _value(rng, shape, bands[name][turn] / count, 1 / count, is_tiny)
                for name, shape in parameters.items()
            }
            given = ", ".join(f"{name}={value!r}" if is_tiny else repr(value) for name, value in values.items())
            found.setdefault(given)
        vain += len(found) == before
    return list(found)[:count] if len(found) >= count else None


def _num_values(shape: Shape) -> float:
    """How many different arguments there are, where that may be too few."""
    return shape.high - shape.low + 1 if shape.kind in ("int", "bool") else math.inf


def _value(rng: random.Random, shape: Shape, start: float, share: float, is_tiny: bool) -> object:
    """A value of the shape; numbers and lengths come from the part of the range that begins at `start`."""
    match shape.kind:
        case "int":
            low = shape.low + int((shape.high - shape.low) * start)
            return rng.randint(low, max(low, min(shape.high, int(low + (shape.high - shape.low) * share + 1))))
        case "float":
            return rng.randint(shape.low * 4, shape.high * 4) / 4
        case "bool":
            return rng.random() < 0.5
    length = rng.randint(shape.shortest, shape.longest)
    match shape.kind:
        case "str" if is_tiny:
            return "".join(rng.choice(LETTERS[:4]) for _ in range(length))
        case "str":
            return _phrase(rng, shape)
        case "words":
            return [_word(rng, shape.item) for _ in range(length)]
        case "dict":
            keys = rng.sample([word for word in WORDS if len(word) <= shape.item], length)
            return {key: rng.randint(shape.low, shape.high) for key in keys}
    numbers = [rng.randint(shape.low, shape.high) for _ in range(length)]
    if shape.kind == "set":
        return set(rng.sample(range(shape.low, shape.high + 1), length))
    return tuple(numbers) if shape.kind == "tuple" else numbers


def _word(rng: random.Random, longest: int) -> str:
    return rng.choice([word for word in WORDS if len(word) <= longest])


def _phrase(rng: random.Random, shape: Shape) -> str:
    """A word, two words, letters and digits, or letters with signs, of a length within the shape."""
    style = rng.randrange(5)
    if style == 0:
        phrase = f"{rng.choice(WORDS)} {rng.choice(WORDS)}"
    elif style == 1:
        phrase = f"{rng.choice(WORDS)}{rng.randint(0, 99)}"
    elif style == 2:
        phrase = "".join(rng.choice("abcABC012") for _ in range(rng.randint(shape.shortest, shape.longest)))
    elif style == 3:
        phrase = rng.choice("-,_ ").join(rng.sample(WORDS, 2))
    else:
        phrase = rng.choice(WORDS)
    while len(phrase) < shape.shortest:
        phrase += rng.choice("abcxyz")
    return phrase[: shape.longest]
