"""One conformance test for every backend, then what is particular to each."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest
from minio import Minio

from datastore.artifacts import (
    FOLDER_MEDIA_TYPE,
    Artifact,
    ArtifactError,
    ArtifactMissing,
    ArtifactStore,
    CorruptArtifact,
    digest_of_folder,
    open_store,
)
from tests.datastore.children import child, wait_for_line
from tests.services.radosgw import S3Server

# echo -n hello | sha256sum
HELLO = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
ABSENT = "sha256:" + "0" * 64


def folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def content(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_bytes_come_back_under_the_digest_of_their_content(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", "text/plain")
    assert artifact == Artifact(HELLO, 5, "text/plain")
    assert store.get_bytes(HELLO) == b"hello"


@pytest.mark.parametrize("size_bytes", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 17 << 20])
def test_files_of_every_size_come_back_equal(store: ArtifactStore, tmp_path: Path, size_bytes: int) -> None:
    """Around the size of a chunk (1 MiB), and above that of an S3 part (16 MiB)."""
    (tmp_path / "in").write_bytes(os.urandom(size_bytes))
    artifact = store.put_file(tmp_path / "in")
    store.fetch(artifact.digest, tmp_path / "out")
    assert artifact.size_bytes == size_bytes
    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()


def test_a_second_put_writes_nothing(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.put_bytes(b"hello")
    written: list[str] = []
    monkeypatch.setattr(store.backend, "write", lambda digest, *_: written.append(digest))
    assert store.put_bytes(b"hello") == first
    assert written == []


def test_what_was_never_stored_does_not_exist_and_says_where_it_was_looked_for(store: ArtifactStore) -> None:
    assert not store.exists(ABSENT)
    with pytest.raises(ArtifactMissing, match=r"sha256/00/0{64}: no such artifact"):
        store.get_bytes(ABSENT)


def test_bytes_changed_in_the_store_are_refused_naming_digest_and_place(store: ArtifactStore, tmp_path: Path) -> None:
    store.put_bytes(b"hello")
    store.backend.write(HELLO, io.BytesIO(b"jello"), 5, "text/plain")
    with pytest.raises(CorruptArtifact) as caught:
        store.get_bytes(HELLO)
    assert HELLO in str(caught.value) and store.backend.where(HELLO) in str(caught.value)
    with pytest.raises(CorruptArtifact):
        store.fetch(HELLO, tmp_path / "out")
    with pytest.raises(CorruptArtifact):
        store.verify(HELLO)
    assert list(tmp_path.glob("*out*")) == []


def test_an_object_of_the_wrong_size_is_written_again_by_the_next_put(store: ArtifactStore) -> None:
    store.backend.write(HELLO, io.BytesIO(b"hel"), 3, "text/plain")
    store.put_bytes(b"hello")
    assert store.get_bytes(HELLO) == b"hello"


def test_a_folder_comes_back_whole(store: ArtifactStore, tmp_path: Path) -> None:
    files = {"a.txt": b"A", "sub/b.bin": b"\x00\xff", "sub/deep/ü.txt": b"", "z": b"A"}
    artifact = store.put_folder(folder(tmp_path / "in", files))
    assert (artifact.size_bytes, artifact.media_type) == (4, FOLDER_MEDIA_TYPE)
    assert content(store.fetch(artifact.digest, tmp_path / "out")) == files
    assert list(store.files(artifact.digest) or {}) == ["a.txt", "sub/b.bin", "sub/deep/ü.txt", "z"]


def test_a_folder_is_known_by_names_and_contents_alone(store: ArtifactStore, tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"a": b"1", "b": b"2"})
    two = folder(tmp_path / "two", {"b": b"2", "a": b"1"})
    os.utime(two / "a", (0, 0))
    (two / "b").chmod(0o600)
    (two / "empty").mkdir()
    # printf '{"_type":…,"files":{"a":{…},"b":{…}}}' | sha256sum, with the digests of "1" and "2"
    worked_by_hand = "sha256:1fec38f17c63fe2ebc978fc61ed5a2f0310120c49b84d5daee64293d569b1588"
    assert store.put_folder(one).digest == store.put_folder(two).digest == digest_of_folder(two) == worked_by_hand
    (two / "a").rename(two / "c")
    assert store.put_folder(two).digest != worked_by_hand


def test_fetching_over_an_older_folder_or_file_replaces_it(store: ArtifactStore, tmp_path: Path) -> None:
    new = store.put_folder(folder(tmp_path / "new", {"kept": b"new"}))
    out = folder(tmp_path / "out", {"kept": b"old", "gone": b"old"})
    assert content(store.fetch(new.digest, out)) == {"kept": b"new"}
    store.fetch(store.put_bytes(b"file").digest, out)
    assert out.read_bytes() == b"file"
    store.fetch(store.put_bytes(b"other").digest, out)
    assert out.read_bytes() == b"other"
    assert content(store.fetch(new.digest, out)) == {"kept": b"new"}
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "store") == ["new", "out"]


def test_a_folder_with_one_bad_file_is_not_fetched_at_all(store: ArtifactStore, tmp_path: Path) -> None:
    artifact = store.put_folder(folder(tmp_path / "in", {"a": b"good", "b": b"hello"}))
    store.backend.write(HELLO, io.BytesIO(b"jello"), 5, "text/plain")
    with pytest.raises(CorruptArtifact):
        store.fetch(artifact.digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(CorruptArtifact):
        store.verify(artifact.digest)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", ".", "", "a//b", "./a"])
def test_a_manifest_that_names_a_place_outside_its_folder_is_refused(
    store: ArtifactStore, name: str, tmp_path: Path
) -> None:
    store.put_bytes(b"hello")
    manifest = {"_type": FOLDER_MEDIA_TYPE, "files": {name: {"digest": HELLO, "size": 5}}}
    forged = store.put_bytes(json.dumps(manifest, separators=(",", ":")).encode())
    with pytest.raises(CorruptArtifact, match="outside its folder"):
        store.fetch(forged.digest, tmp_path / "deep" / "out")
    assert not (tmp_path / "evil").exists()


def test_a_link_in_a_folder_is_refused_by_name(store: ArtifactStore, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", {"a": b"1"})
    (source / "link").symlink_to("a")
    with pytest.raises(ArtifactError, match=r"in/link is a link"):
        store.put_folder(source)


def test_a_file_that_changes_while_it_is_stored_is_not_stored(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"hello")
    write = store.backend.write

    def change_first(*arguments: object) -> None:
        path.write_bytes(b"jello")
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store.backend, "write", change_first)
    with pytest.raises(CorruptArtifact, match="growing"):
        store.put_file(path)
    assert not store.exists(HELLO)


def test_bytes_appended_while_a_file_is_stored_are_left_out(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"hello")
    write = store.backend.write

    def append_first(*arguments: object) -> None:
        path.write_bytes(b"hello, world")
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store.backend, "write", append_first)
    assert store.put_file(path).digest == HELLO
    assert store.get_bytes(HELLO) == b"hello"


def test_writers_of_the_same_content_at_the_same_time_all_succeed(store: ArtifactStore) -> None:
    data = os.urandom(3 << 20)
    found: list[Artifact] = []
    threads = [threading.Thread(target=lambda: found.append(store.put_bytes(data))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and len(set(found)) == 1
    assert store.get_bytes(found[0].digest) == data
    assert list(store.backend.digests()) == [(found[0].digest, 3 << 20)]


KILLED_WRITER = """
import io, json, sys, time
from datastore.artifacts import open_store

