"""One string chooses the endpoint, and a wrong one says what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.endpoint import (
    EndpointError,
    OpenAIEndpoint,
    RecordingEndpoint,
    TransformersEndpoint,
    open_endpoint,
)
from evaluation.endpoint.opening import KEY_VARIABLES
from tests.evaluation.chat_server import ChatServer, served
from tests.evaluation.test_endpoint import model_folder

__all__ = ["model_folder"]


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_folder_is_run_by_transformers_and_can_be_recorded_and_replayed(model_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    assert isinstance(open_endpoint(str(model_folder), threads=1), TransformersEndpoint)
    recorded = open_endpoint(str(model_folder), record=file, threads=1).generate(["abc"], 6)
    replay = open_endpoint(f"recording:{file}")
    assert isinstance(replay, RecordingEndpoint) and replay.inner is None
    assert replay.generate(["abc"], 6) == recorded


def test_a_server_is_asked_in_the_protocol_that_the_spec_names() -> None:
    with served(ChatServer()) as server:
        open_endpoint(f"openai:org/tiny@v2@{server.url}").generate(["a"], 5)
        open_endpoint(f"openai-completions:tiny@{server.url.removesuffix('/v1')}").generate(["a"], 5)
    assert server.paths == ["/v1/chat/completions", "/v1/completions"]
    assert [body["model"] for body in server.bodies] == ["org/tiny@v2", "tiny"]
    assert not any("authorization" in headers for headers in server.headers)


def test_the_key_is_the_given_one_then_stepcodes_then_openais(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(ChatServer()) as server:
        spec = f"openai:tiny@{server.url}"
        monkeypatch.setenv("OPENAI_API_KEY", "third")
        open_endpoint(spec).generate(["a"], 5)
        monkeypatch.setenv("STEPCODE_API_KEY", "second")
        open_endpoint(spec).generate(["a"], 5)
        open_endpoint(spec, api_key="first").generate(["a"], 5)
    assert [headers["authorization"] for headers in server.headers] == ["Bearer third", "Bearer second", "Bearer first"]


def test_options_reach_the_endpoint() -> None:
    endpoint = open_endpoint("openai:tiny@http://127.0.0.1/v1", concurrency=3)
    assert isinstance(endpoint, OpenAIEndpoint) and endpoint.concurrency == 3


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "no model is named; give FOLDER"),
        ("opnai:tiny@http://host/v1", "'opnai'.*openai:MODEL@BASE_URL"),
        ("openai:tiny", "MODEL@BASE_URL"),
        ("openai:@http://host/v1", "MODEL@BASE_URL"),
        ("openai:tiny@host", "MODEL@BASE_URL"),
        ("vllm:no/such/folder", r"no model in no/such/folder: config\.json"),
        ("no/such/folder", r"no model in no/such/folder: config\.json"),
        ("recording:no/such/file", "no recording no/such/file"),
    ],
)
def test_a_wrong_spec_says_what_would_be_right(spec: str, message: str) -> None:
    with pytest.raises(EndpointError, match=message):
        open_endpoint(spec)


def test_a_recording_is_not_recorded_again_and_takes_no_options(tmp_path: Path) -> None:
    for options in ({"record": tmp_path / "x"}, {"chat": True}):
        with pytest.raises(EndpointError, match="replays a run"):
            open_endpoint("recording:y", **options)
