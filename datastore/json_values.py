"""Plain JSON values, so that SQLite and Postgres keep the same thing and refuse the same things."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from datastore.errors import LineageError

_UNKEEPABLE = re.compile("[\0\ud800-\udfff]")


def plain(value: Any, where: str) -> Any:
    """A copy of `value` made of dict, list, str, int, float, bool and None alone.

    Tuples become lists and numbers of numpy plain ones. A float that JSON does not know becomes its name
    ("NaN", "Infinity", "-Infinity"): Postgres refuses the bare word, and a lost metric is worth telling.
    Raises LineageError, naming the place (`params.rl.lr`), for anything else.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return float(value)
    if isinstance(value, str):
        if _UNKEEPABLE.search(value):
            raise LineageError(f"{where}: Postgres keeps no NUL and no lone surrogate in text; escape them (repr).")
        return str(value)
    if isinstance(value, Mapping):
        bad = [key for key in value if not isinstance(key, str)]
        if bad:
            raise LineageError(f"{where}: the key {bad[0]!r} is no text; JSON knows only text keys.")
        return {key: plain(inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, f"{where}[{index}]") for index, inner in enumerate(value)]
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return plain(value.item(), where)
    raise LineageError(f"{where}: {type(value).__name__} is no JSON value; convert it to text or a number first.")
