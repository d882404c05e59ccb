"""The soak at a small size: the code of the large one, and that it would notice what it looks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.hostile import CATALOGUE, Attack
from benchmarks.leftovers import slope
from benchmarks.soak import IMPATIENT, Journal, digest, run_alone, soak
from benchmarks.soak_programs import HOSTILE_EVERY, case
from benchmarks.soak_table import rows, table
from execution.sandbox import Observation, Sandbox, Verdict
from execution.zygote import ZygoteSandbox
from tests.execution.conftest import open_jail

SIZE = 300


@pytest.fixture(scope="module")
def impatient_jail() -> Iterator[Sandbox]:
    with open_jail(limits=IMPATIENT) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small soak that was stopped in the middle of a line, and went on."""
    open_jail().close()  # skips where there is none
    folder = tmp_path_factory.mktemp("soak")
    soak(SIZE - 100, folder, every=50)
    with (folder / "results.jsonl").open("a") as file:
        file.write('{"index": 200, "na')
    soak(SIZE, folder, every=20)
    run_alone(SIZE, folder, count=20)
    return folder


@pytest.mark.parametrize("attack", CATALOGUE, ids=lambda attack: attack.name)
def test_every_attack_of_the_catalogue_ends_as_it_says(attack: Attack, impatient_jail: Sandbox) -> None:
    seen = impatient_jail.run(attack.job)
    assert seen.verdict in attack.verdicts, seen
    assert attack.result in {None, seen.result}


def test_a_stopped_soak_goes_on_and_runs_every_program_once(folder: Path) -> None:
    results = rows(folder / "results.jsonl")
    assert [row["index"] for row in results] == list(range(SIZE))
    assert sum(row["name"] != "honest" for row in results) == SIZE // HOSTILE_EVERY


def test_every_program_of_the_soak_ends_as_expected(folder: Path) -> None:
    assert [row for row in rows(folder / "results.jsonl") if not row["expected"]] == []


def test_the_soak_leaves_no_process_descriptor_file_or_mount(folder: Path) -> None:
    samples = [sample for sample in rows(folder / "samples.jsonl") if sample["run"]]
    assert [sample["done"] for sample in samples] == [220, 240, 260, 280, 300]
    for held in ("num_processes", "num_descriptors", "jail_descriptors", "num_mounts", "restarts"):
        assert len({sample[held] for sample in samples}) == 1, held
    assert not list((folder / "tmp").iterdir())


def test_programs_run_alone_in_a_fresh_jail_give_the_same(folder: Path) -> None:
    again = rows(folder / "alone.jsonl")
    assert (len(again), [row for row in again if not row["same"]]) == (20, [])


def test_a_soak_is_the_same_programs_again() -> None:
    assert case(37) == case(37)
    assert len({job.source for index in range(40) for job in case(index).jobs}) > 35


def test_programs_with_several_inputs_share_one_source() -> None:
    jobs = case(1).jobs
    assert (len(jobs), len({job.source for job in jobs})) == (4, 1)


def test_the_table_names_what_ended_otherwise_and_what_grows(tmp_path: Path) -> None:
    sample = {"run": 0, "wall_s": 2.0, "cpu_s": 1.0, "restarts": 1, "num_processes": 3, "num_descriptors": 9}
    sample |= {"jail_descriptors": 3, "num_files": 0, "num_mounts": 5, "jail_kib": 100}
    with Journal(tmp_path / "samples.jsonl") as samples:
        for done, rss_kib in ((1000, 70), (2000, 80), (3000, 90), (4000, 100)):
            samples.append(sample | {"done": done, "rss_kib": rss_kib})
    bad = {"index": 9, "name": "fork bomb", "verdicts": ["ok"], "expected": False, "digest": "a"}
    with Journal(tmp_path / "results.jsonl") as results:
        results.append(bad)
    with Journal(tmp_path / "alone.jsonl") as alone:
        alone.append(bad | {"same": False})
    shown = table(tmp_path)
    assert "ended otherwise than expected: 1\n" in shown
    assert shown.count("number 9, fork bomb: ok") == 2
    grows = next(line for line in shown.splitlines() if line.startswith("memory here"))
    assert grows.split()[-1] == "10.000"


def test_the_slope_of_a_line_is_its_own() -> None:
    assert slope([(1, 3), (2, 5), (4, 9)]) == pytest.approx(2)
    assert slope([(1, 3)]) == slope([(1, 3), (1, 4)]) == 0


def test_two_results_that_differ_in_a_state_have_different_digests_and_times_do_not_count() -> None:
    one = Observation(Verdict.OK, states=((0, "x: 1"),), result="1", cpu_s=0.1)
    assert digest([one]) == digest([Observation(Verdict.OK, states=((0, "x: 1"),), result="1", cpu_s=0.2)])
    assert digest([one]) != digest([Observation(Verdict.OK, states=((0, "x: 2"),), result="1", cpu_s=0.1)])


def test_a_journal_drops_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a"')
    with Journal(path) as journal:
        assert journal.num_rows == 1
        journal.append({"a": 2})
    assert [json.loads(line)["a"] for line in path.read_text().splitlines()] == [1, 2]


def test_an_attack_ends_its_jail_exactly_where_the_catalogue_says_so(impatient_jail: Sandbox) -> None:
    assert isinstance(impatient_jail, ZygoteSandbox)
    for attack in CATALOGUE:
        if not attack.sleeps:
            impatient_jail.run(case(0).jobs[0])
            before = impatient_jail.process_id
            impatient_jail.run(attack.job)
            assert (impatient_jail.process_id != before) == attack.ends_jail, attack.name
