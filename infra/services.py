"""The services on this machine: a Prefect server, a worker and the reports, up in the background and down again."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from infra import background, prefect_api
from infra.background import BackgroundError
from infra.environment import FIXED
from infra.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
# The worker first: one that loses its server while it stops stays for minutes.
STOP_ORDER = ("worker", "server", "reports")
POOL = "local"
# Runs that write the dataset or the champion wait for each other in this queue instead of failing on the lock.
QUEUE = "pipeline"
SERVER_START_S = 180.0
WORKER_START_S = 120.0
PREFECT_COMMAND_S = 300.0
STOP_GRACE_S = 20.0


class ServiceError(RuntimeError):
    """A service that can't be started, stopped or reached; the message says what to do."""


def up(settings: Settings, project: Path = PROJECT) -> None:
    """Start server, reports and worker in the background, deploy `project`'s prefect.yaml, say where everything is.

    Either all of it is up at the end, or nothing of it. Raises ServiceError.
    """
    home = settings.home.resolve()
    api = local_api(settings)
    _prefect_yaml(project)
    with _only_one(home), ExitStack() as undo:
        _refuse_if_up(settings)
        environment = _environment(settings) | {"PREFECT_API_URL": api}

        def start(name: str, *arguments: str, environment: Mapping[str, str] = environment) -> background.Background:
            started = background.start(
                name,
                arguments,
                cwd=project,
                environment=environment,
                log=home / "logs" / f"{name}.log",
                records=_run(home),
            )
            undo.callback(background.stop, _run(home), name, grace_s=STOP_GRACE_S)
            return started

        (home / "reports").mkdir(parents=True, exist_ok=True)
        try:
            print("starting the Prefect server", flush=True)
            server = start("server", *_prefect("server", "start", "--host", HOST, "--port", str(settings.prefect_port)))
            background.wait_until(lambda: prefect_api.answers(f"{api}/health"), server, SERVER_START_S)
            reports = start("reports", *_file_server(settings.reports_port, home / "reports"))
            background.wait_until(lambda: prefect_api.answers(_reports_url(settings)), reports, WORKER_START_S)
            print("starting the worker", flush=True)
            worker = start(
                "worker",
                *_prefect("worker", "start", "--pool", POOL, "--type", "process", "--name", "stepcode"),
                environment=environment | _as_variables(settings),
            )
            background.wait_until(lambda: prefect_api.worker_online(api, POOL), worker, WORKER_START_S)
        except BackgroundError as error:
            raise ServiceError(str(error)) from error
        names = _deploy(project, environment | _as_variables(settings))
        undo.pop_all()
    print(f"deployed {', '.join(names)}")
    print(f"Prefect UI   {_ui(settings)}\nreports      {_reports_url(settings)}\nlogs         {home / 'logs'}")
    prefect = Path(sys.executable).with_name("prefect")
    print(f"next         PREFECT_API_URL={api} {prefect} deployment run {names[0]} --watch")


def down(settings: Settings) -> None:
    """Stop what `up` started with this home folder, in an order that ends well; nothing else is touched."""
    home = settings.home.resolve()
    with _only_one(home):
        try:
            stopped = [name for name in STOP_ORDER if background.stop(_run(home), name, grace_s=STOP_GRACE_S)]
        except BackgroundError as error:
            raise ServiceError(str(error)) from error
    print(f"stopped {', '.join(stopped)}" if stopped else f"nothing is up in {home}")


def deploy(settings: Settings, project: Path = PROJECT) -> None:
    """Deploy prefect.yaml to the server that PREFECT_API_URL names, or to the one that `up` started."""
    _prefect_yaml(project)
    environment = _environment(settings) | _as_variables(settings)
    if "PREFECT_API_URL" not in environment:
        if not prefect_api.answers(f"{local_api(settings)}/health"):
            raise ServiceError(
                f"no Prefect server at {local_api(settings)}: `stepcode up` starts one; to deploy to another,"
                " set PREFECT_API_URL"
            )
        environment |= {"PREFECT_API_URL": local_api(settings)}
    print(f"deployed {', '.join(_deploy(project, environment))}")


