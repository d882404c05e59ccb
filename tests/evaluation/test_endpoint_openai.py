"""The endpoint of OpenAI-compatible servers, against a real local server that fails in every way it can."""

from __future__ import annotations

import email.utils
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from evaluation.endpoint import Completion, EndpointError, OpenAIEndpoint, Prices, RecordingEndpoint
from evaluation.endpoint.calling import Retry
from evaluation.endpoint.pricing import Bucket
from tests.evaluation.chat_server import ChatServer, error, served

ROOT = Path(__file__).parents[2]
PROMPTS = [f"prompt {number}" for number in range(12)]
QUICK = Retry(tries=4, first_wait_s=0.01, most_wait_s=5.0)
KEY = "sk-very-secret-0123"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def endpoint_of(server: ChatServer, **options: Any) -> OpenAIEndpoint:
    return OpenAIEndpoint(server.url, "tiny", **{"retry": QUICK, "timeout_s": 20.0, **options})


def texts(answers: list[list[Completion]]) -> list[list[str]]:
    return [[completion.text for completion in group] for group in answers]


@pytest.mark.parametrize("chat", [True, False])
def test_answers_come_in_order_with_tokens_and_finish(chat: bool) -> None:
    with served(ChatServer()) as server:
        answers = endpoint_of(server, chat=chat).generate(PROMPTS, 20)
    assert answers == [[Completion(f"{prompt}!.0", 5, True)] for prompt in PROMPTS]
    assert set(server.paths) == {"/v1/chat/completions" if chat else "/v1/completions"}
    assert all(body["max_tokens"] == 20 and body["temperature"] == 0 and "seed" not in body for body in server.bodies)


def test_what_the_token_limit_or_a_filter_cut_is_not_finished() -> None:
    def cut(body: dict[str, Any], times: int) -> Any:
        reason = "length" if body["prompt"] == "a" else "content_filter"
        return 200, {"choices": [{"text": "half", "finish_reason": reason}]}, {}

    with served(ChatServer(cut)) as server:
        answers = endpoint_of(server, chat=False).generate(["a", "b"], 20)
    assert answers == [[Completion("half", 0, False)]] * 2


def test_stop_texts_and_top_p_are_asked_for_and_kept_where_the_server_does_not() -> None:
    with served(ChatServer()) as server:
        [[answer]] = endpoint_of(server).generate(["one two"], 20, 0.5, stop=["w", "zz"], top_p=0.9)
    assert answer.text == "one t" and answer.finished
    assert server.bodies[0]["stop"] == ["w", "zz"] and server.bodies[0]["top_p"] == 0.9


def test_never_more_requests_in_flight_than_allowed_and_as_many_as_that() -> None:
    with served(ChatServer(delay_s=0.05)) as server:
        endpoint_of(server, concurrency=3).generate(PROMPTS, 20)
    assert server.most_open == 3


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_a_fault_that_passes_is_tried_again(status: int) -> None:
    with served(ChatServer(lambda body, times: error(status) if times < 2 else None)) as server:
        answers = endpoint_of(server).generate(PROMPTS[:2], 20)
    assert texts(answers) == [["prompt 0!.0"], ["prompt 1!.0"]]
    assert Counter(server.prompts) == {"prompt 0": 3, "prompt 1": 3}


@pytest.mark.parametrize(
    "fault",
    [
        "hang",
        "half",
        (200, "<html>it works</html>", {}),
        (200, {"choices": []}, {}),
        (200, {"choices": [{"message": {"content": "ha"}, "finish_reason": None}]}, {}),
        (200, {"object": "list"}, {}),
    ],
    ids=["timeout", "half", "garbage", "no-choice", "unfinished", "other"],
)
def test_an_answer_that_does_not_come_whole_is_asked_for_again(fault: Any) -> None:
    with served(ChatServer(lambda body, times: fault if times == 0 else None)) as server:
        endpoint = endpoint_of(server, timeout_s=0.5)
        assert texts(endpoint.generate(["a"], 20)) == [["a!.0"]]
    assert server.prompts == ["a", "a"]
    assert endpoint.usage.num_requests == 2 and endpoint.usage.num_uncounted == 1


def test_a_server_that_never_answers_ends_the_run_after_its_tries_with_what_to_do() -> None:
    with (
        served(ChatServer(lambda body, times: error(500, "broken inside"))) as server,
        pytest.raises(EndpointError, match=r"no answer in 4 tries.*500: broken inside.*Check the server"),
    ):
        endpoint_of(server).generate(["a"], 20)
    assert len(server.bodies) == 4


