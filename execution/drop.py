"""Gives up root before bubblewrap starts: a small program, run by root in a process of its own.

    drop.py USER_ID COUNT PATH… COMMAND…

COUNT paths that only root can reach (an interpreter below a home folder) are first bound to /tmp/0, /tmp/1, … in a
mount namespace of this process's own, where everyone can read them. Then the real user, the group and all
supplementary groups become USER_ID, and COMMAND replaces this process.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys

# Covered, for this process and what it starts, by the folder that the paths are shown in.
STAGE = "/tmp"

_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18


def expose(paths: list[str], folder: str = STAGE) -> None:
    """Bind each path to `folder`/0, /1, … in a new mount namespace. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)

    def check(result: int, what: str) -> None:
        if result:
            number = ctypes.get_errno()
            raise OSError(number, f"{what}: {os.strerror(number)}")

    check(libc.unshare(_CLONE_NEWNS), "new mount namespace")
    check(libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None), "make mounts private")
    opened = [os.open(path, os.O_PATH) for path in paths]  # before /tmp is covered: a path may lie below it
    flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV)
    check(libc.mount(b"tmpfs", folder.encode(), b"tmpfs", flags, b"mode=755,size=1m"), f"mount on {folder}")
    for number, (descriptor, path) in enumerate(zip(opened, paths, strict=True)):
        target = f"{folder}/{number}"
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):  # asked of what was opened: the path may be covered by now
            os.mkdir(target, 0o755)  # noqa: PTH102
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
        source = f"/proc/self/fd/{descriptor}".encode()
        check(libc.mount(source, target.encode(), None, ctypes.c_ulong(_MS_BIND), None), f"bind {path}")
        os.close(descriptor)


def main(arguments: list[str]) -> None:
    user_id, count = int(arguments[0]), int(arguments[1])
    paths, command = arguments[2 : 2 + count], arguments[2 + count :]
    try:
        if paths:
            expose(paths)
        os.setgroups([])
        os.setresgid(user_id, user_id, user_id)
        os.setresuid(user_id, user_id, user_id)
        os.execve(command[0], command, {})
    except OSError as error:
        where = (
            f" (only root reaches {paths[0]}; an interpreter that everyone can read needs no mount)" if paths else ""
        )
        sys.exit(f"cannot give up root: {error}{where}")


if __name__ == "__main__":
    main(sys.argv[1:])
