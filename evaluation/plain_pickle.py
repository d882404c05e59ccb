"""Plain pickle: unpickling that admits texts, numbers and plain containers, and refuses every global.

LiveCodeBench's private tests are pickled; a pickle may name any callable and call it, so `pickle.loads` on a
downloaded file runs whatever the file says. Here nothing can be named: without a global nothing can be called.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, NoReturn


class PlainPickleError(ValueError):
    """A pickle that holds more than plain values, or is none."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise PlainPickleError(f"the pickle names {module}.{name}; only plain values are read")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise PlainPickleError("the pickle refers to an object outside itself")


def plain_loads(data: bytes) -> Any:
    """The value of a pickle of None, bool, int, float, str, bytes, list, tuple, dict and sets; PlainPickleError for
    anything else, before anything in it ran."""
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    except PlainPickleError:
        raise
    except Exception as error:  # noqa: BLE001 a broken pickle raises nearly anything
        raise PlainPickleError(f"no pickle of plain values: {error!r}") from None