def test_waits_grow_from_try_to_try() -> None:
    with served(ChatServer(lambda body, times: error(500) if times < 3 else None)) as server:
        endpoint_of(server, retry=Retry(tries=4, first_wait_s=0.2, most_wait_s=5.0)).generate(["a"], 20)
    waits = [after - before for before, after in pairwise(server.times)]
    for wait_s, most_s in zip(waits, (0.2, 0.4, 0.8), strict=True):
        assert wait_s >= most_s / 2


def test_no_server_at_all_is_named() -> None:
    with served(ChatServer()) as server:
        pass
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1.*no connection"):
        endpoint_of(server).generate(["a"], 20)


@pytest.mark.parametrize(
    ("status", "advice"),
    [(400, "check model"), (401, "STEPCODE_API_KEY"), (403, "STEPCODE_API_KEY"), (404, "base URL"), (301, "base URL")],
)
def test_a_refusal_is_not_tried_again_and_says_what_to_do(status: int, advice: str) -> None:
    with (
        served(ChatServer(lambda body, times: error(status, "never"))) as server,
        pytest.raises(EndpointError, match=f"answered {status}: never.*{advice}"),
    ):
        endpoint_of(server).generate(["a"], 20)
    assert len(server.bodies) == 1


def test_retry_after_in_seconds_and_as_a_date_is_waited_for_by_all_requests() -> None:
    def busy(body: dict[str, Any], times: int) -> Any:
        if body["messages"][0]["content"] != "a" or times:
            time.sleep(0.2)
            return None
        return error(429, retry_after="0.7")

    with served(ChatServer(busy)) as server:
        endpoint_of(server, concurrency=2).generate(["a", "b", "c", "d"], 20)
    assert set(server.prompts[:2]) == {"a", "b"}, "these two were on their way before the server asked to wait"
    assert len(server.times) == 5 and min(server.times[2:]) - server.times[0] >= 0.7

    date = email.utils.formatdate(time.time() + 2, usegmt=True)
    with served(ChatServer(lambda body, times: None if times else error(503, retry_after=date))) as server:
        endpoint_of(server).generate(["a"], 20)
    assert server.times[1] - server.times[0] >= 0.9, "a date has whole seconds"


def test_a_wait_longer_than_allowed_and_an_empty_account_end_the_run() -> None:
    with served(ChatServer(lambda body, times: error(429, retry_after="3600"))) as server:
        with pytest.raises(EndpointError, match="wait for 3600 s"):
            endpoint_of(server).generate(["a"], 20)
        server.fault = lambda body, times: error(429, "insufficient_quota: pay")
        with pytest.raises(EndpointError, match="no money left"):
            endpoint_of(server).generate(["a"], 20)
    assert len(server.bodies) == 2


def test_several_samples_are_one_request_with_their_own_numbers() -> None:
    with served(ChatServer()) as server:
        endpoint = endpoint_of(server)
        first, again, other = (endpoint.generate(["a"], 20, 0.8, 3, seed=seed) for seed in (7, 7, 8))
    assert [text[-2:] for text in texts(first)[0]] == [".0", ".1", ".2"]
    assert first == again != other
    assert [body["n"] for body in server.bodies] == [3, 3, 3]
    assert sum(completion.token_count for completion in first[0]) == 15


@pytest.mark.parametrize("how", ["refuses", "gives fewer"])
def test_where_n_is_not_supported_samples_are_asked_one_by_one_each_with_its_seed(how: str) -> None:
    server = ChatServer(most_choices=1)
    if how == "refuses":
        server.fault = lambda body, times: error(400, "n must be 1") if "n" in body else None
    with served(server):
        endpoint = endpoint_of(server, concurrency=1)
        answers = texts(endpoint.generate(["a", "b"], 20, 0.8, 3))
    assert all(len(set(group)) == 3 for group in answers)
    assert sum("n" in body for body in server.bodies) == 1, "what the server does not take is not asked for again"
    assert len(server.bodies) == 7 if how == "refuses" else 6
    seeds = {body["seed"] for body in server.bodies}
    assert len(seeds) == 3


def test_a_seed_or_a_name_of_the_limit_that_is_refused_is_left_out_or_said_otherwise() -> None:
    def picky(body: dict[str, Any], times: int) -> Any:
        if "seed" in body:
            return error(400, "Unknown parameter: seed")
        return error(400, "use max_completion_tokens") if "max_tokens" in body else None

    with served(ChatServer(picky)) as server:
        endpoint = endpoint_of(server, concurrency=1)
        assert texts(endpoint.generate(["a", "b"], 20, 0.8)) == [["a!.0"], ["b!.0"]]
    assert len(server.bodies) == 4
    assert server.bodies[-1]["max_completion_tokens"] == 20


