"""Checkpoints of running steps: the newest is there, older ones are gone, and what comes back is what was stored."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from datastore.artifacts import ArtifactStore
from datastore.checkpoints import Checkpoints
from datastore.database import Database
from datastore.errors import ArtifactError, CorruptArtifact
from datastore.packed import PackedFiles, unpack


def files(folder: Path, **contents: bytes) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        found[f"deep/{name}"] = folder / name
    return found


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 3_000_000])
def test_packed_files_are_a_tar_of_them(tmp_path: Path, size: int) -> None:
    given = files(tmp_path / "in", b=b"x" * size, a="ä".encode())
    data = PackedFiles(given).read()
    assert data == PackedFiles(given).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["deep/a", "deep/b"]
    unpack(io.BytesIO(data), tmp_path / "out")  # type: ignore[arg-type]
    assert (tmp_path / "out" / "deep" / "b").read_bytes() == b"x" * size
    assert (tmp_path / "out" / "deep" / "a").read_text() == "ä"
    chunks = PackedFiles(given)
    assert b"".join(iter(lambda: chunks.read(1000), b"")) == data


def test_a_file_that_shrinks_is_an_error(tmp_path: Path) -> None:
    given = files(tmp_path, a=b"x" * 3_000_000)
    packed = PackedFiles(given)
    packed.read(1000)
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(ValueError, match="became shorter"):
        packed.read()


def test_the_newest_is_kept_and_comes_back(database: Database, store: ArtifactStore, tmp_path: Path) -> None:
    checkpoints = Checkpoints(database, store)
    assert checkpoints.stored("train-rl", "s1") == []
    saved = [
        checkpoints.save("train-rl", "s1", update, files(tmp_path / "in", weights=b"w" * update)) for update in (10, 20)
    ]
    other = checkpoints.save("train-rl", "s2", 5, files(tmp_path / "in", weights=b"w" * 10))
    assert checkpoints.stored("train-rl", "s1") == [saved[1]]
    assert store.backend.size(saved[1].digest) is not None
    checkpoints.restore(saved[1], tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "weights").read_bytes() == b"w" * 20
    assert checkpoints.stored("train-rl", "s2") == [other]
    assert other.digest == saved[0].digest
    checkpoints.forget("train-rl", "s1")
    assert checkpoints.stored("train-rl", "s1") == []
    assert store.backend.size(saved[1].digest) is None
    checkpoints.restore(other, tmp_path / "other")


def test_those_that_are_to_be_kept_stay(database: Database, store: ArtifactStore, tmp_path: Path) -> None:
    checkpoints = Checkpoints(database, store)
    for update in (10, 20, 30, 40):
        checkpoints.save("train-rl", "s1", update, files(tmp_path / "in", weights=b"w" * update), keep=[20])
    assert [one.update for one in checkpoints.stored("train-rl", "s1")] == [20, 40]
    assert len(list(store.backend.digests())) == 2
    checkpoints.save("train-rl", "s1", 30, files(tmp_path / "in", weights=b"w"), keep=[30])
    assert [one.update for one in checkpoints.stored("train-rl", "s1")] == [30, 40], "a newer one is never forgotten"


def test_a_checkpoint_that_is_stored_again_leaves_no_bytes(
    database: Database, store: ArtifactStore, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(database, store)
    for content in (b"first", b"second", b"second"):
        saved = checkpoints.save("train-rl", "s1", 10, files(tmp_path / "in", weights=content))
    assert checkpoints.stored("train-rl", "s1") == [saved]
    assert [digest for digest, _ in store.backend.digests()] == [saved.digest]


def test_bytes_that_another_step_needs_stay(database: Database, store: ArtifactStore, tmp_path: Path) -> None:
    checkpoints = Checkpoints(database, store)
    given = files(tmp_path / "in", weights=b"same")
    checkpoints.save("train-rl", "s1", 1, given)
    checkpoints.save("train-rl", "s2", 1, given)
    checkpoints.forget("train-rl", "s1")
    [found] = checkpoints.stored("train-rl", "s2")
    checkpoints.restore(found, tmp_path / "out")
    checkpoints.forget("train-rl", "s2")
    assert store.backend.size(found.digest) is None


def test_a_damaged_checkpoint_is_not_believed(database: Database, store: ArtifactStore, tmp_path: Path) -> None:
    checkpoints = Checkpoints(database, store)
    saved = checkpoints.save("train-rl", "s1", 1, files(tmp_path / "in", weights=b"w" * 1000))
    store.backend.remove(saved.digest)
    damaged = PackedFiles(files(tmp_path / "in", weights=b"v" * 1000)).read()
    store.backend.write(saved.digest, io.BytesIO(damaged), len(damaged), "application/octet-stream")
    with pytest.raises(CorruptArtifact):
        checkpoints.restore(saved, tmp_path / "out")


def test_a_file_that_is_gone_records_nothing(database: Database, store: ArtifactStore, tmp_path: Path) -> None:
    checkpoints = Checkpoints(database, store)
    with pytest.raises(FileNotFoundError):
        checkpoints.save("train-rl", "s1", 1, {"weights": tmp_path / "none"})
    assert checkpoints.stored("train-rl", "s1") == []


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100])
def test_bytes_that_are_no_archive_are_no_checkpoint(
    database: Database, store: ArtifactStore, tmp_path: Path, content: bytes
) -> None:
    checkpoints = Checkpoints(database, store)
    saved = checkpoints.save("train-rl", "s1", 1, files(tmp_path / "in", weights=b"w" * 1000))
    store.backend.remove(saved.digest)
    store.backend.write(saved.digest, io.BytesIO(content), len(content), "application/octet-stream")
    with pytest.raises(CorruptArtifact):
        checkpoints.restore(saved, tmp_path / "out")


def test_what_can_not_be_removed_is_saved_past_and_still_known(
    database: Database,
    store: ArtifactStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    checkpoints = Checkpoints(database, store)

    def refuse(digest: str) -> None:
        raise ArtifactError(f"no right to remove {digest}")

    with monkeypatch.context() as patch:
        patch.setattr(store.backend, "remove", refuse)
        for update in (10, 20):
            checkpoints.save("train-rl", "s1", update, files(tmp_path / "in", weights=b"w" * update))
        assert [one.update for one in checkpoints.stored("train-rl", "s1")] == [10, 20]
        assert "older checkpoints of train-rl stay in the store: no right to remove" in caplog.text
    checkpoints.forget("train-rl", "s1")
    assert list(store.backend.digests()) == []