def _run(home: Path) -> Path:
    return home / "run"


def local_api(settings: Settings) -> str:
    """The API of the server of `up`."""
    return f"http://{HOST}:{settings.prefect_port}/api"


def _ui(settings: Settings) -> str:
    return f"http://{HOST}:{settings.prefect_port}"


def _reports_url(settings: Settings) -> str:
    return f"http://{HOST}:{settings.reports_port}"


def _prefect(*arguments: str) -> tuple[str, ...]:
    return ("-m", "prefect", "--no-prompt", *arguments)


def _file_server(port: int, folder: Path) -> tuple[str, ...]:
    return ("-m", "http.server", str(port), "--bind", HOST, "--directory", str(folder))


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Keep a second `up` or `down` of the same home folder out."""
    _run(home).mkdir(parents=True, exist_ok=True)
    with (_run(home) / "services.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(f"another `stepcode up` or `stepcode down` is at work in {home}: wait for it") from None
        yield


def _refuse_if_up(settings: Settings) -> None:
    records = _run(settings.home.resolve())
    alive = [
        f"{name} (process {one.pid})"
        for name in STOP_ORDER
        if (one := background.recorded(records, name)) and one.process
    ]
    if alive:
        raise ServiceError(f"already up: {', '.join(alive)}; the UI is {_ui(settings)}. `stepcode down` stops it.")
    for what, port in (("prefect_port", settings.prefect_port), ("reports_port", settings.reports_port)):
        if _listens(port):
            raise ServiceError(
                f"port {port} is in use by another program: stop it, or set STEPCODE_{what.upper()} to a free port"
            )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == 0


def _environment(settings: Settings) -> dict[str, str]:
    """This process's environment, offline and quiet, with Prefect's own files in the home folder."""
    own = {"PREFECT_HOME": str(settings.home.resolve() / "prefect")}
    return {**FIXED, **own, **os.environ}


def _as_variables(settings: Settings) -> dict[str, str]:
    """The settings that were set, as environment variables: a worker's runs do not read this folder's .env file."""
    found = {"STEPCODE_HOME": str(settings.home.resolve())}
    for name in settings.model_fields_set - {"home"}:
        value = getattr(settings, name)
        if isinstance(value, Path):
            value = value.resolve()
        if value is not None:
            found[f"STEPCODE_{name.upper()}"] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return found


def _prefect_yaml(project: Path) -> dict[str, Any]:
    try:
        return dict(yaml.safe_load((project / "prefect.yaml").read_text("utf-8")))
    except FileNotFoundError:
        raise ServiceError(
            f"no prefect.yaml in {project}: run this from a checkout, installed with `pip install -e`"
        ) from None


def _deploy(project: Path, environment: Mapping[str, str]) -> list[str]:
    """Deploy everything in prefect.yaml, and set the limit of its queue; the names, as `flow/deployment`."""
    _run_prefect(("deploy", "--all"), project, environment)
    _run_prefect(("work-queue", "set-concurrency-limit", QUEUE, "1", "--pool", POOL), project, environment)
    return [f"{_flow_name(one['entrypoint'])}/{one['name']}" for one in _prefect_yaml(project)["deployments"]]


def _run_prefect(arguments: Sequence[str], project: Path, environment: Mapping[str, str]) -> None:
    shown = f"`prefect {' '.join(arguments)}`"
    try:
        done = subprocess.run(
            [sys.executable, *_prefect(*arguments)],
            cwd=project,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PREFECT_COMMAND_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"{shown} took more than {PREFECT_COMMAND_S:.0f} s") from error
    if done.returncode:
        raise ServiceError(f"{shown} failed ({done.returncode}):\n{(done.stdout + done.stderr)[-3000:]}")


def _flow_name(entrypoint: str) -> str:
    """The flow's name by our rule (file name = flow name, with dashes): flows/train_bilevel.py:f is train-bilevel."""
    return Path(entrypoint.partition(":")[0]).stem.replace("_", "-")
