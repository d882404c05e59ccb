"""Runs, edges and the questions asked of them, on SQLite and Postgres."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy
import pytest

from datastore.artifacts import Artifact
from datastore.database import Database, open_database
from datastore.lineage import Lineage, LineageError, RunRecord, TreeNode

STARTED = datetime(2026, 11, 21, 2, 0, 0, 123456, tzinfo=UTC)


def made(content: str) -> Artifact:
    return Artifact(f"sha256:{content:0>64}", 7, "text/plain")


def output(role: str, content: str) -> tuple[str, str, str, Artifact, Mapping[str, Any]]:
    return role, content, role, made(content), {}


def record(
    lineage: Lineage,
    job: str,
    step_id: str = "1",
    inputs: Mapping[str, str] | None = None,
    outputs: Mapping[str, str] | None = None,
    **changes: Any,
) -> RunRecord:
    """A run with inputs role -> artifact_id and outputs role -> content, each named after its content."""
    values: dict[str, Any] = {
        "params": {},
        "inputs": list((inputs or {}).items()),
        "outputs": [output(role, content) for role, content in (outputs or {}).items()],
        "flow_run_id": None,
        "started_at": STARTED,
        "versions": {},
    }
    return lineage.record_run(job, step_id, **{**values, **changes})


def shown(tree: TreeNode) -> list[str]:
    lines = []
    for depth, node in tree.walk():
        made_by = f" ← {node.run.job}" if node.run else ""
        lines.append("  " * depth + node.artifact.name + made_by + (" (again)" if node.repeated else ""))
    return lines


@pytest.fixture
def lineage(database: Database) -> Lineage:
    return Lineage(database)


def test_readers_are_the_runs_of_that_job_that_read_it_in_that_role_newest_first(lineage: Lineage) -> None:
    model = record(lineage, "train", outputs={"model": "aa"}).output("model").artifact_id
    other = record(lineage, "train", "2", outputs={"model": "bb"}).output("model").artifact_id
    first = record(lineage, "evaluate", "1", {"model": model}, {"rows": "c1"})
    second = record(lineage, "evaluate", "2", {"model": model, "dataset": other}, {"rows": "c2"})
    record(lineage, "evaluate", "3", {"dataset": model, "model": other})
    record(lineage, "train", "4", {"model": model})
    assert [run.run_id for run in lineage.readers(model, "model", "evaluate")] == [second.run_id, first.run_id]
    assert second.output("rows") == lineage.readers(model, "model", "evaluate")[0].output("rows")
    assert lineage.readers(model, "rows", "evaluate") == []


def test_a_run_comes_back_as_it_was_recorded(lineage: Lineage) -> None:
    source = lineage.record_artifact("mine.jsonl", "source", made("aa"), {"rows": 3})
    written = lineage.record_run(
        "collect",
        "step-1",
        params={"seed": 7, "paths": ("a", "b")},
        inputs=[("source", source.artifact_id)],
        outputs=[("programs", "programs.parquet", "programs", made("bb"), {"rows": 2})],
        flow_run_id="flow-9",
        started_at=STARTED.astimezone(timezone(timedelta(hours=5))),
        versions={"python": "3.11.7"},
        metrics={"bad": 1, "share": 0.5},
    )
    found = lineage.find_run("collect", "step-1")
    assert found == written
    assert found is not None
    assert (found.params, found.versions) == ({"seed": 7, "paths": ["a", "b"]}, {"python": "3.11.7"})
    assert (found.metrics, found.flow_run_id) == ({"bad": 1, "share": 0.5}, "flow-9")
    assert (found.started_at, found.started_at.tzinfo) == (STARTED, UTC)
    assert found.ended_at > STARTED
    assert found.input("source") == source
    programs = found.output("programs")
    assert (programs.name, programs.kind, programs.digest) == ("programs.parquet", "programs", made("bb").digest)
    assert (programs.size_bytes, programs.media_type, programs.metadata) == (7, "text/plain", {"rows": 2})


def test_a_run_that_was_never_recorded_is_not_found(lineage: Lineage) -> None:
    record(lineage, "trace", "1")
    assert lineage.find_run("trace", "2") is None
    assert lineage.find_run("train", "1") is None
    with pytest.raises(LineageError, match="no run 'x'"):
        lineage.run("x")


def test_a_second_writer_gets_the_first_ones_record_and_adds_nothing(lineage: Lineage, database: Database) -> None:
    first = record(lineage, "trace", outputs={"traces": "aa"}, flow_run_id="first")
    before = database.counts()
    second = record(lineage, "trace", outputs={"traces": "bb"}, flow_run_id="second")
    assert second == first
    assert database.counts() == before


def test_racing_writers_of_one_step_all_get_one_record(database: Database, database_url: str) -> None:
    start, found = threading.Barrier(6), []

    def race(number: int) -> None:
        with open_database(database_url) as own:
            start.wait()
            found.append(record(Lineage(own), "train", outputs={"model": f"{number}"}, flow_run_id=str(number)))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len({run.flow_run_id for run in found}) == 1
    assert (database.counts()["run"], database.counts()["edge"], database.counts()["artifact"]) == (1, 1, 1)


def test_a_run_with_an_unknown_input_is_recorded_not_at_all(lineage: Lineage, database: Database) -> None:
    with pytest.raises(LineageError, match="feed"):
        record(lineage, "train", inputs={"dataset": "feed"}, outputs={"model": "aa"})
    assert set(database.counts().values()) == {0}


def test_the_same_content_under_the_same_name_is_one_artifact(lineage: Lineage, database: Database) -> None:
    one = record(lineage, "trace", "1", outputs={"traces": "aa"})
    two = record(lineage, "trace", "2", outputs={"traces": "aa"})
    assert one.output("traces") == two.output("traces")
    assert (database.counts()["artifact"], database.counts()["run"]) == (1, 2)


def test_identities_are_equal_in_every_database(lineage: Lineage) -> None:
    """sha256 of '["artifact", "traces", "aa", "sha256:00…aa"]' and of '["run", "trace", "1"]', 32 digits each."""
    run = record(lineage, "trace", outputs={"traces": "aa"})
    assert run.run_id == "a8356b8028ae31e25fb44379dd329bd6"
    assert run.output("traces").artifact_id == "b659ad61ec31073da537c0054c3a098d"


def test_the_tree_leads_from_a_model_down_to_the_sources(lineage: Lineage) -> None:
    collect = record(lineage, "collect", outputs={"programs": "a1"})
    programs = collect.output("programs").artifact_id
    trace = record(lineage, "trace", inputs={"programs": programs}, outputs={"traces": "b2"})
    traces = trace.output("traces").artifact_id
    publish = record(lineage, "publish", inputs={"traces": traces}, outputs={"dataset": "c3"})
    dataset = publish.output("dataset").artifact_id
    recipe = lineage.record_artifact("tiny.toml", "recipe", made("d4")).artifact_id
    train = record(lineage, "train", inputs={"dataset": dataset, "recipe": recipe}, outputs={"model": "e5"})
    record(lineage, "unrelated", inputs={"programs": programs}, outputs={"other": "f6"})
    model = train.output("model").artifact_id
    assert shown(lineage.tree(model)) == [
        "e5 ← train",
        "  c3 ← publish",
        "    b2 ← trace",
        "      a1 ← collect",
        "  tiny.toml",
    ]
    assert [node.role for _, node in lineage.tree(model).walk()] == ["", "dataset", "traces", "programs", "recipe"]
    assert {one.name for one in lineage.ancestors(model)} == {"c3", "b2", "a1", "tiny.toml"}
    assert {one.name for one in lineage.descendants(programs)} == {"b2", "c3", "e5", "f6"}
    assert lineage.ancestors(programs) == []


def test_what_is_reached_twice_is_shown_once_and_then_named_again(lineage: Lineage) -> None:
    shared = record(lineage, "publish", outputs={"dataset": "aa"}).output("dataset").artifact_id
    sft = record(lineage, "sft", inputs={"dataset": shared}, outputs={"model": "bb"}).output("model").artifact_id
    rl = record(lineage, "rl", inputs={"dataset": shared, "model": sft}, outputs={"model": "cc"})
    assert shown(lineage.tree(rl.output("model").artifact_id)) == [
        "cc ← rl",
        "  aa ← publish",
        "  bb ← sft",
        "    aa ← publish (again)",
    ]


def test_content_that_leads_back_to_itself_ends_the_tree(lineage: Lineage) -> None:
    """A step that writes what it read, and two steps that make each other's input."""
    one = lineage.record_artifact("aa", "x", made("aa")).artifact_id
    two = record(lineage, "forth", inputs={"x": one}, outputs={"x": "bb"}).output("x").artifact_id
    record(lineage, "back", inputs={"x": two}, outputs={"x": "aa"})
    record(lineage, "same", inputs={"x": two}, outputs={"x": "bb"})
    assert shown(lineage.tree(two)) == ["bb ← forth", "  aa ← back", "    bb ← forth (again)"]
    assert {found.name for found in lineage.ancestors(two)} == {"aa"}


