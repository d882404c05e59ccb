"""Versions, aliases and their history, on SQLite and Postgres."""

from __future__ import annotations

import threading

import pytest

from datastore.database import Database, open_database
from datastore.lineage import Lineage, LineageError
from datastore.registry import AliasConflict, ModelVersion, Registry
from tests.datastore.test_lineage import record

MODEL = "stepcode"


def trained(database: Database, content: str) -> tuple[str, str]:
    """artifact_id and run_id of a recorded training run."""
    run = record(Lineage(database), "train", content, outputs={"model": content})
    return run.output("model").artifact_id, run.run_id


def register(database: Database, content: str) -> ModelVersion:
    artifact_id, run_id = trained(database, content)
    return Registry(database).register(MODEL, artifact_id, {"score": 0.5}, run_id)


@pytest.fixture
def registry(database: Database) -> Registry:
    """Three versions, no alias."""
    for content in ("a1", "b2", "c3"):
        register(database, content)
    return Registry(database)


def promote(registry: Registry, version: int, expected: int | None, alias: str = "champion") -> None:
    registry.move_alias(MODEL, alias, version, expected=expected, reason=f"to {version}", decision={"v": version})


def moves(registry: Registry, alias: str) -> list[tuple[int | None, int | None, str]]:
    return [(entry.from_version, entry.to_version, entry.reason) for entry in registry.history(MODEL, alias)]


def test_versions_count_from_one_for_each_model(registry: Registry, database: Database) -> None:
    artifact_id, run_id = trained(database, "d4")
    assert registry.register("other", artifact_id, {}, run_id).number == 1
    assert [version.number for version in registry.versions(MODEL)] == [3, 2, 1]
    assert registry.models() == ["other", MODEL]
    version = registry.version(MODEL, 2)
    assert (version.digest, version.metrics) == (f"sha256:{'b2':0>64}", {"score": 0.5})


def test_registering_the_same_artifact_of_the_same_run_gives_the_same_version(database: Database) -> None:
    first = register(database, "a1")
    assert register(database, "a1") == first
    assert database.counts()["model_version"] == 1


def test_the_same_artifact_of_another_run_is_another_version(database: Database) -> None:
    artifact_id, _ = trained(database, "a1")
    register(database, "a1")
    _, other_run = trained(database, "b2")
    assert Registry(database).register(MODEL, artifact_id, {}, other_run).number == 2


def test_what_is_not_recorded_cannot_be_registered(database: Database) -> None:
    artifact_id, run_id = trained(database, "a1")
    with pytest.raises(LineageError, match="no artifact 'x'"):
        Registry(database).register(MODEL, "x", {}, run_id)
    with pytest.raises(LineageError, match="no run 'x'"):
        Registry(database).register(MODEL, artifact_id, {}, "x")


def test_racing_registrations_get_different_numbers(database: Database, database_url: str) -> None:
    ready = [trained(database, f"{number}") for number in range(6)]
    start, numbers = threading.Barrier(6), []

    def race(artifact_id: str, run_id: str) -> None:
        with open_database(database_url) as own:
            start.wait()
            numbers.append(Registry(own).register(MODEL, artifact_id, {}, run_id).number)

    threads = [threading.Thread(target=race, args=pair) for pair in ready]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]


def test_an_alias_is_unset_until_it_is_moved(registry: Registry) -> None:
    assert registry.alias(MODEL, "champion") is None
    promote(registry, 1, None)
    alias = registry.alias(MODEL, "champion")
    assert alias is not None and (alias.version, alias.revision) == (1, 1)
    assert registry.alias(MODEL, "previous") is None


def test_moving_the_champion_moves_previous_to_where_it_was(registry: Registry) -> None:
    promote(registry, 1, None)
    promote(registry, 3, 1)
    promote(registry, 2, 2)
    assert [(one.name, one.version) for one in registry.aliases(MODEL)] == [("champion", 2), ("previous", 3)]
    assert moves(registry, "champion") == [(3, 2, "to 2"), (1, 3, "to 3"), (None, 1, "to 1")]
    assert moves(registry, "previous") == [(1, 3, "to 2"), (None, 1, "to 3")]


def test_moving_another_alias_leaves_previous_alone(registry: Registry) -> None:
    promote(registry, 1, None, alias="candidate")
    promote(registry, 2, 1, alias="candidate")
    assert [one.name for one in registry.aliases(MODEL)] == ["candidate"]


