"""Any server that speaks OpenAI's protocol, asked asynchronously with a bounded number of requests in flight."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from evaluation.endpoint.answers import read_answer
from evaluation.endpoint.calling import Caller, RefusedError, Retry
from evaluation.endpoint.pricing import Bound, Meter, Prices, Usage
from evaluation.endpoint.protocol import Completion, EndpointError, Known, OnAnswer, Progress, Sampling

# Tokens that a chat template may add to a prompt, for the bound of what a request costs.
TEMPLATE_TOKENS = 64


class OpenAIEndpoint:
    """`model` behind /chat/completions (`chat`, the prompt is one user turn) or /completions of `base_url`.

    `base_url` is as OpenAI's own client takes it, mostly ending in /v1 (added where it has no path). `concurrency` is
    the most requests in flight. Faults that pass are tried again (`retry`), each try for at most `timeout_s` seconds.
    `prices` count money in `usage`, and before it could exceed `max_cost` the run stops with an EndpointError; both
    belong to this object, not to a file. `extra` goes into every request's body: vLLM's server leaves special tokens
    out of its text unless `{"skip_special_tokens": False, "spaces_between_special_tokens": False}` is said there.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        *,
        chat: bool = True,
        concurrency: int = 16,
        timeout_s: float = 600.0,
        retry: Retry | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        prices: Prices | None = None,
        max_cost: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.url = check_url(base_url) + ("/chat/completions" if chat else "/completions")
        if not model or concurrency < 1 or timeout_s <= 0:
            raise EndpointError("model must be given, concurrency at least 1 and timeout_s above 0")
        self.model = model
        self.chat = chat
        self.concurrency = concurrency
        self.timeout_s = timeout_s
        self.retry = retry or Retry()
        self.extra = dict(extra or {})
        self.meter = Meter(requests_per_minute, tokens_per_minute, prices, max_cost)
        self._secret = (api_key or "").strip()
        if not self._secret.isascii() or not self._secret.isprintable():
            raise EndpointError("the API key has characters that no key has; check the variable that it comes from")
        # What this server turned out not to take.
        self.one_by_one = False
        self.takes_seed = True
        self.limit_name = "max_tokens"

    @property
    def usage(self) -> Usage:
        """Requests, tokens and money so far."""
        return self.meter.usage

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
        """As the protocol says. Where a request fails for good, those in flight are waited for and heard of first.

        The same `seed` gives the same samples where the server keeps its seeds. With several samples per request the
        server counts their tokens together: `token_count` is then each one's share by its length.
        """
        sampling = Sampling(max_new_tokens, temperature, num_samples, seed, tuple(stop), top_p)
        run = _Run(self, prompts, sampling, known or {}, on_answer, progress)
        _finish(run.all())
        return [[found[number] for number in range(num_samples)] for found in run.found]

    def body(self, prompt: str, sampling: Sampling, numbers: Sequence[int]) -> dict[str, Any]:
        """The request for these samples of a prompt."""
        asked: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}]} if self.chat else {"prompt": prompt}
        asked |= {"model": self.model, self.limit_name: sampling.max_new_tokens, "temperature": sampling.temperature}
        if len(numbers) > 1:
            asked["n"] = len(numbers)
        if sampling.top_p != 1:
            asked["top_p"] = sampling.top_p
        if sampling.stop:
            asked["stop"] = list(sampling.stop)
        if self.takes_seed and sampling.temperature > 0:
            asked["seed"] = _seed(sampling.seed, numbers[0])
        return asked | self.extra

    def adapt(self, body: Mapping[str, Any], said: str) -> bool:
        """Whether the refusal `said` of a body is about something that can be said otherwise, or left out."""
        if "seed" in body and "seed" in said.lower():
            self.takes_seed = False
            return True
        if "max_tokens" in body and "max_completion_tokens" in said:
            self.limit_name = "max_completion_tokens"
            return True
        return False


