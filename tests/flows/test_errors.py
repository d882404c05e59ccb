"""What people get wrong: each fault gives a message that says what, where and what to do, exit status 1 or 2."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.flows.jobs import SMOKE, Ended, Home

GOOD = {"code": "def f(x):\n    y = x + 1\n    return y * 2\n", "input": "3", "output": "8"}


def refresh(home: Home, *arguments: str) -> Ended:
    return home.run("refresh", "--recipe", str(SMOKE), *arguments)


def no_rows_and_no_work(home: Home) -> bool:
    return not list(home.folder.glob("work/*/*")) and not list(home.folder.glob("artifacts/**/*.json"))


def test_a_missing_folder_of_programs_is_named(home: Home, tmp_path: Path) -> None:
    ended = refresh(home, "--programs", str(tmp_path / "nowhere"))
    assert ended.code == 1
    assert "nowhere" in ended.err and "folder of Python files" in ended.err
    assert "Traceback" not in ended.text and no_rows_and_no_work(home)


def test_an_empty_source_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    ended = refresh(home, "--programs", str(tmp_path / "programs"))
    assert ended.code == 1 and str(tmp_path / "programs") in ended.err
    assert "Traceback" not in ended.text


def test_malformed_rows_are_named_and_too_many_of_them_fail_the_run(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lacking = {"code": GOOD["code"], "input": "3"}
    path.write_text("\n".join([json.dumps(GOOD), "{not json", json.dumps(lacking)]), "utf-8")
    ended = refresh(home, "--programs", str(path))
    assert ended.code == 1
    assert f"{path}:2" in ended.text and f"{path}:3" in ended.text and "output" in ended.text
    assert "max_bad_share" in ended.err and "Traceback" not in ended.text


def test_bad_rows_below_the_share_are_left_out_and_the_run_goes_on(home: Home, tmp_path: Path) -> None:
    """A line that is no JSON, a program that never ends, one whose claim does not hold: each is counted."""
    endless = {
        "code": "def f(x):\n    y = x\n    while True:\n        y += 1\n    return y\n",
        "input": "3",
        "output": "3",
    }
    wrong = {**GOOD, "input": "4", "output": "11"}
    more = [{**GOOD, "input": str(n), "output": str((n + 1) * 2)} for n in range(10, 40)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([*map(json.dumps, [endless, wrong, *more]), "{not json"]), "utf-8")
    ended = refresh(home, "--programs", str(path))
    assert ended.code == 0, ended.text
    assert f"{path}:33" in ended.out and "1 bad rows left out" in ended.out
    assert "1 timeout" in ended.out and "1 unexpected_result" in ended.out


def test_a_python_file_that_does_not_parse_is_named(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "good.py").write_text(GOOD["code"] + "\nassert f(3) == 8\n", "utf-8")
    (folder / "broken.py").write_text("def f(:\n", "utf-8")
    ended = refresh(home, "--programs", str(folder))
    assert ended.code == 1 and "broken.py" in ended.text and "Traceback" not in ended.text


def test_an_unknown_key_in_a_recipe_is_named_with_the_known_ones(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SMOKE.read_text("utf-8").replace("[rl]", "[rl]\nlearning_rat = 1"), "utf-8")
    ended = home.run("train", "--recipe", str(path))
    assert ended.code == 1
    assert str(path) in ended.err and "learning_rat" in ended.err and "learning_rate" in ended.err
    assert "Traceback" not in ended.text


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    ended = Home(tmp_path / "home", {"STEPCODE_HOEM": "x"}).run("models")
    assert ended.code == 1 and "STEPCODE_HOEM" in ended.err and "STEPCODE_HOME" in ended.err


def test_usage_errors_exit_with_2(home: Home) -> None:
    assert home.run("train", "--no-such-option").code == 2
    assert home.run("train", "--set", "rl.updates").code == 2


def test_a_missing_benchmarks_folder_is_named(home: Home, tmp_path: Path) -> None:
    ended = refresh(Home(home.folder, {**home.variables, "STEPCODE_BENCHMARKS": str(tmp_path / "gone")}))
    assert ended.code == 1 and "STEPCODE_BENCHMARKS" in ended.err and "Traceback" not in ended.text


@pytest.mark.slow
def test_a_second_run_at_the_same_time_is_kept_out_and_told_who_is_at_work(home: Home) -> None:
    first = home.start("refresh", "--recipe", str(SMOKE))
    try:
        deadline = time.monotonic() + 120
        while not list(home.folder.glob("work/*")):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        second = refresh(home)
    finally:
        first.send_signal(signal.SIGINT)
        try:
            first.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            first.kill()
            first.communicate()
    assert second.code == 1 and str(first.pid) in second.err and "Traceback" not in second.text


def test_the_champion_of_an_empty_registry_is_a_message(home: Home) -> None:
    ended = home.run("lineage", "champion")
    assert ended.code == 1 and "champion" in ended.err and "Traceback" not in ended.text
    assert home.run("rollback", "--reason", "try").code == 1


def test_instrument_writes_the_anchored_source_and_nothing_else(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(GOOD["code"], "utf-8")
    ended = home.run("instrument", str(path))
    assert ended.code == 0 and ended.err == ""
    assert ended.out == (
        "def f(x):\n    y = x + 1\n    print(f'y: {y}')\n    return_val = y * 2\n"
        "    print(f'return_val: {return_val}')\n    return return_val\n"
    )


def test_trace_shows_states_result_and_verdict(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(GOOD["code"], "utf-8")
    ended = home.run("trace", str(path), "--call", "f(3)", "--json")
    assert ended.code == 0, ended.text
    shown = json.loads(ended.out)
    assert [text for _, text in shown["observation"]["states"]] == ["y: 4", "return_val: 8"]
    assert shown["observation"]["result"] == "8" and shown["sandbox"]["isolated"] is True
    assert [event["line"] for event in shown["events"] if event["kind"] == "line"][-2:] == [2, 3]
