"""The one interface of all endpoints: prompts in, completions out, each heard of as it is complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Completion:
    """One response. `finished` is False where the token limit cut it. `token_count` is of what was generated."""

    text: str
    token_count: int
    finished: bool


# Hears how many completions are there so far.
Progress = Callable[[int], None]
# Hears the place of a prompt and some of its completions by sample number, as soon as they are there.
OnAnswer = Callable[[int, Mapping[int, Completion]], None]
# Completions that are there already, by the place of the prompt and the sample number.
Known = Mapping[int, Mapping[int, Completion]]


class EndpointError(RuntimeError):
    """A model that can't be loaded, a server that won't answer, or a recording without the answer asked for."""


class Endpoint(Protocol):
    """Anything that answers prompts."""

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        temperature: float = 0.0,
        num_samples: int = 1,
        seed: int = 0,
        progress: Progress | None = None,
        *,
        stop: Sequence[str] = (),
        top_p: float = 1.0,
        on_answer: OnAnswer | None = None,
        known: Known | None = None,
    ) -> list[list[Completion]]:
        """`num_samples` completions of each prompt, in order; `progress` hears how many are complete so far.

        A text of `stop` ends a completion (it is then finished) and is not part of it. `top_p` keeps the likeliest
        tokens of that much probability. `on_answer` hears completions as they come. Those that are `known` need not
        be made again: an endpoint that pays per answer asks for the others only, one that computes may ignore it.
        """
        ...


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn: the arguments of `generate`, checked. ValueError says which is wrong."""

    max_new_tokens: int
    temperature: float = 0.0
    num_samples: int = 1
    seed: int = 0
    stop: tuple[str, ...] = ()
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.num_samples < 1 or self.max_new_tokens < 1 or self.temperature < 0:
            raise ValueError("num_samples and max_new_tokens must be at least 1, temperature at least 0")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if isinstance(self.stop, str) or not all(self.stop):
            raise ValueError("stop is a list of texts, none of them empty")


def cut_at_stop(text: str, stop: Sequence[str]) -> str | None:
    """`text` before the first of the `stop` texts in it; None where there is none."""
    places = [place for place in map(text.find, stop) if place >= 0]
    return text[: min(places)] if places else None
