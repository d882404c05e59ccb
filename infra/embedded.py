"""A Prefect server for the length of one command: it dies with the command, however that ends.

Prefect's own temporary server is left behind for good when its process is killed. This one asks the kernel to be
killed with its parent. A server that `stepcode up` started with the same home folder, or that PREFECT_API_URL names,
is used instead, so that what is run by hand shows up there too.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from infra import prefect_api
from infra.environment import prepare_environment
from infra.services import HOST, SERVER_START_S, ServiceError, local_api
from infra.settings import Settings

POLL_S = 0.1
STOP_S = 10.0
# Run by the interpreter between fork and the server: the request to the kernel outlives exec, not fork.
DIE_WITH_PARENT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9);"
    " os.getppid() == int(sys.argv[1]) or sys.exit(1);"
    " os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)


class EmbeddedServer:
    """A server that is starting; `wait` until it answers."""

    def __init__(self, api: str, process: subprocess.Popen[bytes] | None, log: Path) -> None:
        self.api, self.process, self.log = api, process, log

    def wait(self) -> None:
        """Return when the server answers. Raises ServiceError where it ends, or does not answer in time."""
        deadline = time.monotonic() + SERVER_START_S
        while self.process is not None and not prefect_api.answers(f"{self.api}/health"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServiceError(f"the embedded Prefect server did not start; see {self.log}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def embedded_server(settings: Settings) -> EmbeddedServer:
    """A server that is starting, with PREFECT_API_URL set to it; to be called before Prefect is imported.

    It is stopped when this process ends, after Prefect has sent its last logs and events to it: exit handlers run in
    the reverse order of their registration, and Prefect registers its own on import.
    """
    prepare_environment(settings)
    log = settings.home.resolve() / "logs" / "embedded-server.log"
    known = os.environ.get("PREFECT_API_URL") or _served(settings)
    if known:
        os.environ["PREFECT_API_URL"] = known
        return EmbeddedServer(known, None, log)
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    log.parent.mkdir(parents=True, exist_ok=True)
    options = ("--host", HOST, "--port", str(port), "--no-ui", "--no-scheduler", "--no-late-runs")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", DIE_WITH_PARENT, str(os.getpid()), "-m", "prefect", "server", "start", *options],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = EmbeddedServer(f"http://{HOST}:{port}/api", process, log)
    os.environ["PREFECT_API_URL"] = server.api
    atexit.register(server.stop)
    return server


def _served(settings: Settings) -> str | None:
    """The API of the server that `stepcode up` has up with this home folder."""
    api = local_api(settings)
    up = (settings.home.resolve() / "run" / "server.json").exists()
    return api if up and prefect_api.answers(f"{api}/health") else None