def test_what_extra_insists_on_is_not_asked_for_again_and_again() -> None:
    with served(ChatServer(lambda body, times: error(400, "Unknown parameter: seed"))) as server:
        with pytest.raises(EndpointError, match="seed"):
            endpoint_of(server, extra={"seed": 1}).generate(["a"], 20, 0.8)
        assert len(server.bodies) == 1
    assert server.bodies[0]["seed"] == 1


def test_tokens_and_money_are_counted() -> None:
    with served(ChatServer()) as server:
        endpoint = endpoint_of(server, prices=Prices(prompt=2.0, completion=10.0))
        endpoint.generate(PROMPTS, 20)
    usage = endpoint.usage
    assert (usage.num_requests, usage.prompt_tokens, usage.completion_tokens) == (12, 120, 60)
    assert usage.cost == pytest.approx(120 * 2e-6 + 60 * 10e-6)


def test_the_run_stops_before_max_cost_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    # Of 10 + 5 tokens at 1 each an answer costs 15; the most that one may cost is 8 + 64 of prompt and 20 new: 92.
    path = tmp_path / "answers.jsonl"
    with served(ChatServer(delay_s=0.01)) as server:
        endpoint = endpoint_of(server, prices=Prices(1e6, 1e6), max_cost=150.0)
        with pytest.raises(EndpointError, match=r"stopped before max_cost: 60 of 150 is spent.*may cost 92"):
            RecordingEndpoint(path, endpoint).generate(PROMPTS[:10], 20)
        assert endpoint.usage.cost == 60 and len(server.bodies) == 4
        richer = endpoint_of(server, prices=Prices(1e6, 1e6), max_cost=1e9)
        RecordingEndpoint(path, richer).generate(PROMPTS[:10], 20)
    assert sorted(server.prompts) == sorted(PROMPTS[:10])


def test_a_lost_answer_counts_with_the_most_it_can_have_cost() -> None:
    with served(ChatServer(lambda body, times: "half" if times == 0 else None)) as server:
        endpoint = endpoint_of(server, prices=Prices(1e6, 1e6))
        endpoint.generate(["a"], 20)
    assert endpoint.usage.cost == (1 + 64 + 20) + 15


def test_max_cost_without_prices_is_refused() -> None:
    with pytest.raises(EndpointError, match="prices"):
        OpenAIEndpoint("http://127.0.0.1/v1", "tiny", max_cost=1.0)


def test_requests_per_minute_are_kept() -> None:
    with served(ChatServer()) as server:
        endpoint_of(server, requests_per_minute=40).generate(PROMPTS[:6], 20)
    # Four at once (a tenth of 40), then one every 60 / 36 s.
    assert server.times[4] - server.times[0] >= 1.6
    assert server.times[5] - server.times[0] >= 3.3


def test_a_bucket_lets_through_in_no_minute_more_than_its_limit_and_in_order() -> None:
    now = [0.0]
    bucket = Bucket(100, clock=lambda: now[0])
    starts = []
    for _ in range(400):
        starts.append(now[0] + bucket.take(1))
        now[0] += 0.25
    assert starts == sorted(starts)
    assert max(sum(start <= other < start + 60 for other in starts) for start in starts) in (99, 100)


def test_a_large_request_holds_back_those_after_it_by_what_it_takes() -> None:
    now = [0.0]
    bucket = Bucket(600, clock=lambda: now[0])
    assert bucket.take(300) == 0, "more than a tenth of the limit is let through where the bucket is full"
    assert bucket.take(9) == pytest.approx((240 + 9) / 9), "60 - 300 are there, and 9 come per second"
    bucket.give_back(240 + 9)
    assert bucket.take(0) == 0


def test_where_one_fails_nobody_waits_to_try_again() -> None:
    def fault(body: dict[str, Any], times: int) -> Any:
        if body["messages"][0]["content"] == "busy":
            return error(429, retry_after="4")
        time.sleep(0.2)
        return error(401)

    with served(ChatServer(fault)) as server:
        start = time.monotonic()
        with pytest.raises(EndpointError, match="401"):
            endpoint_of(server).generate(["busy", "bad"], 20)
        assert time.monotonic() - start < 3
    assert server.prompts.count("busy") == 1


