"""The environment: constraints.txt pins every package that ours need, at the version that is installed."""

from __future__ import annotations

import importlib.metadata
import os
import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.environment import FIXED, prepare_environment
from infra.settings import Settings

ROOT = Path(__file__).parent.parent.parent


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line) for line in lines)
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def needed(distribution: str, extras: frozenset[str]) -> dict[str, str]:
    """All that is installed because `distribution[extras]` asks for it, by name, with its version."""
    found: dict[str, str] = {}
    todo = [(distribution, extras)]
    seen = set()
    while todo:
        name, wanted = todo.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            asked = [{"extra": extra} for extra in wanted] or [{"extra": ""}]
            if requirement.marker is None or any(requirement.marker.evaluate(one) for one in asked):
                child = canonicalize_name(requirement.name)
                found[child] = importlib.metadata.version(child)
                todo.append((child, frozenset(requirement.extras)))
    return found


def test_everything_installed_for_stepcode_and_its_development_is_pinned_at_its_version() -> None:
    pinned = pins()
    # Libraries of torch's CUDA build are pinned by torch itself, each exactly.
    installed = {
        name: version.partition("+")[0]
        for name, version in needed("stepcode", frozenset({"dev"})).items()
        if not name.startswith(("nvidia-", "cuda-"))
    }
    assert len(installed) > 100
    assert {name: pinned.get(name) for name in installed} == installed


def test_environment_prepared_for_a_run_keeps_what_was_set(monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(os, "environ", {"DO_NOT_TRACK": "0"})
    prepare_environment(Settings(home=tmp_path, _env_file=None))
    assert os.environ["DO_NOT_TRACK"] == "0"
    assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert {name: os.environ[name] for name in FIXED if name != "DO_NOT_TRACK"} == {
        name: value for name, value in FIXED.items() if name != "DO_NOT_TRACK"
    }
