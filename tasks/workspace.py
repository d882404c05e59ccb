"""What a step works with: settings, the artifact store, lineage and registry, and a folder for work in progress."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from datastore.artifacts import ArtifactStore, open_store
from datastore.database import Database, open_database
from datastore.lineage import Lineage
from datastore.locks import exclusive
from datastore.registry import Registry
from infra.settings import Settings, load_settings


@dataclass(frozen=True)
class Workspace:
    """Everything that a step reads from or writes to."""

    settings: Settings
    database: Database
    store: ArtifactStore
    lineage: Lineage
    registry: Registry

    @property
    def home(self) -> Path:
        return self.settings.home.resolve()

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    def work_folder(self, job: str, step_id: str) -> Path:
        """Where one step keeps what it has done so far; the same step finds it again after a kill."""
        return self.home / "work" / f"{job}-{step_id[:16]}"


def open_workspace(settings: Settings | None = None) -> Workspace:
    """Open (and where needed create) the database and the store that the settings name."""
    settings = settings or load_settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database)
    store = open_store(
        settings.artifacts,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        region=settings.s3_region,
        secure=settings.s3_secure,
    )
    return Workspace(settings, database, store, Lineage(database), Registry(database))


@lru_cache(maxsize=1)
def current_workspace() -> Workspace:
    """This process's workspace: one set of connections for all its steps."""
    return open_workspace()


_held = ContextVar("pipeline_lock_held", default=False)


@contextmanager
def single_run(workspace: Workspace) -> Iterator[None]:
    """Keep a second run of the pipeline out (datastore.errors.Busy says who is at work); a subflow is let in."""
    if _held.get():
        yield
        return
    with exclusive(workspace.database, "pipeline"):
        token = _held.set(True)
        try:
            yield
        finally:
            _held.reset(token)


@lru_cache
def code_version(*packages: str) -> str:
    """16 hex digits that stand for the sources of the named packages of ours, so that changed code runs again."""
    digest = hashlib.sha256()
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(f"no package {package!r} to take the code version of")
        root = Path(next(iter(spec.submodule_search_locations)))
        for path in sorted(root.rglob("*")):
            if path.suffix in {".py", ".toml", ".json"} and path.is_file():
                digest.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@lru_cache
def versions() -> dict[str, str]:
    """The interpreter and the packages that results depend on, as recorded with every run."""
    names = (
        "stepcode",
        "torch",
        "transformers",
        "trl",
        "tokenizers",
        "numpy",
        "pyarrow",
        "great-expectations",
    )
    found = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), "platform": sys.platform, **found}
