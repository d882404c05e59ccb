"""The backend without isolation: the same warm interpreter, run as the user with all that the user may do.

For trusted programs only; it must be asked for by name, and `isolated` is False. Limits hold, and so does the list
of system calls where the machine knows it, but files can be read, so nothing here keeps a secret from a program.
"""

from __future__ import annotations

import tempfile

from execution.limits import DEFAULT_LIMITS, Limits
from execution.packages import shown_packages
from execution.zygote import CODE_FOLDER, INTERPRETER, INTERPRETER_OPTIONS, Start, ZygoteSandbox


class LocalSandbox(ZygoteSandbox):
    """Runs trusted programs; limits, but no isolation."""

    isolated = False
    name = "local"

    def __init__(self, hash_seed: int = 0, limits: Limits = DEFAULT_LIMITS, packages: tuple[str, ...] = ()) -> None:
        self._folders: list[tempfile.TemporaryDirectory[str]] = []
        super().__init__(hash_seed, limits, packages)

    def _how_to_start(self, *, files: bool = False) -> Start:
        command = [str(INTERPRETER), *INTERPRETER_OPTIONS, str(CODE_FOLDER / "boot.py")]
        shown = shown_packages(self.packages)
        return Start(
            command,
            self.environment,
            seccomp_required=False,
            path=shown.folders,
            imports=shown.imports,
            files=files,
            mounted=False,
            folder=self._folder() if files else "/",
        )

    def _folder(self) -> str:
        """An empty folder for one job; its files are not limited, and are there until the sandbox is closed."""
        self._folders.append(tempfile.TemporaryDirectory(prefix="stepcode-job-"))
        return self._folders[-1].name

    def close(self) -> None:
        super().close()
        while self._folders:
            self._folders.pop().cleanup()
