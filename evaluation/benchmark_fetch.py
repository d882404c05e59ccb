"""Fetching a benchmark: its publisher's own files, whole or not at all, going on where a download broke off.

Hugging Face's files come through its client (which keeps its own notes in the hidden folder `.cache`), others over
HTTPS into NAME.part, renamed when all bytes are there.
"""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from fnmatch import fnmatch
from http.client import HTTPException
from pathlib import Path

from evaluation.benchmark_files import BenchmarkError, Download
from evaluation.catalogue import Benchmark, entry, look, write_checksums

_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 60.0
_TRIES = 3
_PARTIAL_CONTENT, _NOT_SATISFIABLE = 206, 416


def fetch(name: str, folder: Path, told: Callable[[str], None] = lambda _: None) -> Benchmark:
    """Get a benchmark's files into folder/NAME and read them. A file that is there is kept. BenchmarkError for a name
    that is none, for a server that does not give the files, and for files that are no good. Their SHA-256 is kept
    beside them and checked whenever they are read."""
    about = entry(name).about
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    for one in about.downloads:
        told(f"{name}: {one.name} from {one.place}")
        if one.kind == "hub":
            _from_hub(one, place)
        else:
            download(one.place, place / one.name)
    benchmark = look(folder, name)
    write_checksums(folder, benchmark)
    return benchmark


def download(url: str, target: Path) -> None:
    """Get a URL's bytes into `target`, or leave it as it is. A part that is there already is gone on from where the
    server can; three tries. BenchmarkError says what went wrong; the part stays for the next time."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    for number in range(1, _TRIES + 1):
        try:
            _append(url, part)
            break
        except urllib.error.HTTPError as error:
            raise BenchmarkError(f"{url}: the server says {error.code} {error.reason}") from error
        except (OSError, HTTPException) as error:
            if number == _TRIES:
                raise BenchmarkError(f"{url}: {error}; what came is in {part}, run it again to go on") from error
            time.sleep(number)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)


def _append(url: str, part: Path) -> None:
    """Bytes of `url` that `part` has not. OSError where fewer came than were announced."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if have and error.code == _NOT_SATISFIABLE:  # nothing is left to get, or the file is another one now
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink()
            raise OSError("the part that was there does not fit the file") from error
        raise
    with answer:
        goes_on = answer.status == _PARTIAL_CONTENT
        announced = answer.headers.get("Content-Length")
        came = 0
        with part.open("ab" if goes_on else "wb") as file:
            while piece := answer.read(_CHUNK_BYTES):
                came += file.write(piece)
    if announced is not None and came != int(announced):
        raise OSError(f"{came:,} of {int(announced):,} bytes came")


def _from_hub(one: Download, place: Path) -> None:
    """The files of a data set that match; HF_ENDPOINT names another Hub, HF_TOKEN a reader."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        names = [one.name]
        if "*" in one.name:
            listed = api.list_repo_files(one.place, repo_type="dataset")
            names = sorted(name for name in listed if fnmatch(name, one.name))
        if not names:
            raise BenchmarkError(f"the data set {one.place} has no file {one.name}")
        for name in names:
            if not (place / name).exists():
                api.hf_hub_download(one.place, name, repo_type="dataset", local_dir=place)
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise BenchmarkError(f"Hugging Face does not give {one.place} ({one.name}): {error}") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in {"httpx", "httpcore"}:  # its client's own, unwrapped
            raise BenchmarkError(f"Hugging Face can't be reached for {one.place}: {error}") from error
        raise
