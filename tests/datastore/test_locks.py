"""One holder at a time, across real processes, on SQLite and Postgres."""

from __future__ import annotations

import os
import re
import socket
import threading
import time

import pytest

from datastore.database import Database, open_database
from datastore.locks import Busy, exclusive
from tests.datastore.children import child, wait_for_line

HOLDER = """
import sys, time
from datastore.database import open_database
from datastore.locks import exclusive
with open_database(sys.argv[1]) as database, exclusive(database, "flow"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_process_is_told_who_holds_the_lock_and_gets_it_when_that_is_killed(
    database: Database, database_url: str
) -> None:
    with child(HOLDER, database_url) as holder:
        wait_for_line(holder, "held")
        with pytest.raises(Busy) as caught, exclusive(database, "flow"):
            pass
        who = rf"'flow' is already running: process {holder.pid} on {re.escape(socket.gethostname())} since 20\d\d-"
        assert re.match(who, str(caught.value))
        assert "secret" not in str(caught.value)
        holder.kill()  # SIGKILL: the holder runs no code of its own
        holder.wait()
        with exclusive(database, "flow", wait_s=30):
            pass


def test_the_lock_is_free_again_after_the_block_and_after_an_error_in_it(database: Database) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), exclusive(database, "flow"):
            _ = 1 / 0
    with exclusive(database, "flow"):
        pass


def test_other_names_and_other_databases_are_other_locks(
    database: Database, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        open_database(f"sqlite:///{tmp_path_factory.mktemp('other')}/stepcode.db") as other,
        exclusive(database, "flow"),
        exclusive(database, "other-flow"),
        exclusive(other, "flow"),
    ):
        pass


def test_a_second_attempt_of_the_same_process_is_busy(database: Database) -> None:
    with exclusive(database, "flow"):
        with pytest.raises(Busy, match=f"process {os.getpid()} "), exclusive(database, "flow"):
            pass
        with pytest.raises(Busy), exclusive(database, "flow"):  # the failed attempt released nothing
            pass


def test_a_waiter_gets_the_lock_when_it_is_released(database: Database) -> None:
    held, order = threading.Event(), []

    def hold() -> None:
        with exclusive(database, "flow"):
            held.set()
            time.sleep(0.3)
            order.append("released")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    with exclusive(database, "flow", wait_s=30):
        order.append("taken")
    thread.join()
    assert order == ["released", "taken"]


def test_work_in_the_database_goes_on_while_a_lock_is_held(database: Database) -> None:
    with exclusive(database, "flow"), database.write("flow") as session:
        session.connection()
    assert database.counts()["run"] == 0


@pytest.mark.parametrize("name", ["", "../evil", "a b", "x" * 101])
def test_a_name_that_could_be_a_path_is_refused(database: Database, name: str) -> None:
    with pytest.raises(ValueError, match="no name for a lock"), exclusive(database, name):
        pass
