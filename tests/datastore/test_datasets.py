"""Dataset versions, on SQLite and Postgres."""

from __future__ import annotations

import pytest

from datastore.database import Database
from datastore.datasets import Datasets
from datastore.lineage import Lineage, LineageError
from tests.datastore.test_lineage import made, record


def published(database: Database, content: str) -> tuple[str, str]:
    run = record(Lineage(database), "publish", content, outputs={"dataset": content})
    return run.output("dataset").artifact_id, run.run_id


def test_versions_are_numbered_and_found_by_number_identity_or_as_the_latest(database: Database) -> None:
    datasets = Datasets(database)
    for content, rows in (("a1", 10), ("b2", 20)):
        artifact_id, run_id = published(database, content)
        datasets.publish("programs", artifact_id, {"train": rows}, run_id)
    first, latest = datasets.find("programs", 1), datasets.find("programs")
    assert (first.number, first.dataset_id, first.counts) == (1, made("a1").digest, {"train": 10})
    assert (latest.number, latest.dataset_id, latest.counts) == (2, made("b2").digest, {"train": 20})
    assert datasets.find("programs", made("a1").digest) == first
    assert datasets.versions("programs") == [latest, first]
    assert datasets.versions("other") == []


def test_publishing_the_same_content_again_gives_the_same_version(database: Database) -> None:
    datasets = Datasets(database)
    artifact_id, run_id = published(database, "a1")
    first = datasets.publish("programs", artifact_id, {"train": 10}, run_id)
    assert datasets.publish("programs", artifact_id, {"train": 10}) == first
    assert database.counts()["dataset_version"] == 1


def test_a_version_that_does_not_exist_is_named_with_what_to_run(database: Database) -> None:
    with pytest.raises(LineageError, match=r"'programs' has no version 3\. Run refresh-data"):
        Datasets(database).find("programs", 3)
    with pytest.raises(LineageError, match="no artifact 'x' to publish"):
        Datasets(database).publish("programs", "x", {})
