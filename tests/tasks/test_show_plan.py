"""The dry run of a recipe that starts from a registered model: looked up where there is a database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from datastore.database import open_database
from infra.settings import Settings
from tasks.show_plan import show_plan
from tests.datastore.test_registry import register
from training.config import load_recipe


def planned(home: Path, start: str, capsys: pytest.CaptureFixture[str]) -> tuple[bool, str]:
    """Whether it works, and what stands among its needs, problems and notes."""
    works = show_plan(
        Console(),
        recipe="tiny",
        programs=None,
        changes={"model.start_from": start},
        settings=Settings(home=home),  # type: ignore[call-arg]
        gpu_memory_gib=4,
        as_json=True,
    )
    found = json.loads(capsys.readouterr().out)
    assert found["works"] is works
    needs = [need["found"] for need in found["needs"] if need["what"] == "starting model"]
    return works, "\n".join([*needs, *found["problems"], *found["notes"]])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder whose database has version 1, and no alias."""
    with open_database(f"sqlite:///{tmp_path}/stepcode.db") as database:
        assert register(database, "weights").number == 1
    return tmp_path


def test_a_registered_version_is_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    works, text = planned(home, "1", capsys)
    assert works
    assert "version 1" in text


@pytest.mark.parametrize(("start", "words"), [("nosuch", "no alias 'nosuch'"), ("2", "version 2"), ("champion", "no ")])
def test_what_is_not_registered_can_not_work(
    home: Path, start: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    works, text = planned(home, start, capsys)
    assert not works
    assert f"recipe tiny starts from '{start}' (model.start_from)" in text
    assert words in text


def test_without_a_database_none_is_made_and_the_plan_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    works, text = planned(tmp_path, "champion", capsys)
    assert works
    assert "model.start_from = 'champion' was not looked up: there is no database at" in text
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_of_its_own_model_is_not_looked_up(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_recipe("tiny").model.start_from == ""
    works, text = planned(home, "", capsys)
    assert works
    assert "start_from" not in text