def test_one_failure_lets_those_in_flight_be_heard_of_and_asks_nothing_more() -> None:
    heard: list[int] = []
    prompts = [f"question {place:02}" for place in range(30)]
    with served(ChatServer(lambda body, times: error(401) if prompts[1] in str(body) else None, delay_s=0.1)) as server:
        with pytest.raises(EndpointError, match="401"):
            endpoint_of(server, concurrency=4).generate(prompts, 20, on_answer=lambda place, _: heard.append(place))
        # four at first, and one more for each of the others whose answer was there before the failure was
        assert len(server.bodies) <= 7
    assert {0, 2, 3} <= set(heard)


def test_the_key_is_sent_and_appears_nowhere_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    path = tmp_path / "answers.jsonl"
    with served(ChatServer(lambda body, times: error(401, f"bad key {KEY}") if "b" in str(body) else None)) as server:
        endpoint = OpenAIEndpoint(server.url, "tiny", KEY, retry=QUICK)
        RecordingEndpoint(path, endpoint).generate(["a"], 20)
        with pytest.raises(EndpointError) as caught:
            RecordingEndpoint(path, endpoint).generate(["b"], 20)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    shown = [path.read_text(), str(caught.value), repr(caught.value.__cause__), repr(endpoint), caplog.text]
    assert not any(KEY in text for text in shown)
    assert "bad key [API key]" in str(caught.value)
    with pytest.raises(EndpointError) as caught:
        OpenAIEndpoint("http://127.0.0.1/v1", "tiny", f"{KEY}\nx")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://host", "http://", "http://u:hush@host/v1", "http://h/v1?k=hush"]
)
def test_a_base_url_that_is_none_or_holds_a_secret_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(EndpointError, match="base URL") as caught:
        OpenAIEndpoint(url, "tiny")
    assert "hush" not in str(caught.value)


def test_it_works_where_an_event_loop_is_running_already() -> None:
    import asyncio

    async def inside() -> list[list[Completion]]:
        return endpoint_of(server).generate(["a"], 20)

    with served(ChatServer()) as server:
        assert texts(asyncio.run(inside())) == [["a!.0"]]


def test_what_the_callers_own_function_raises_comes_out_as_it_is() -> None:
    def fail(place: int, samples: object) -> None:
        raise KeyError("mine")

    with served(ChatServer()) as server:
        with pytest.raises(KeyError, match="mine"):
            endpoint_of(server).generate(PROMPTS, 20, on_answer=fail)
        with pytest.raises(OSError, match="disk full"):
            endpoint_of(server).generate(PROMPTS, 20, on_answer=lambda place, _: _raise(OSError("disk full")))


def _raise(error: Exception) -> None:
    raise error


CHILD = """
import sys
from evaluation.endpoint import OpenAIEndpoint, RecordingEndpoint
url, path, count, samples = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
endpoint = RecordingEndpoint(path, OpenAIEndpoint(url, "tiny", concurrency=4))
answers = endpoint.generate([f"prompt {n}" for n in range(count)], 20, 0.8, samples)
assert all(len(group) == samples for group in answers)
"""


@pytest.mark.parametrize("samples", [1, 3])
def test_killed_in_the_middle_it_asks_again_only_what_was_in_flight(tmp_path: Path, samples: int) -> None:
    """The server takes no `n`, so that with several samples the kill comes between the samples of a prompt."""
    path, count = tmp_path / "answers.jsonl", 24

    def command(url: str) -> list[str]:
        return [sys.executable, "-c", CHILD, url, str(path), str(count), str(samples)]

    def recorded() -> set[tuple[str, int]]:
        rows = [json.loads(line) for line in path.read_text().splitlines(True) if line.endswith("\n")]
        return {(row["prompt"], number) for row in rows for number in row.get("samples", range(samples))}

    def asked() -> list[tuple[str, int]]:
        return [(body["messages"][0]["content"], body["seed"]) for body in server.bodies if "n" not in body]

    with served(ChatServer(lambda body, times: error(400, "no n") if "n" in body else None, delay_s=0.1)) as server:
        child = subprocess.Popen(command(server.url), cwd=ROOT, env={**os.environ, "NO_PROXY": "127.0.0.1"})
        deadline = time.monotonic() + 60
        while len(asked()) < count * samples // 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
        time.sleep(0.3)
        before, kept = asked(), recorded()
        assert count * samples > len(before) > len(kept) > 4, "the kill came too early or too late"
        assert len(before) - len(kept) <= 4, "more was lost than was in flight"
        subprocess.run(command(server.url), cwd=ROOT, check=True, timeout=120)
        again = asked()[len(before) :]
    assert len(again) == count * samples - len(kept)
    twice = [each for each, times in Counter(asked()).items() if times > 1]
    assert len(twice) == len(before) - len(kept) <= 4
    assert max(Counter(asked()).values()) <= 2
    assert len(recorded()) == count * samples
