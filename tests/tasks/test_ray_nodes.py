"""A cluster of two nodes that loses one in the middle of the work: no piece is lost, none comes twice."""

from __future__ import annotations

import builtins
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from infra.settings import Settings
from tasks.ray_pool import ray_cluster, spread

pytestmark = pytest.mark.slow
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
# A node's death is noticed within seconds rather than within half a minute.
NOTICED = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}
DEADLINE_S = 60.0
NUM_PIECES = 6
RESULT_BYTES = 1 << 20  # large enough to be kept on the node that made it


class Worker:
    """Notes on which node each piece was begun and ended, and gives a large result."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node_id = ray.get_runtime_context().get_node_id()

    def do(self, number: int) -> bytes:
        (self.folder / f"begun-{number}-{self.node_id}").touch()
        time.sleep(0.2)
        (self.folder / f"ended-{number}-{self.node_id}").touch()
        return bytes([number]) * RESULT_BYTES


@pytest.fixture
def two_nodes(tmp_path: Path) -> Iterator[tuple[Cluster, Any]]:
    cluster = Cluster(
        initialize_head=True, head_node_args={**NODE, "include_dashboard": False, "_system_config": NOTICED}
    )
    try:
        second = cluster.add_node(**NODE)
        with ray_cluster(Settings(home=tmp_path / "home", ray_address=cluster.address)):  # type: ignore[call-arg]
            cluster.wait_for_nodes()
            yield cluster, second
    finally:
        cluster.shutdown()


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < deadline, "was never reached"
        time.sleep(0.02)


def test_a_node_that_is_lost_with_a_finished_result_loses_no_piece_and_doubles_none(
    two_nodes: tuple[Cluster, Any], tmp_path: Path
) -> None:
    cluster, second = two_nodes
    own_print = builtins.print
    marks = tmp_path / "marks"
    marks.mkdir()
    actor = ray.remote(num_cpus=1)(Worker)
    pieces = [(f"piece {number}", number) for number in range(NUM_PIECES)]
    results = spread(lambda: actor.remote(marks), pieces, num_workers=2, deadline_s=DEADLINE_S)
    found = [next(results)]
    wait_until(lambda: any(path.name.endswith(second.node_id) for path in marks.glob("ended-*")))
    cluster.remove_node(second, allow_graceful=False)
    wait_until(lambda: not any(node["Alive"] for node in ray.nodes() if node["NodeID"] == second.node_id))
    found += results
    assert Counter(name for name, _ in found) == Counter(name for name, _ in pieces)
    assert all(result == bytes([int(name.removeprefix("piece "))]) * RESULT_BYTES for name, result in found)
    begun = Counter(path.name.split("-")[1] for path in marks.glob("begun-*"))
    assert sum(begun.values()) <= NUM_PIECES + 1, "only what was on the lost node is done again"
    assert builtins.print is own_print, "what Ray tells of a lost node must leave the flow's process its own print"
