"""The backend without isolation: the same warm interpreter, run as the user with all that the user may do.

For trusted programs only; it must be asked for by name, and `isolated` is False. Limits hold, and so does the list
of system calls where the machine knows it, but files can be read, so nothing here keeps a secret from a program.
"""

from __future__ import annotations

from execution.packages import shown_packages
from execution.zygote import CODE_FOLDER, INTERPRETER, INTERPRETER_OPTIONS, Start, ZygoteSandbox


class LocalSandbox(ZygoteSandbox):
    """Runs trusted programs; limits, but no isolation."""

    isolated = False
    name = "local"

    def _how_to_start(self) -> Start:
        command = [str(INTERPRETER), *INTERPRETER_OPTIONS, str(CODE_FOLDER / "boot.py")]
        shown = shown_packages(self.packages)
        return Start(command, self.environment, seccomp_required=False, path=shown.folders, imports=shown.imports)
