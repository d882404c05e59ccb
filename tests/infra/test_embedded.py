"""The Prefect server of one command: it is there, and it ends with the command, however that ends."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from infra.processes import command_line, descendants
from tests.services.processes import all_gone, start_python

COMMAND = """
import time
from infra import prefect_api
from infra.embedded import embedded_server
from infra.settings import load_settings
server = embedded_server(load_settings())
server.wait()
print(prefect_api.answers(server.api + "/health"), flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["killed", "ended"])
def test_the_server_ends_with_its_command(tmp_path: Path, end: str) -> None:
    code = COMMAND.format(end="time.sleep(600)" if end == "killed" else "input()")
    with start_python(code, STEPCODE_HOME=str(tmp_path)) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "True\n"
        started = descendants(psutil.Process(command.pid))
        assert any("prefect" in command_line(process) for process in started)
        if end == "killed":
            command.kill()
        else:
            command.communicate("go on\n")
    assert all_gone(started, 30)
