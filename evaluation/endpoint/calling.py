"""One request to a server of JSON: tried again where that may help, refused with what to do where it can't."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from evaluation.endpoint.pricing import Bound, Meter
from evaluation.endpoint.protocol import EndpointError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
AGAIN = (408, 409, 425, 429)


@dataclass(frozen=True)
class Retry:
    """`tries` in all; before the second one about `first_wait_s`, twice as long before each further one, `most_wait_s`
    at most. A server that asks for a longer wait than `most_wait_s` ends the run."""

    tries: int = 8
    first_wait_s: float = 0.5
    most_wait_s: float = 120.0


class RefusedError(EndpointError):
    """The server does not take the request as it is (400 or 422); `said` is its reason."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


class _Fault(Exception):
    """A try that failed. `paid`: the server may have worked on it all the same."""

    def __init__(self, what: str, paid: bool) -> None:
        super().__init__(what)
        self.paid = paid


class Caller:
    """Sends requests of one run, in one event loop. `secret` is kept out of every message."""

    def __init__(self, client: httpx.AsyncClient, meter: Meter, retry: Retry, timeout_s: float, secret: str) -> None:
        self.client, self.meter, self.retry, self.timeout_s, self.secret = client, meter, retry, timeout_s, secret
        # Set where the run is given up: nothing more is sent.
        self.stopping = asyncio.Event()
        self._resume_at = 0.0
        # Spreads tries over time; reaches no result, so it needs no seed.
        self._random = random.Random()

    async def post(self, url: str, body: Mapping[str, Any], bound: Bound, read: Callable[[Any], T]) -> T:
        """What `read` makes of the answer; a ValueError of it (or KeyError, TypeError) is an answer to ask for again.

        EndpointError where the server refuses, or answers in no try; RefusedError where the body is what it refuses.
        """
        last: _Fault | None = None
        for number in range(self.retry.tries):
            await self._pause(self._resume_at - time.monotonic())
            if last is not None:
                await self._pause(self._backoff_s(number))
            ticket = await self.meter.admit(bound, self._pause)
            used, paid = None, True
            try:
                reply = await self._send(url, body)
                used = _used(reply)
                return read(reply)
            except _Fault as fault:
                last, paid = fault, fault.paid
            except (ValueError, KeyError, TypeError) as error:
                last = _Fault(f"an answer that can't be read ({type(error).__name__}: {error})", paid=True)
            except EndpointError:
                paid = False
                raise
            finally:
                self.meter.settle(ticket, bound, used, paid)
        raise EndpointError(
            f"{url} gave no answer in {self.retry.tries} tries; the last one: {self._clean(str(last))}."
            " Check the server, or ask less at a time (concurrency, requests_per_minute)"
        )

    async def _send(self, url: str, body: Mapping[str, Any]) -> Any:
        """The JSON of the answer; _Fault where another try may help, EndpointError where not."""
        import httpx

        try:
            async with asyncio.timeout(self.timeout_s):
                response = await self.client.post(url, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _Fault(f"no connection ({error or type(error).__name__})", paid=False) from None
        except (TimeoutError, httpx.TimeoutException):
            raise _Fault(f"no answer within {self.timeout_s:g} s", paid=True) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _Fault(f"a broken answer ({type(error).__name__}: {error})", paid=True) from None
        if response.status_code == 200:
            try:
                return response.json()
            except ValueError:
                start = self._clean(response.text[:100])
                raise _Fault(f"an answer that is not JSON: {start!r}", paid=True) from None
        raise self._failure(url, response)

    def _failure(self, url: str, response: httpx.Response) -> Exception:
        status, said = response.status_code, self._clean(_message(response)).rstrip(".")
        what = f"{url} answered {status}: {said}"
        if status in (400, 422):
            return RefusedError(f"{what}. The request is not to be sent like this: check model and settings", said)
        if status in (401, 403):
            return EndpointError(f"{what}. Give a valid API key in STEPCODE_API_KEY or OPENAI_API_KEY")
        if status == 404:
            return EndpointError(f"{what}. Check the base URL (it mostly ends in /v1) and the model's name")
        if status == 429 and "insufficient_quota" in response.text:
            return EndpointError(f"{what}. The account has no money left; what is recorded is not asked again")
        if status not in AGAIN and status < 500:
            return EndpointError(f"{what}. Check the base URL")
        wait_s = _retry_after_s(response.headers.get("retry-after", ""))
        if wait_s > self.retry.most_wait_s:
            return EndpointError(f"{what}. It asks to wait for {wait_s:.0f} s: start again then")
        if wait_s:
            # Every request waits, not this one alone.
            self._resume_at = max(self._resume_at, time.monotonic() + wait_s)
        return _Fault(f"status {status}: {said}", paid=False)

    async def _pause(self, wait_s: float) -> None:
        """Waits; EndpointError at once where the run is given up."""
        if wait_s > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), wait_s)
        if self.stopping.is_set():
            raise EndpointError("not asked, because another request failed")

    def _backoff_s(self, number: int) -> float:
        """Seconds before try `number` (from 0), besides those that the server asked for."""
        backoff_s = min(self.retry.most_wait_s, self.retry.first_wait_s * 2 ** (number - 1))
        return backoff_s * self._random.uniform(0.5, 1.0)

    def _clean(self, text: str) -> str:
        """`text` on one line, without the API key."""
        if self.secret:
            text = text.replace(self.secret, "[API key]")
        return " ".join(text.split())[:500]


def _used(reply: Any) -> tuple[int, int] | None:
    """(prompt, completion) tokens that the answer says were used."""
    usage = reply.get("usage") if isinstance(reply, dict) else None
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return (prompt, completion) if isinstance(prompt, int) and isinstance(completion, int) else None


def _message(response: httpx.Response) -> str:
    """What the server says went wrong."""
    try:
        reply = json.loads(response.text)
    except ValueError:
        return response.text or "nothing"
    error = reply.get("error", reply) if isinstance(reply, dict) else reply
    said = error.get("message", error) if isinstance(error, dict) else error
    return said if isinstance(said, str) else json.dumps(said)


def _retry_after_s(value: str) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date; 0 where there is none or it is neither."""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