def test_content_made_twice_is_traced_to_the_run_that_ended_first(lineage: Lineage) -> None:
    record(lineage, "trace", "first", outputs={"traces": "aa"})
    again = record(lineage, "trace", "again", outputs={"traces": "aa"})
    tree = lineage.tree(again.output("traces").artifact_id)
    assert tree.run is not None and tree.run.step_id == "first"


def test_a_chain_of_a_hundred_steps_is_followed_to_its_end(lineage: Lineage) -> None:
    last = lineage.record_artifact("start", "x", made("aa")).artifact_id
    start = last
    for number in range(100):
        last = (
            record(lineage, "step", str(number), inputs={"x": last}, outputs={"x": f"{number:x}"})
            .output("x")
            .artifact_id
        )
    assert len(lineage.ancestors(last)) == 100
    assert [depth for depth, _ in lineage.tree(last).walk()] == list(range(101))
    assert len(lineage.descendants(start)) == 100


def test_runs_are_listed_newest_first_up_to_the_limit(lineage: Lineage) -> None:
    for step_id in ("1", "2", "3"):
        record(lineage, "trace", step_id, outputs={"traces": step_id})
    record(lineage, "train", "4")
    assert [run.step_id for run in lineage.runs(limit=3)] == ["4", "3", "2"]
    assert [run.step_id for run in lineage.runs(job="trace")] == ["3", "2", "1"]
    assert [run.output("traces").name for run in lineage.runs(job="trace")] == ["3", "2", "1"]


