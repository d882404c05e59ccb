"""Prefect servers, once per session: the services of `stepcode up`, deployed, and one for commands to share."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import background, services
from infra.settings import Settings
from tests.services.processes import free_port, start_python

DEADLINE_S = 120.0


@dataclass(frozen=True)
class PrefectServices:
    """What is up: its settings, and the address of its API."""

    settings: Settings
    api: str

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON that the API answers a GET, or a POST where there is a body; HTTPError where it refuses."""
        return ask_api(f"{self.api}{path}", body)

    def run(self, deployment: str, parameters: Mapping[str, Any], deadline_s: float = DEADLINE_S) -> dict[str, Any]:
        """The flow run of a deployment ("flow/name"), started now, when it has ended."""
        found = self.ask(f"/deployments/name/{deployment}")
        started = self.ask(f"/deployments/{found['id']}/create_flow_run", {"parameters": dict(parameters)})
        return wait_for(
            lambda: self.ask(f"/flow_runs/{started['id']}"),
            lambda run: run["state"]["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"},
            deadline_s,
        )


def ask_api(url: str, body: Mapping[str, Any] | None = None) -> Any:
    """The JSON that a Prefect server answers. It says 503 where its SQLite file is locked, and means: ask again."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def wait_for(ask: Callable[[], Any], enough: Callable[[Any], bool], deadline_s: float = DEADLINE_S) -> Any:
    """What `ask` answers once it is enough; fails with the last answer when time runs out."""
    deadline = time.monotonic() + deadline_s
    while not enough(answer := ask()):
        if time.monotonic() > deadline:
            pytest.fail(f"still {answer!r} after {deadline_s:.0f} s")
        time.sleep(0.3)
    return answer


COMMANDS_SERVER = """
import sys
from infra.embedded import embedded_server
from infra.settings import load_settings
server = embedded_server(load_settings())
server.wait()
print(server.api, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of one embedded server for all commands that need not have their own: starting it takes seconds."""
    with start_python(COMMANDS_SERVER, STEPCODE_HOME=str(tmp_path_factory.mktemp("commands-server"))) as server:
        assert server.stdout is not None
        api = server.stdout.readline().strip()
        assert api, "the server did not start"
        yield api


@pytest.fixture(scope="session")
def prefect_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServices]:
    """`stepcode up` for the session; ended by `stepcode down`, after which nothing of it may be left."""
    home = tmp_path_factory.mktemp("prefect-services")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("STEPCODE_", "PREFECT_"))]:
            patch.delenv(name)
        settings = Settings(home=home, prefect_port=free_port(), reports_port=free_port(), _env_file=None)
        services.up(settings)
    started = [background.recorded(home / "run", name) for name in services.STOP_ORDER]
    try:
        yield PrefectServices(settings, f"http://127.0.0.1:{settings.prefect_port}/api")
    finally:
        services.down(settings)
    left = [one.name for one in started if one is not None and one.process is not None]
    assert not left, f"still there after `down`: {left}"
    assert not list(Path(home / "run").glob("*.json"))
