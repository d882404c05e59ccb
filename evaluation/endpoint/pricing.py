"""What asking a server costs: tokens and money counted, limits per minute kept, and a most that is never exceeded."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from evaluation.endpoint.protocol import EndpointError

# How often a request that waits for money to be free again looks, in seconds.
LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Prices:
    """Money per million tokens, in whatever currency `max_cost` is in."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6


@dataclass
class Usage:
    """What was used so far. `cost` is 0 without prices. `num_uncounted` requests were sent but their tokens are not
    known (no answer came, or one without `usage`): they count in `cost` with the most that they can have cost."""

    num_requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    num_uncounted: int = 0
    cost: float = 0.0


class Bucket:
    """A token bucket: in no minute more than `per_minute` units are let through, and they are let through in order.

    A tenth of them at once, the others at an even pace. A single request of more than that tenth is let through, and
    those after it wait the longer.
    """

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        if per_minute <= 0:
            raise ValueError(f"a limit per minute must be above 0, not {per_minute}")
        self.capacity = max(1.0, per_minute / 10)
        self.rate = 0.9 * per_minute / 60
        self.clock = clock
        self.level = self.capacity
        self.filled = clock()

    def take(self, amount: float) -> float:
        """Take `amount` units; returns for how many seconds the taker has to wait before using them."""
        now = self.clock()
        self.level = min(self.capacity, self.level + self.rate * (now - self.filled))
        self.filled = now
        short = min(amount, self.capacity) - self.level
        self.level -= amount
        return max(0.0, short / self.rate)

    def give_back(self, amount: float) -> None:
        """Units that were taken but not used; a negative amount was used but not taken."""
        self.level = min(self.capacity, self.level + amount)


@dataclass(frozen=True)
class Bound:
    """The most tokens that a request can need."""

    prompt_tokens: int
    completion_tokens: int

    @property
    def likely(self) -> int:
        """What is taken from the limit of tokens per minute until the answer says what was used: a prompt's bound is
        its bytes, and a token is seldom fewer than three."""
        return self.prompt_tokens // 3 + self.completion_tokens


class Meter:
    """Lets requests through as the limits allow, and counts what they used."""

    def __init__(
        self,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        prices: Prices | None = None,
        max_cost: float | None = None,
    ) -> None:
        if max_cost is not None and prices is None:
            raise EndpointError("max_cost needs prices: say what a million prompt and completion tokens cost")
        self.requests = Bucket(requests_per_minute) if requests_per_minute else None
        self.tokens = Bucket(tokens_per_minute) if tokens_per_minute else None
        self.prices = prices or Prices(0.0, 0.0)
        self.max_cost = max_cost
        self.usage = Usage()
        self._in_flight: dict[int, float] = {}
        self._next = 0

    async def admit(self, bound: Bound, pause: Callable[[float], Awaitable[None]]) -> int:
        """Waits (by `pause`, which takes seconds) until a request may be sent; returns its ticket for `settle`.

        EndpointError where it could exceed `max_cost` and nothing is in flight that could cost less than it may.
        """
        most = self.prices.cost(bound.prompt_tokens, bound.completion_tokens)
        while self.max_cost is not None and self.usage.cost + sum(self._in_flight.values()) + most > self.max_cost:
            if not self._in_flight:
                raise EndpointError(
                    f"stopped before max_cost: {self.usage.cost:.6g} of {self.max_cost:.6g} is spent after"
                    f" {self.usage.num_requests} requests, and the next one may cost {most:.6g};"
                    " raise max_cost to go on (what is recorded is not asked again)"
                )
            await pause(LOOK_EVERY_S)
        ticket, self._next = self._next, self._next + 1
        self._in_flight[ticket] = most
        wait_s = self.requests.take(1) if self.requests else 0.0
        if self.tokens:
            wait_s = max(wait_s, self.tokens.take(bound.likely))
        try:
            await pause(wait_s)
        except BaseException:
            del self._in_flight[ticket]
            raise
        return ticket

    def settle(self, ticket: int, bound: Bound, used: tuple[int, int] | None, paid: bool) -> None:
        """A request has ended. `used` is (prompt, completion) tokens where known; not `paid` for: counts nothing."""
        most = self._in_flight.pop(ticket)
        self.usage.num_requests += 1
        if used is None:
            self.usage.num_uncounted += paid
            self.usage.cost += most if paid else 0.0
            return
        self.usage.prompt_tokens += used[0]
        self.usage.completion_tokens += used[1]
        self.usage.cost += self.prices.cost(*used)
        if self.tokens:
            self.tokens.give_back(bound.likely - sum(used))
