"""The jail with a folder to write in: programs work in it, its limits hold, nothing outside is reached or left."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from execution.sandbox import Job, Observation, Sandbox, Verdict, open_sandbox
from tests.execution.attacks import errors_of
from tests.execution.conftest import LOW_LIMITS


def write(jail: Sandbox, source: str) -> Observation:
    return jail.run(Job(dedent(source), "f()", files=True))


def errors(jail: Sandbox, imports: str, *actions: str) -> str | None:
    """What each action raises where files may be written: an errno, a type's name, or 'DONE'."""
    return errors_of(jail, imports, *actions, files=True)


@pytest.mark.parametrize("backend", ["bubblewrap", "local"])
def test_programs_that_write_files_work(backend: str) -> None:
    source = """
        import os, shutil, sqlite3, tempfile
        def f():
            with open('a.txt', 'w') as out: out.write('hi')
            os.makedirs('d/e')
            shutil.copy2('a.txt', 'd/e/b.txt')
            os.rename('a.txt', 'c.txt')
            os.symlink('c.txt', 'l')
            with tempfile.TemporaryDirectory() as folder: open(folder + '/x', 'w').write('1')
            database = sqlite3.connect('x.db')
            database.execute('create table t (a)')
            database.execute('insert into t values (1)')
            database.commit()
            shutil.rmtree('d')
            return open('l').read(), sorted(os.listdir()), database.execute('select * from t').fetchall()
    """
    with open_sandbox(backend) as sandbox:
        assert write(sandbox, source).result == "('hi', ['c.txt', 'l', 'x.db'], [(1,)])"


def test_the_disk_cannot_be_filled(jail: Sandbox) -> None:
    source = """
        import os
        def f():
            written = 0
            try:
                for number in range(1000):
                    with open(str(number), 'wb', buffering=0) as out: written += out.write(bytes(1 << 20))
            except OSError as error:
                return written, error.errno
    """
    limit = LOW_LIMITS.files_bytes
    assert write(jail, source).result == f"({limit}, 28)"


def test_one_file_is_no_larger_than_a_record(jail: Sandbox) -> None:
    source = """
        def f():
            with open('x', 'wb', buffering=0) as out:
                try:
                    while True: out.write(bytes(1 << 16))
                except OSError as error:
                    return out.tell(), error.errno
    """
    assert write(jail, source).result == f"({LOW_LIMITS.record_bytes}, 27)"


@pytest.mark.parametrize(
    "make", ["open(str(n), 'w').close()", "os.mkdir(str(n))", "os.symlink('x', str(n))", "os.mkdir('d'); os.chdir('d')"]
)
def test_inodes_run_out_at_the_limit(jail: Sandbox, make: str) -> None:
    """Files, folders, links, and folders one inside the other."""
    source = f"""
        import os
        def f():
            n = 0
            try:
                while True:
                    {make}
                    n += 1
            except OSError as error:
                return n, error.errno
    """
    assert write(jail, source).result == f"({LOW_LIMITS.num_inodes - 1}, 28)"


def test_links_lead_nowhere_that_could_not_be_reached_without(jail: Sandbox) -> None:
    actions = [
        "open('root/etc/passwd')",
        "open('root/x', 'w')",
        "open('up/x', 'w')",
        "os.link(os.__file__, 'copy')",
        "os.rename('root/jail', 'mine')",
    ]
    links = "import os\ndef link():\n    os.symlink('/', 'root'); os.symlink('..', 'up')"
    assert errors(jail, links, "link()", *actions) == "['DONE', 2, 30, 30, 18, 18]"


def test_nothing_but_the_folder_can_be_written(jail: Sandbox) -> None:
    source = """
        import os
        def f():
            done = []
            for folder, folders, names in os.walk('/'):
                if folder.startswith('/tmp'): continue
                for action in (lambda: open(folder + '/x', 'w'), lambda: os.mkdir(folder + '/x'),
                               lambda: os.symlink('/', folder + '/x'), lambda: os.chmod(folder, 0o777),
                               lambda: os.utime(folder), lambda: os.rename(folder, '/tmp/x')):
                    try:
                        action()
                        done.append(folder)
                    except OSError: pass
                if folder.count('/') > 3: folders.clear()
            return done
    """
    assert write(jail, source).result == "[]"


def test_what_is_no_file_cannot_be_made(jail: Sandbox) -> None:
    actions = [
        "os.mkfifo('x')",
        "os.mknod('x', 0o60666, 1)",
        "socket.socket(socket.AF_UNIX).bind('x')",
        "os.chroot('.')",
    ]
    assert errors(jail, "import os, socket", *actions) == "[1, 1, 1, 1]"


def test_the_right_to_mount_is_given_up_before_the_program_starts(jail: Sandbox) -> None:
    source = """
        import ctypes
        def f():
            libc = ctypes.CDLL(None, use_errno=True)
            seen = []
            for call in (lambda: libc.mount(b'none', b'/tmp', b'tmpfs', ctypes.c_ulong(32), b'size=1g'),
                         lambda: libc.umount(b'/tmp'), lambda: libc.unshare(0x20000000)):
                seen.append((call(), ctypes.get_errno()))
            held = (ctypes.c_uint32 * 6)(*[7] * 6)
            allowed = libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), held)
            return seen, allowed, ctypes.get_errno()
    """
    assert write(jail, source).result == "([(-1, 1), (-1, 1), (-1, 1)], -1, 1)"


def test_nothing_is_left_for_the_next_program(jail: Sandbox) -> None:
    write(jail, "def f():\n    open('left', 'w').close()")
    source = "import os\ndef f():\n    return os.listdir(), os.path.exists('/tmp/left')"
    assert write(jail, source).result == "([], False)"
    assert jail.run(Job(source, "f()")).result is not None
    assert not Path("/tmp/left").exists()


def test_a_run_that_ends_badly_takes_its_jail_along(jail: Sandbox) -> None:
    assert write(jail, "def f():\n    open('x', 'w').close()\n    while True: pass").verdict == Verdict.TIMEOUT
    assert write(jail, "import os\ndef f():\n    os._exit(3)").verdict == Verdict.CRASHED
    assert write(jail, "def f():\n    return 1").result == "1"


def test_among_runs_together_each_that_writes_is_alone(jail: Sandbox) -> None:
    plain = Job("def f(n):\n    return n", "f(1)")
    writing = Job("import os\ndef f(n):\n    open(str(n), 'w').close()\n    return os.listdir()", "f(2)", files=True)
    seen = jail.run_together([plain, plain, writing, writing, plain])
    assert [one.result for one in seen] == ["1", "1", "['2']", "['2']", "1"]