@pytest.mark.parametrize("expected", [None, 1, 3])
def test_a_decision_upon_an_alias_that_has_moved_since_changes_nothing(
    registry: Registry, expected: int | None
) -> None:
    promote(registry, 1, None)
    promote(registry, 2, 1)
    with pytest.raises(AliasConflict, match="'champion' of 'stepcode' is version 2, revision 2"):
        promote(registry, 3, expected)
    alias = registry.alias(MODEL, "champion")
    assert alias is not None and alias.version == 2
    assert len(moves(registry, "champion")) == 2
    assert moves(registry, "previous") == [(None, 1, "to 2")]


def test_an_alias_that_left_and_came_back_is_a_conflict_too(registry: Registry) -> None:
    """Version 1 again, but not the same decision: revisions are compared, not versions."""
    promote(registry, 1, None)
    promote(registry, 2, 1)
    promote(registry, 1, 2)
    with pytest.raises(AliasConflict):
        promote(registry, 3, 1)


def test_of_two_racing_promotions_one_wins_and_history_tells_which(registry: Registry, database_url: str) -> None:
    promote(registry, 1, None)
    start, outcomes = threading.Barrier(2), {}

    def race(version: int) -> None:
        with open_database(database_url) as own:
            start.wait()
            try:
                promote(Registry(own), version, 1)
                outcomes[version] = "won"
            except AliasConflict:
                outcomes[version] = "lost"

    threads = [threading.Thread(target=race, args=(version,)) for version in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes.values()) == ["lost", "won"]
    alias = registry.alias(MODEL, "champion")
    assert alias is not None and outcomes[alias.version] == "won"
    assert moves(registry, "champion")[0] == (1, alias.version, f"to {alias.version}")


def test_a_move_repeated_after_a_crash_is_done_once(registry: Registry) -> None:
    promote(registry, 1, None)
    promote(registry, 2, 1)
    promote(registry, 2, 1)
    promote(registry, 2, 2)
    assert [(one.name, one.version) for one in registry.aliases(MODEL)] == [("champion", 2), ("previous", 1)]
    assert len(moves(registry, "champion")) == 2


def test_an_alias_cannot_point_at_a_version_that_does_not_exist(registry: Registry) -> None:
    with pytest.raises(LineageError, match="no version 9 of model 'stepcode'"):
        promote(registry, 9, None)


def test_history_keeps_who_when_why_and_the_evidence(registry: Registry) -> None:
    evidence = {"difference": [0.01, -0.02, 0.04], "items": 600}
    registry.move_alias(MODEL, "champion", 1, expected=None, reason="better", decision=evidence, by="me@here")
    (entry,) = registry.history(MODEL, "champion")
    assert (entry.reason, entry.decision, entry.by, entry.moved) == ("better", evidence, "me@here", True)
    assert entry.at.tzinfo is not None
    promote(registry, 2, 1)
    assert "@" in registry.history(MODEL, "champion")[0].by


def test_a_held_candidate_is_written_down_once_and_nothing_moves(registry: Registry) -> None:
    promote(registry, 1, None)
    for _ in range(2):
        entry = registry.keep_alias(MODEL, "champion", 2, reason="no evidence", decision={"verdict": "hold"})
    assert (entry.from_version, entry.to_version, entry.candidate, entry.moved) == (1, 1, 2, False)
    registry.keep_alias(MODEL, "champion", 3, reason="worse", decision={"verdict": "reject"})
    assert moves(registry, "champion") == [(1, 1, "worse"), (1, 1, "no evidence"), (None, 1, "to 1")]
    alias = registry.alias(MODEL, "champion")
    assert alias is not None and (alias.version, alias.revision) == (1, 1)


def test_names_resolve_to_versions_and_unknown_ones_say_what_there_is(registry: Registry) -> None:
    promote(registry, 3, None)
    assert registry.resolve(MODEL, "champion").number == 3
    assert registry.resolve(MODEL, "2").number == 2
    with pytest.raises(LineageError, match=r"no alias 'champ' \(aliases: champion\)"):
        registry.resolve(MODEL, "champ")
    with pytest.raises(LineageError, match="no version 9"):
        registry.resolve(MODEL, "9")
