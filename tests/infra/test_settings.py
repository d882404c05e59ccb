"""Settings: read from the environment, refused by name, and every one of them documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.settings import Settings, SettingsError, load_settings, settings_table

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = (ROOT / "docs" / "settings.md").read_text("utf-8")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests."""
    import os

    for name in [name for name in os.environ if name.startswith("STEPCODE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    assert settings_table() in DOCUMENT, "docs/settings.md lacks the table that `python -m infra.settings` prints"


def test_no_setting_is_documented_that_is_not_there() -> None:
    known = {f"STEPCODE_{name.upper()}" for name in Settings.model_fields}
    for page in sorted((ROOT / "docs").glob("*.md")):
        assert set(re.findall(r"\bSTEPCODE_[A-Z0-9_]+\b", page.read_text("utf-8"))) <= known, page.name


def test_defaults_keep_everything_in_one_folder_of_this_machine(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.database == f"sqlite:///{tmp_path / '.stepcode' / 'stepcode.db'}"
    assert settings.artifacts == (tmp_path / ".stepcode" / "artifacts").as_uri()
    assert settings.workers >= 1


def test_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STEPCODE_WORKERS=3\nSTEPCODE_MODEL=from-file\n")
    monkeypatch.setenv("STEPCODE_WORKERS", "5")
    settings = load_settings()
    assert (settings.workers, settings.model) == (5, "from-file")


def test_unknown_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPCODE_WORKER", "5")
    with pytest.raises(SettingsError, match=r"unknown setting STEPCODE_WORKER .*STEPCODE_WORKERS"):
        load_settings()


def test_bad_value_is_refused_with_the_name_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPCODE_PREFECT_PORT", "70000")
    with pytest.raises(SettingsError, match=r"STEPCODE_PREFECT_PORT: .*65535"):
        load_settings()


def test_secret_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPCODE_S3_SECRET_KEY", "hush")
    assert "hush" not in repr(load_settings())


def test_key_of_a_model_server_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPCODE_API_KEY", "hush")
    assert load_settings().api_key.get_secret_value() == "hush"
    assert "hush" not in repr(load_settings())
