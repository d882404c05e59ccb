"""A real S3 server: Ceph's radosgw over one monitor and one object store in memory, from Debian's packages.

The only S3 server at hand with object versions, tags and checked signatures. It starts in about two
seconds and takes about 150 MB.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import urllib3

from tests.services.processes import ServiceError, free_port, run_as, running, short_folder, unavailable, wait_until

BINARIES = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "ceph-authtool", "monmaptool")
START_TIMEOUT_S = 120.0
STEP_TIMEOUT_S = 60.0
OBJECT_STORE_BYTES = 1 << 30

CONFIG = """\
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}
mon initial members = a
public addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr2 = false
run dir = {root}/run
admin socket = {root}/run/$cluster-$name.asok
pid file = {root}/$name.pid
log file = {root}/$name.log
keyring = {root}/keyring
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
mon warn on pool no redundancy = false
mon allow pool size one = true
osd crush chooseleaf type = 0
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon max pg per osd = 1000
# A lone monitor has nobody to wait for; with the defaults, starting takes 14 seconds instead of 2.
paxos propose interval = 0.02
paxos min wait = 0.01
mon data = {root}/mon
mon data avail warn = 1
mon data avail crit = 0
mon osd full ratio = .99
mon osd nearfull ratio = .98
[osd]
osd data = {root}/osd
osd objectstore = memstore
memstore device bytes = {object_store_bytes}
osd journal size = 64
osd max object name len = 460
osd max object namespace len = 64
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{rgw_port} tcp_nodelay=1
rgw data = {root}/rgw
rgw gc obj min wait = 300
rgw enable ops log = false
rgw enable usage log = false
rgw thread pool size = 32
rgw rados pool autoscale bias = 1
rgw verify ssl = false
"""


@dataclass(frozen=True)
class S3Server:
    """A running server. `endpoint` is `127.0.0.1:port`, plain http."""

    endpoint: str
    access_key: str
    secret_key: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, prefix: str = "artifacts") -> str:
        """An artifact-store URL in a bucket that does not exist yet."""
        return f"s3://{self.endpoint}/bucket-{next(self._numbers)}/{prefix}"


def missing_binaries() -> list[str]:
    return [name for name in BINARIES if shutil.which(name) is None]


@contextlib.contextmanager
def running_radosgw() -> Iterator[S3Server]:
    """Start monitor, object store and gateway in the foreground. Raises ServiceError."""
    if missing_binaries():
        raise ServiceError(f"not installed: {', '.join(missing_binaries())}")
    with short_folder("rgw-") as root, contextlib.ExitStack() as daemons:
        mon_port, rgw_port = free_port(), free_port()
        config = _configure(root, mon_port, rgw_port)

        def daemon(name: str, *arguments: str | Path) -> tuple[subprocess.Popen[bytes], Path]:
            log = root / f"{name}.out"
            command = [name, "-c", config, "-f", *arguments]
            return daemons.enter_context(running(command, cwd=root, log=log, stop_with=signal.SIGKILL)), log

        monitor, log = daemon("ceph-mon", "-i", "a")
        wait_until(lambda: _ceph(config, "mon", "stat") is not None, monitor, log, STEP_TIMEOUT_S)
        number = (_ceph(config, "osd", "create") or "").strip()
        format_store = ["ceph-osd", "-c", str(config), "-i", number, "--mkfs", "--no-mon-config"]
        run_as(format_store, None, cwd=root, timeout_s=STEP_TIMEOUT_S)
        _ceph(config, "osd", "crush", "add", f"osd.{number}", "1.0", "host=h", "root=default")
        store, log = daemon("ceph-osd", "-i", number, "--no-mon-config")
        wait_until(lambda: "1 up" in (_ceph(config, "osd", "stat") or ""), store, log, STEP_TIMEOUT_S)
        gateway, log = daemon("radosgw", "-n", "client.rgw", "--no-mon-config")
        endpoint = f"127.0.0.1:{rgw_port}"
        wait_until(lambda: _answers(endpoint), gateway, log, START_TIMEOUT_S)
        server = S3Server(endpoint, "stepcode", "stepcode-secret")
        user = ["--uid=stepcode", "--display-name=stepcode"]
        user += [f"--access-key={server.access_key}", f"--secret-key={server.secret_key}"]
        admin = ["radosgw-admin", "-c", str(config), "-n", "client.rgw", "user", "create", *user]
        run_as(admin, None, cwd=root, timeout_s=STEP_TIMEOUT_S)
        yield server


def _configure(root: Path, mon_port: int, rgw_port: int) -> Path:
    for name in ("mon", "osd", "rgw", "run"):
        (root / name).mkdir()
    fsid = str(uuid.uuid4())
    values = {"fsid": fsid, "root": root, "mon_port": mon_port, "rgw_port": rgw_port}
    config, keyring, monmap = root / "ceph.conf", root / "keyring", root / "monmap"
    config.write_text(CONFIG.format(**values, object_store_bytes=OBJECT_STORE_BYTES))
    caps = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
    steps: list[list[str | Path]] = [
        ["ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"],
        ["ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *caps],
        ["monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{mon_port}]", monmap],
        ["ceph-mon", "-c", config, "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", keyring],
    ]
    for step in steps:
        run_as(step, None, cwd=root, timeout_s=STEP_TIMEOUT_S)
    return config


def _ceph(config: Path, *arguments: str) -> str | None:
    """The output of a command to the cluster, None when it does not answer."""
    command = ["ceph", "-c", str(config), "--connect-timeout", "5", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def _answers(endpoint: str) -> bool:
    try:
        return bool(urllib3.request("GET", f"http://{endpoint}/", timeout=2, retries=False).status == 200)
    except urllib3.exceptions.HTTPError:
        return False


@pytest.fixture(scope="session")
def radosgw() -> Iterator[S3Server]:
    """One S3 server for the session."""
    if missing_binaries():
        unavailable(
            f"radosgw cannot be started, not installed: {', '.join(missing_binaries())}"
            " (Debian: apt-get install --no-install-recommends ceph-mon ceph-osd radosgw ceph-common)"
        )
    with running_radosgw() as server:
        yield server