class Half(io.RawIOBase):
    num_left = 20
    def read(self, size=-1):
        if not self.num_left:
            print("half", flush=True)
            time.sleep(600)
        self.num_left -= 1
        return bytes(1 << 20)

settings, digest = json.loads(sys.argv[1]), sys.argv[2]
open_store(**settings).backend.write(digest, Half(), 40 << 20, "application/octet-stream")
"""


def test_a_writer_killed_halfway_leaves_nothing_to_read(
    store: ArtifactStore, store_settings: dict[str, object]
) -> None:
    with child(KILLED_WRITER, json.dumps(store_settings), HELLO) as writer:
        wait_for_line(writer, "half")
        writer.kill()
    assert not store.exists(HELLO)
    assert list(store.backend.digests()) == []
    store.put_bytes(b"hello")
    assert store.get_bytes(HELLO) == b"hello"


def test_removed_objects_are_gone_and_removing_twice_is_no_error(store: ArtifactStore) -> None:
    store.put_bytes(b"hello")
    store.backend.remove(HELLO)
    store.backend.remove(HELLO)
    assert not store.exists(HELLO)


def test_a_store_that_was_closed_and_opened_again_has_its_content(store_settings: dict[str, object]) -> None:
    open_store(**store_settings).put_bytes(b"hello")  # type: ignore[arg-type]
    assert open_store(**store_settings).get_bytes(HELLO) == b"hello"  # type: ignore[arg-type]


def test_a_path_that_is_not_a_digest_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactError, match="not a digest"):
        store.get_bytes("sha256:../../etc/passwd")


@pytest.mark.parametrize(
    "url", ["/tmp/x", "file://host/x", "file:///", "s3://host:1/", "s3://key:secret@host/bucket", "gs://bucket/x"]
)
def test_a_url_of_another_kind_is_refused_with_the_two_kinds_there_are(url: str) -> None:
    with pytest.raises(ArtifactError, match=r"use file:///absolute/folder or s3://"):
        open_store(url)


def test_a_file_in_place_of_the_store_is_explained(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("in the way")
    with pytest.raises(ArtifactError, match=rf"file://{tmp_path}/store cannot be opened"):
        open_store(f"file://{tmp_path}/store")


def test_leftovers_of_killed_writers_are_swept_after_a_day(tmp_path: Path) -> None:
    open_store(f"file://{tmp_path}")
    old, young = tmp_path / "partial" / "old", tmp_path / "partial" / "young"
    old.write_text("x")
    young.write_text("x")
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    open_store(f"file://{tmp_path}")
    assert not old.exists() and young.exists()


def test_an_unreachable_server_is_named_with_what_to_check() -> None:
    with socket.socket() as reserved:  # bound but not listening: refused at once
        reserved.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(ArtifactError, match=rf"'bucket' at http://{endpoint} cannot be opened.*Check that"):
            open_store(f"s3://{endpoint}/bucket", access_key="a", secret_key="b", secure=False)


@pytest.mark.services
def test_a_new_bucket_keeps_versions(radosgw: S3Server) -> None:
    url = radosgw.url()
    open_store(url, access_key=radosgw.access_key, secret_key=radosgw.secret_key, secure=False)
    client = Minio(radosgw.endpoint, radosgw.access_key, radosgw.secret_key, secure=False)
    assert client.get_bucket_versioning(url.split("/")[3]).status == "Enabled"


@pytest.mark.services
def test_a_wrong_secret_is_refused_with_what_to_check(radosgw: S3Server) -> None:
    with pytest.raises(ArtifactError, match="check "):
        open_store(radosgw.url(), access_key=radosgw.access_key, secret_key="wrong", secure=False)


@pytest.mark.services
def test_two_prefixes_of_one_bucket_are_two_stores(radosgw: S3Server) -> None:
    url = radosgw.url()
    keys = {"access_key": radosgw.access_key, "secret_key": radosgw.secret_key}
    one, two = (open_store(f"{url}/{name}", **keys, secure=False) for name in ("one", "two"))
    one.put_bytes(b"hello")
    assert one.exists(HELLO) and not two.exists(HELLO)
