"""The same job on real services, by settings alone: lineage in Postgres, artifacts in an S3 bucket."""

from __future__ import annotations

import pytest

from datastore.datasets import Datasets
from tests.flows.conftest import Job, look_into
from tests.flows.jobs import Home
from tests.services.radosgw import S3Server

pytestmark = [pytest.mark.slow, pytest.mark.services]


def test_postgres_and_s3_give_the_same_dataset_as_sqlite_and_files(
    embedded_job: Job, postgres_url: str, radosgw: S3Server, home: Home
) -> None:
    home = Home(
        home.folder,
        {
            **home.variables,
            "STEPCODE_DATABASE_URL": postgres_url,
            "STEPCODE_ARTIFACTS_URL": radosgw.url("smoke"),
            "STEPCODE_S3_ACCESS_KEY": radosgw.access_key,
            "STEPCODE_S3_SECRET_KEY": radosgw.secret_key,
            "STEPCODE_S3_SECURE": "false",
        },
    )
    ended = home.train()
    assert ended.code == 0, ended.text
    embedded, served = look_into(embedded_job.home), look_into(home)
    ids = [Datasets(one.database).versions("traces")[-1].counts["dataset_id"] for one in (embedded, served)]
    assert ids[0] == ids[1]
    champion = served.registry.resolve("stepcode", "champion")
    assert served.store.exists(champion.digest)
    assert not (home.folder / "stepcode.db").exists() and not (home.folder / "artifacts").exists()
