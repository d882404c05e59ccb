"""One whole job on embedded defaults, run once and looked at by many tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
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
    values = {name.removeprefix("STEPCODE_").lower(): value for name, value in home.variables.items()}
    return open_workspace(Settings(home=home.folder, **values))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def embedded_job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """The main job with the smoke recipe: SQLite, files, local Ray, bubblewrap."""
    home = Home(tmp_path_factory.mktemp("home"))
    ended = home.train()
    assert ended.code == 0, ended.text
    yield Job(home, ended)


@pytest.fixture(scope="module")
def copied_job(embedded_job: Job, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The embedded job in a home of the module's own, for tests that run more in it."""
    folder = tmp_path_factory.mktemp("copy") / "home"
    shutil.copytree(embedded_job.home.folder, folder)
    return Job(Home(folder), embedded_job.first)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home(tmp_path / "home")
