"""Spreading work over Ray: a lost worker loses no piece and repeats none that was done."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from infra.settings import Settings
from tasks.errors import WorkerLost
from tasks.ray_pool import ray_cluster, spread

pytestmark = pytest.mark.slow


class Worker:
    """Doubles numbers; dies on the way where the piece says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def do(self, piece: tuple[int, int]) -> int:
        number, num_deaths = piece
        marks = list(self.folder.glob(f"{number}-*"))
        if len(marks) < num_deaths:
            (self.folder / f"{number}-{len(marks)}").touch()
            os._exit(1)
        if number < 0:
            raise ValueError(f"no negative numbers: {number}")
        return 2 * number


class Counting:
    """Notes every piece that it begins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def do(self, piece: int) -> int:
        (self.folder / str(piece)).touch()
        return piece


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with ray_cluster(Settings(home=tmp_path_factory.mktemp("home"), workers=2)):  # type: ignore[call-arg]
        yield


@pytest.fixture
def results(cluster: None, tmp_path: Path) -> Any:
    def run(*pieces: tuple[int, int]) -> dict[str, int]:
        actor = ray.remote(num_cpus=1)(Worker)
        named = [(f"piece {number}", (number, deaths)) for number, deaths in pieces]
        found = list(spread(lambda: actor.remote(tmp_path), named, num_workers=2, deadline_s=60))
        assert len(found) == len({name for name, _ in found})
        return dict(found)

    return run


def test_all_pieces_come_back_once(results: Any) -> None:
    assert results(*((n, 0) for n in range(7))) == {f"piece {n}": 2 * n for n in range(7)}


def test_a_piece_whose_worker_dies_is_given_to_another(results: Any) -> None:
    assert results((1, 0), (2, 2), (3, 0)) == {"piece 1": 2, "piece 2": 4, "piece 3": 6}


def test_a_piece_that_kills_every_worker_is_named(results: Any) -> None:
    with pytest.raises(WorkerLost, match="piece 5"):
        results((5, 99))


def test_an_error_of_the_work_itself_is_not_retried(results: Any) -> None:
    with pytest.raises(ValueError, match="no negative numbers"):
        results((-1, 0))


def test_no_more_pieces_are_on_the_way_than_there_are_workers_while_the_caller_is_slow(
    cluster: None, tmp_path: Path
) -> None:
    actor = ray.remote(num_cpus=1)(Counting)
    pieces = [(f"piece {number}", number) for number in range(9)]
    results = spread(lambda: actor.remote(tmp_path), pieces, num_workers=2, deadline_s=60)
    for num_taken in range(1, 4):
        next(results)
        time.sleep(0.3)  # as long as a worker needs for ten pieces
        assert len(list(tmp_path.iterdir())) <= num_taken + 1
    assert len(list(results)) == 6
    assert len(list(tmp_path.iterdir())) == 9
