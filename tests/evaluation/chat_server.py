"""A real local server of OpenAI's protocol for the tests: it logs what it is asked, and misbehaves as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# (status, body, headers); a body that is no dict is sent as it is.
Reply = tuple[int, Any, dict[str, str]]


@dataclass
class ChatServer:
    """`fault` says of (body, how often this prompt was asked before) what to do instead of answering: a Reply, "hang",
    "half" (the connection breaks in the middle of the body), or None. It answers `n` choices, `most_choices` at most;
    every prompt takes 10 tokens and every choice 5. `delay_s` is what an answer takes."""

    fault: Callable[[dict[str, Any], int], Reply | str | None] = lambda body, times: None
    most_choices: int = 100
    delay_s: float = 0.0
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    num_open: int = 0
    most_open: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def prompts(self) -> list[str]:
        """Every prompt as often as it was asked, in order."""
        return [prompt_of(body) for body in self.bodies]

    def take(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Reply | str:
        with self.lock:
            times = self.prompts.count(prompt_of(body))
            self.bodies.append(body)
            self.headers.append(headers)
            self.paths.append(path)
            self.times.append(time.monotonic())
            self.num_open += 1
            self.most_open = max(self.most_open, self.num_open)
        time.sleep(self.delay_s)
        with self.lock:
            self.num_open -= 1
        return self.fault(body, times) or (200, self.answer(body), {})

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        count = min(body.get("n", 1), self.most_choices)
        choices = []
        for index in reversed(range(count)):
            text = f"{prompt_of(body)}!{body.get('seed', '')}.{index}"
            where = {"message": {"content": text}} if "messages" in body else {"text": text}
            choices.append({"index": index, "finish_reason": "stop", **where})
        usage = {"prompt_tokens": 10, "completion_tokens": 5 * count}
        return {"choices": choices, "usage": usage}


def prompt_of(body: dict[str, Any]) -> str:
    prompt: str = body["messages"][0]["content"] if "messages" in body else body["prompt"]
    return prompt


def error(status: int, message: str = "no", **headers: str) -> Reply:
    """A Reply that refuses, in the protocol's words."""
    return status, {"error": {"message": message}}, {name.replace("_", "-"): text for name, text in headers.items()}


@contextmanager
def served(server: ChatServer) -> Iterator[ChatServer]:
    """The server at work on a free port of 127.0.0.1; `server.url` is its base URL."""
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            reply = server.take(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
            try:
                self._send(reply, server.answer(body))
            except OSError:
                self.close_connection = True  # the client is gone

        def _send(self, reply: Reply | str, whole: dict[str, Any]) -> None:
            if reply == "hang":
                closing.wait(20)
                self.close_connection = True
                return
            status, content, headers = (200, whole, {}) if isinstance(reply, str) else reply
            data = json.dumps(content).encode() if isinstance(content, dict) else str(content).encode()
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            if reply == "half":
                data = data[: len(data) // 2]
                self.close_connection = True
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    try:
        yield server
    finally:
        closing.set()
        http.shutdown()
        http.server_close()
        thread.join(10)
