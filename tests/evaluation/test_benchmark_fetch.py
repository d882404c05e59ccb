"""Fetching: a real HTTP server here gives the files, breaks off, goes on, or refuses."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation import benchmark_fetch, catalogue
from evaluation.benchmark_fetch import download, fetch
from evaluation.benchmark_files import BenchmarkError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROW = {"id": "sample_0", "code": "def f(a):\n    return a", "input": "1", "output": "1"}
CRUXEVAL = (json.dumps(ROW) + "\n").encode()
HUB_PATH = re.compile(r"/datasets/(?P<place>[\w.-]+/[\w.-]+)/resolve/\w+/(?P<name>.+)")
LIST_PATH = re.compile(r"/api/datasets/(?P<place>[\w.-]+/[\w.-]+)/tree/main(\?.*)?")


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler))
        self.content = bytes(range(256)) * 1000
        self.break_after: int | None = None  # bytes of the first answer, then the line goes dead
        self.ranges: list[str | None] = []
        self.hub = {("cruxeval-org/cruxeval", "test.jsonl"): CRUXEVAL}  # data set and name -> content

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        if listed := LIST_PATH.fullmatch(self.path):
            self.list_files(listed["place"])
            return
        asked = HUB_PATH.fullmatch(self.path)
        content = self.server.hub.get((asked["place"], asked["name"])) if asked else None
        if self.path == "/file":
            content = self.server.content
        if content is None:
            self.send_error(404)
            return
        given = self.headers.get("Range")
        if body:
            self.server.ranges.append(given)
        start = int(given.removeprefix("bytes=").partition("-")[0]) if given else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        rest = content[start:]
        self.send_response(206 if given else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            cut, self.server.break_after = self.server.break_after, None
            self.wfile.write(rest[:cut])
            self.close_connection = True

    def list_files(self, place: str) -> None:
        names = [name for one, name in self.server.hub if one == place]
        if not names:
            self.send_error(404)
            return
        rows = [{"type": "file", "path": name, "size": 1, "oid": "0" * 40} for name in names]
        content = json.dumps(rows).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(benchmark_fetch.time, "sleep", lambda seconds: None)
    one = Server()
    thread = threading.Thread(target=one.serve_forever, daemon=True)
    thread.start()
    yield one
    one.shutdown()
    one.server_close()
    thread.join(5)


def test_a_file_comes_whole_and_nothing_else_is_left(server: Server, tmp_path: Path) -> None:
    download(f"{server.url}/file", tmp_path / "a" / "file")
    assert (tmp_path / "a" / "file").read_bytes() == server.content
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_a_download_that_breaks_off_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.break_after = 1000
    download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == server.content
    assert server.ranges == [None, "bytes=1000-"]


def test_a_part_left_by_another_run_is_gone_on_from(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(server.content[:5000])
    download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == server.content
    assert server.ranges == ["bytes=5000-"]


def test_a_part_that_is_whole_already_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(server.content)
    download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == server.content


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(server.content + b"more")
    download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == server.content


def test_a_file_that_is_there_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    assert server.ranges == []


def test_a_server_that_refuses_is_named_with_what_it_says(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"/nothing: the server says 404"):
        download(f"{server.url}/nothing", tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_nobody_there_is_an_error_after_three_tries(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="run it again to go on"):
        download("http://127.0.0.1:9/file", tmp_path / "file")


def test_a_benchmark_comes_from_the_hub(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    told: list[str] = []
    seen = fetch("cruxeval", tmp_path, told.append)
    assert (seen.num_rows, seen.complete) == (1, False)
    assert (tmp_path / "cruxeval" / "test.jsonl").read_bytes() == CRUXEVAL
    assert list(seen.sha256.values()) == [hashlib.sha256(CRUXEVAL).hexdigest()]
    assert told == ["cruxeval: test.jsonl from cruxeval-org/cruxeval"]
    kept = (tmp_path / "cruxeval" / "SHA256SUMS").read_text()
    assert kept == f"{hashlib.sha256(CRUXEVAL).hexdigest()}  test.jsonl\n"
    assert catalogue.look(tmp_path, "cruxeval") == seen
    (tmp_path / "cruxeval" / "test.jsonl").write_bytes(CRUXEVAL.replace(b"return", b"return  "))
    with pytest.raises(BenchmarkError, match=r"is not the file that .*SHA256SUMS was written for"):
        catalogue.look(tmp_path, "cruxeval")


def test_files_whose_names_the_hub_numbers_are_found_by_its_list(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"id": "sample_0", "question_id": 1, "function_name": "f", "code": "def f(a): return a", "input": "f(a = 1)"}
    row |= {"output": "1", "difficulty": "easy", "contest_date": datetime.datetime(2023, 5, 7)}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "made")
    place = "livecodebench/execution-v2"
    server.hub[place, "data/test-00000-of-00001.parquet"] = (tmp_path / "made").read_bytes()
    server.hub[place, "README.md"] = b"card"
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    seen = fetch("livecodebench_execution", tmp_path)
    assert [path.name for path in seen.paths] == ["test-00000-of-00001.parquet"]
    assert seen.num_rows == 1
    assert not (tmp_path / "livecodebench_execution" / "README.md").exists()


def test_a_hub_that_has_not_the_data_set_is_an_error(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    with pytest.raises(BenchmarkError, match="livecodebench/execution-v2"):
        fetch("livecodebench_execution", tmp_path)
