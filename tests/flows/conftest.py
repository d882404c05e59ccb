"""One whole job on embedded defaults, run once and looked at by many tests."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from infra.settings import Settings
from tasks.workspace import Workspace, open_workspace
from tests.flows.jobs import Ended, Home


@dataclass(frozen=True)
class Job:
    """A home in which the main job ran to its end, and what it printed."""

    home: Home
    first: Ended


def look_into(home: Home) -> Workspace:
    """The workspace of a home, for reading."""
    ours = {name: value for name, value in home.variables.items() if name.startswith("STEPCODE_")}
    values = {name.removeprefix("STEPCODE_").lower(): value for name, value in ours.items()}
    return open_workspace(Settings(home=home.folder, **values))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def embedded_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The main job with the smoke recipe: SQLite, files, local Ray, bubblewrap. Where several processes share the
    tests, the first that needs it runs it, and each has a copy of its home."""
    own = tmp_path_factory.getbasetemp()
    done = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "embedded-job"
    with done.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (done / "ended.json").exists():
            shutil.rmtree(done, ignore_errors=True)
            ended = Home(done / "home").train()
            assert ended.code == 0, ended.text
            (done / "ended.json").write_text(json.dumps(asdict(ended)), "utf-8")
    folder = tmp_path_factory.mktemp("embedded") / "home"
    shutil.copytree(done / "home", folder)
    return Job(Home(folder), Ended(**json.loads((done / "ended.json").read_text("utf-8"))))


@pytest.fixture(scope="module")
def copied_job(embedded_job: Job, prefect_api: str, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The embedded job in a home of the module's own, for tests that run more in it."""
    folder = tmp_path_factory.mktemp("copy") / "home"
    shutil.copytree(embedded_job.home.folder, folder)
    return Job(Home(folder, {"PREFECT_API_URL": prefect_api}), embedded_job.first)


@pytest.fixture
def home(tmp_path: Path, prefect_api: str) -> Home:
    """An empty home."""
    return Home(tmp_path / "home", {"PREFECT_API_URL": prefect_api})
