"""Two processes (gloo) take the same update as one: a group's rollouts lie on both."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from training.launch import ROOT, environment

TIMEOUT_S = 180


def figures(model: Path, out: Path, world: int) -> dict[str, float]:
    out.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    processes = []
    for rank in range(world):
        shared = {
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": world,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        extra = {key: str(value) for key, value in shared.items()} if world > 1 else {}
        command = [sys.executable, "-m", "tests.training.one_worker", str(model), str(out)]
        processes.append(subprocess.Popen(command, cwd=ROOT, env=environment(1) | extra))
    try:
        codes = [process.wait(TIMEOUT_S) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0] * world
    result: dict[str, float] = json.loads((out / "figures.json").read_text())
    return result


@pytest.mark.slow
def test_two_workers_take_the_update_of_one(tmp_path: Path, sft_folder: Path) -> None:
    one = figures(sft_folder / "model", tmp_path / "one", 1)
    two = figures(sft_folder / "model", tmp_path / "two", 2)
    assert one["grad_norm"] > 0.01
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5, abs=1e-6)
    assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-5)