def test_artifacts_are_found_by_kind_and_by_digest(lineage: Lineage) -> None:
    record(lineage, "trace", outputs={"traces": "aa", "report": "bb"})
    assert [one.name for one in lineage.artifacts(kind="report")] == ["bb"]
    assert [one.name for one in lineage.artifacts(digest=made("aa").digest)] == ["aa"]
    assert lineage.artifacts(kind="report", digest=made("aa").digest) == []
    with pytest.raises(LineageError, match="no artifact 'x'"):
        lineage.artifact("x")


def test_a_role_that_is_absent_or_taken_twice_is_named(lineage: Lineage) -> None:
    run = lineage.record_run(
        "trace",
        "1",
        params={},
        inputs=[],
        outputs=[output("shard", "aa"), output("shard", "bb")],
        flow_run_id=None,
        started_at=STARTED,
        versions={},
    )
    assert [edge.artifact.name for edge in run.outputs] == ["aa", "bb"]
    with pytest.raises(LineageError, match="2 outputs in the role 'shard'"):
        run.output("shard")
    with pytest.raises(LineageError, match=r"0 inputs in the role 'shard' \(its roles: none\)"):
        run.input("shard")


def test_numbers_that_json_does_not_know_are_kept_by_name(lineage: Lineage) -> None:
    metrics = {"loss": math.nan, "best": -math.inf, "numpy": numpy.float32(0.5), "count": numpy.int64(3)}
    run = record(lineage, "train", metrics=metrics)
    assert run.metrics == {"loss": "NaN", "best": "-Infinity", "numpy": 0.5, "count": 3}


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"a": {"b": [0, object()]}}, r"params\.a\.b\[1\]: object"),
        ({"a": "x\0"}, r"params\.a: .*NUL"),
        ({"a": "\ud800"}, r"params\.a: .*surrogate"),
        ({"a": {1: 2}}, r"params\.a: the key 1"),
    ],
)
def test_a_value_that_no_database_keeps_is_refused_by_place(
    lineage: Lineage, database: Database, params: dict[str, Any], place: str
) -> None:
    with pytest.raises(LineageError, match=place):
        record(lineage, "train", params=params)
    assert database.counts()["run"] == 0
