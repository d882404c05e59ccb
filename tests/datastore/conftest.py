"""Each property is tested on both kinds of store and both kinds of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datastore.artifacts import ArtifactStore, open_store
from datastore.database import Database, open_database


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.services)])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, object]:
    """Arguments of `open_store` for an empty store that does not exist yet."""
    if request.param == "file":
        return {"url": f"file://{tmp_path}/store"}
    server = request.getfixturevalue("radosgw")
    return {
        "url": server.url(),
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "secure": False,
    }


@pytest.fixture
def store(store_settings: dict[str, object]) -> ArtifactStore:
    return open_store(**store_settings)  # type: ignore[arg-type]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/stepcode.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url) as opened:
        yield opened
