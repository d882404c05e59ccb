"""The fixtures themselves: servers answer, leave nothing behind, and are missed loudly where they must not be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from sqlalchemy import NullPool, create_engine, text

from tests.services.postgres import PostgresServer, running_postgres
from tests.services.processes import ROOT, all_gone, unavailable
from tests.services.radosgw import S3Server


def test_a_missing_server_skips_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Postgres here"):
        unavailable("no Postgres here")


def test_a_missing_server_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no Postgres here"):
        unavailable("no Postgres here")


@pytest.mark.services
def test_databases_of_one_server_are_separate(postgres_server: PostgresServer) -> None:
    for _ in range(2):
        engine = create_engine(postgres_server.create_database())
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE only_here (x int)"))
        engine.dispose()


@pytest.mark.services
def test_a_stopped_server_leaves_no_folder_and_no_process(postgres_server: PostgresServer) -> None:
    """Over TCP, with a connection left open; left out where Postgres is missing, as the fixture is."""
    with running_postgres(tcp=True) as server:
        assert "@127.0.0.1:" in server.url()
        left_open = create_engine(server.url(), poolclass=NullPool).connect()
        assert left_open.scalar(text("SELECT 1")) == 1
    left_open.invalidate()
    left_open.close()
    assert not server.folder.exists()
    assert not Path(f"/proc/{server.pid}").exists()


OWNER = """
import time
from tests.services.postgres import running_postgres
with running_postgres() as server:
    print(server.pid, server.folder, flush=True)
    time.sleep(600)
"""


@pytest.mark.services
def test_a_server_ends_when_the_process_that_started_it_is_killed(postgres_server: PostgresServer) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        number, folder = owner.stdout.readline().split()
        server = psutil.Process(int(number))
        owner.kill()
    assert all_gone([server], 30)
    subprocess.run(["rm", "-rf", folder], check=True)


@pytest.mark.services
def test_every_url_of_the_s3_server_names_a_bucket_of_its_own(radosgw: S3Server) -> None:
    assert radosgw.url() != radosgw.url()
    assert radosgw.url("p").startswith(f"s3://{radosgw.endpoint}/bucket-")