class _Run:
    """One call of `generate`."""

    def __init__(
        self,
        endpoint: OpenAIEndpoint,
        prompts: Sequence[str],
        sampling: Sampling,
        known: Known,
        on_answer: OnAnswer | None,
        progress: Progress | None,
    ) -> None:
        self.endpoint, self.prompts, self.sampling = endpoint, prompts, sampling
        self.on_answer, self.progress = on_answer, progress
        wanted = range(sampling.num_samples)
        self.found: list[dict[int, Completion]] = [
            {number: one for number, one in known.get(place, {}).items() if number in wanted}
            for place in range(len(prompts))
        ]
        self.done = sum(map(len, self.found))
        self.failure: Exception | None = None

    async def all(self) -> None:
        """Asks for every completion that is not there; raises the first failure when nothing is in flight any more."""
        import httpx

        endpoint = self.endpoint
        self.slots = asyncio.Semaphore(endpoint.concurrency)
        headers = {"Authorization": f"Bearer {endpoint._secret}"} if endpoint._secret else {}
        limits = httpx.Limits(max_connections=endpoint.concurrency)
        timeout = httpx.Timeout(endpoint.timeout_s, connect=min(30.0, endpoint.timeout_s))
        async with httpx.AsyncClient(headers=headers, limits=limits, timeout=timeout) as client:
            self.caller = Caller(client, endpoint.meter, endpoint.retry, endpoint.timeout_s, endpoint._secret)
            try:
                async with asyncio.TaskGroup() as self.group:
                    for place, found in enumerate(self.found):
                        numbers = [number for number in range(self.sampling.num_samples) if number not in found]
                        if numbers:
                            self.group.create_task(self._job(place, numbers))
            except BaseExceptionGroup as group:
                # What the caller's own functions raised, as they raised it.
                raise group.exceptions[0] from None
        if self.failure is not None:
            raise self.failure

    async def _job(self, place: int, numbers: list[int]) -> None:
        """These samples of one prompt, by one request, or where the server does not give them so, by one each."""
        async with self.slots:
            if self.failure is not None:
                return
            answer: list[Completion] = []
            try:
                if len(numbers) == 1 or not self.endpoint.one_by_one:
                    answer = await self._ask(place, numbers)
                    self._hear(place, dict(zip(numbers, answer, strict=False)))
            except (EndpointError, OSError) as error:
                if not isinstance(error, RefusedError) or len(numbers) == 1:
                    self.failure = self.failure or error
                    self.caller.stopping.set()
                    return
        if len(answer) < len(numbers):
            self.endpoint.one_by_one = True
            for number in numbers[len(answer) :]:
                self.group.create_task(self._job(place, [number]))

    def _hear(self, place: int, answer: dict[int, Completion]) -> None:
        self.found[place] |= answer
        self.done += len(answer)
        if self.on_answer is not None:
            self.on_answer(place, answer)
        if self.progress is not None:
            self.progress(self.done)

    async def _ask(self, place: int, numbers: Sequence[int]) -> list[Completion]:
        prompt, sampling = self.prompts[place], self.sampling
        # A token is at least one byte.
        prompt_tokens = len(prompt.encode("utf-8", "replace")) + TEMPLATE_TOKENS
        bound = Bound(prompt_tokens, sampling.max_new_tokens * len(numbers))
        while True:
            body = self.endpoint.body(prompt, sampling, numbers)
            try:
                return await self.caller.post(
                    self.endpoint.url, body, bound, lambda reply: read_answer(reply, len(numbers), sampling)
                )
            except RefusedError as refused:
                adapted = self.endpoint.adapt(body, refused.said)
                if not adapted or self.endpoint.body(prompt, sampling, numbers) == body:
                    raise


def check_url(base_url: str) -> str:
    """The base URL without a slash at its end. EndpointError where it is none, or holds a password."""
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError as error:
        raise EndpointError(f"the base URL is none: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise EndpointError(f"the base URL must be http(s)://host/v1, without a query; {parts.scheme}://… is not")
    if parts.username or parts.password:
        raise EndpointError("the base URL holds a name or password; give the key in STEPCODE_API_KEY or OPENAI_API_KEY")
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


def _seed(seed: int, number: int) -> int:
    """The seed of a request whose first sample has this number; 31 bits, as servers take them."""
    digest = hashlib.sha256(f"openai {seed} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Runs the coroutine to its end, in a thread of its own where this one has an event loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
