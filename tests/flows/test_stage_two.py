"""Stage two: a run that starts from the champion and trains it to write programs."""

from __future__ import annotations

import re

import pyarrow.parquet as pq
import pytest

from tests.flows.conftest import Job, look_into
from tests.flows.jobs import Home

pytestmark = pytest.mark.slow
CODE = ("--set", "model.start_from=champion", "--set", "slice.rl_code=1.0", "--set", "slice.rl_input=0.0")
ASKED = ("--set", 'evaluation.tasks=["output","code"]')


def test_rl_alone_goes_on_from_the_champion(copied_job: Job) -> None:
    home = copied_job.home
    before = len(look_into(home).lineage.runs(limit=100))
    ended = home.train("--set", 'stages=["rl"]', *CODE, *ASKED)
    assert ended.code == 0, ended.text
    assert not re.search("^train-sft ", ended.out, re.MULTILINE)
    workspace = look_into(home)
    champion = workspace.registry.version("stepcode", 1)
    [newest] = workspace.lineage.runs(limit=1, job="train-rl")
    assert newest.input("model").artifact_id == champion.artifact_id
    asked = workspace.lineage.runs(limit=100, job="evaluate")
    assert len(workspace.lineage.runs(limit=100)) > before
    workspace.store.fetch(asked[0].output("rows").digest, home.folder / "rows")
    rows = [row for row in pq.read_table(home.folder / "rows").to_pylist() if row["task"] == "code"]
    assert rows and all(row["judged"] and row["benchmark"] == "held_out" for row in rows)


def test_sft_goes_on_from_a_version_too(copied_job: Job) -> None:
    shares = ("--set", "slice.output=0.4", "--set", "slice.code=0.4", "--set", "sft.updates=4")
    ended = copied_job.home.train(*CODE, *shares, *ASKED, "--set", "model.start_from=1")
    assert ended.code == 0, ended.text
    workspace = look_into(copied_job.home)
    [newest] = workspace.lineage.runs(limit=1, job="train-sft")
    assert newest.input("model").artifact_id == workspace.registry.version("stepcode", 1).artifact_id


def test_a_start_that_is_not_registered_is_named(home: Home) -> None:
    ended = home.train("--set", "model.start_from=champion")
    assert ended.code != 0
    assert "model.start_from" in ended.text and "no alias 'champion'" in ended.text
