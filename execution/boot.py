"""Start of the warm interpreter: loads the jail's modules with builtins of their own, then serves jobs.

Run as a script by the sandbox, inside the jail. The modules get a private copy of the builtins and are taken out
of `sys.modules` again, so that a program neither imports them nor changes what they call.
"""

from __future__ import annotations

import builtins
import sys
import types
from pathlib import Path

MODULES = ("limits", "canonical", "watched", "splice", "tracer", "seccomp", "residue", "runner", "rehearsal", "jail")


def load(folder: Path) -> types.ModuleType:
    """The module `execution.jail` and what it needs, loaded from the files in `folder`."""
    package = types.ModuleType("execution")
    package.__path__ = []
    sys.modules["execution"] = package
    private = dict(vars(builtins))
    module = package
    for name in MODULES:
        module = types.ModuleType(f"execution.{name}")
        module.__dict__["__builtins__"] = private
        sys.modules[module.__name__] = module
        path = folder / f"{name}.py"
        exec(compile(path.read_bytes(), f"<jail {name}>", "exec"), module.__dict__)
    for name in [name for name in sys.modules if name.partition(".")[0] == "execution"]:
        del sys.modules[name]
    return module


if __name__ == "__main__":
    load(Path(__file__).parent).serve()
