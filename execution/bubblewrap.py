"""The isolated backend: bubblewrap around a warm interpreter, under an unprivileged user, nothing writable.

Every namespace is its own; there is no network, no /proc, no device but null and random; the file system holds the
interpreter, its standard library and the shared libraries these load, read-only. Started by root, the real user is
dropped first: RLIMIT_NPROC does not bind root, nor does a user namespace alone change that.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path

from execution.drop import STAGE
from execution.jail import WRITABLE
from execution.packages import shown_packages
from execution.sandbox import SandboxError
from execution.zygote import CODE_FOLDER, INTERPRETER, INTERPRETER_OPTIONS, Start, ZygoteSandbox

UNPRIVILEGED_ID = 65534
INSIDE_CODE_FOLDER = "/jail"
PACKAGES_INSIDE = Path("/packages")
_INSTALL = "install bubblewrap: apt-get install bubblewrap"
_NAMESPACES = (
    "user namespaces may be off: allow them (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces"
    " above 0, kernel.apparmor_restrict_unprivileged_userns=0; in Docker a seccomp profile that allows unshare)"
)
# Extension modules that are of no use in a jail; the libraries that they load (X11, Kerberos) stay out.
_UNNEEDED = ("_tkinter", "_curses", "readline", "nis", "_gdbm", "_dbm", "_test", "_xxtest", "xx")
# Other people's packages beside the standard library.
_HIDDEN = ("site-packages", "dist-packages")


class BubblewrapSandbox(ZygoteSandbox):
    """Runs programs that nobody trusts."""

    isolated = True
    name = "bubblewrap"

    def _how_to_start(self, *, files: bool = False) -> Start:
        if sys.platform != "linux":
            raise SandboxError("the sandbox 'bubblewrap' needs Linux; 'local' runs trusted programs, without isolation")
        program = shutil.which("bwrap", path=os.environ.get("PATH", "/usr/bin:/bin"))
        if program is None:
            raise SandboxError(f"bubblewrap is not here: {_INSTALL}")
        shown = shown_packages(self.packages)
        mounts = {**interpreter_mounts(), **package_mounts(self.packages)}
        path = [str(PACKAGES_INSIDE)] if shown.entries else []
        if os.getuid() != 0:
            command = jail_command(program, mounts, self.environment, files=files)
            return Start(command, advice=_NAMESPACES, path=path, imports=shown.imports, files=files)
        hidden = [source for source in mounts.values() if not reachable(source, UNPRIVILEGED_ID)]
        if hidden:  # they are shown in a folder of the launcher's own, which covers what lies there
            hidden += [source for source in mounts.values() if source not in hidden and Path(STAGE) in source.parents]
        launcher = [str(INTERPRETER), *INTERPRETER_OPTIONS, str(CODE_FOLDER / "drop.py"), str(UNPRIVILEGED_ID)]
        launcher += [str(len(hidden)), *map(str, hidden)]
        staged = {source: Path(STAGE, str(number)) for number, source in enumerate(hidden)}
        mounts = {inside: staged.get(source, source) for inside, source in mounts.items()}
        command = [*launcher, *jail_command(program, mounts, self.environment, files=files)]
        return Start(command, advice=_NAMESPACES, path=path, imports=shown.imports, files=files)


def jail_command(
    program: str, mounts: dict[Path, Path], environment: dict[str, str], *, files: bool = False
) -> list[str]:
    """The bubblewrap command for a warm interpreter that sees `mounts` (path inside -> path here), read-only.

    With `files` it starts in an empty folder that can be written, and may limit that one before it gives up the right
    to (`execution.jail.limit_folder`): bubblewrap bounds the bytes of a tmpfs, not its inodes.
    """
    command = [program, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    for inside, source in sorted(mounts.items(), key=lambda pair: len(pair[0].parts)):
        command += ["--ro-bind", str(source), str(inside)]
    for name in _HIDDEN:
        if INTERPRETER_FOLDER in mounts and (INTERPRETER_FOLDER / name).is_dir():
            command += ["--tmpfs", str(INTERPRETER_FOLDER / name), "--remount-ro", str(INTERPRETER_FOLDER / name)]
    for device in ("/dev/null", "/dev/urandom"):
        command += ["--dev-bind", device, device]
    folder = "/"
    if files:
        folder = WRITABLE
        command += ["--cap-add", "CAP_SYS_ADMIN", "--perms", "0700", "--tmpfs", WRITABLE]
    command += ["--remount-ro", "/", "--chdir", folder, "--hostname", "jail"]
    return [*command, str(INTERPRETER), *INTERPRETER_OPTIONS, f"{INSIDE_CODE_FOLDER}/boot.py"]


INTERPRETER_FOLDER = Path(
    sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix})
)


@lru_cache(maxsize=1)
def interpreter_mounts() -> dict[Path, Path]:
    """What the interpreter needs to run: path inside the jail -> path here. No home folder, no /etc, no /usr."""
    folders = {INTERPRETER_FOLDER}
    extensions = Path(sysconfig.get_config_var("DESTSHARED") or INTERPRETER_FOLDER / "lib-dynload")
    if extensions.is_dir() and INTERPRETER_FOLDER not in extensions.parents:
        folders.add(extensions)
    binaries = [INTERPRETER, *(path for path in extensions.glob("*.so") if not path.name.startswith(_UNNEEDED))]
    mounts = {path: path.resolve() for path in (*folders, INTERPRETER, *shared_libraries(binaries))}
    cache = Path("/etc/ld.so.cache")
    if cache.exists():
        mounts[cache] = cache
    mounts[Path(INSIDE_CODE_FOLDER)] = CODE_FOLDER
    return mounts


@lru_cache(maxsize=8)
def package_mounts(names: tuple[str, ...]) -> dict[Path, Path]:
    """The packages and the shared libraries outside them that they load: path inside the jail -> path here."""
    shown = shown_packages(names)
    if not shown.entries:
        return {}
    mounts = {PACKAGES_INSIDE / name: path for name, path in shown.entries.items()}
    libraries = {path for path in shared_libraries(shown.binaries) if path.exists()}
    inside = {path for path in libraries if any(entry in path.parents for entry in shown.entries.values())}
    return mounts | {path: path.resolve() for path in libraries - inside}


def shared_libraries(binaries: list[Path]) -> set[Path]:
    """The shared libraries that these files load, and the loader itself, as `ldd` finds them."""
    try:
        said = subprocess.run(
            ["ldd", *map(str, binaries)], capture_output=True, text=True, timeout=60, check=False, env={"LC_ALL": "C"}
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(f"cannot tell which shared libraries the interpreter needs: ldd: {error}") from None
    found = re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said, re.MULTILINE)
    return {Path(path) for path in found}


def reachable(path: Path, user_id: int) -> bool:
    """Whether a user who owns nothing on the way can read `path`."""
    for place in (path, *path.parents):
        status = place.stat()
        if status.st_uid == user_id:
            continue
        wanted = stat.S_IXOTH if place != path else stat.S_IROTH | (stat.S_IXOTH if place.is_dir() else 0)
        if status.st_mode & wanted != wanted:
            return False
    return True
