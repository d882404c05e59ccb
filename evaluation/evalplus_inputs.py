"""MBPP+ inputs, given back the types that JSON took from them.

Source: evalplus/evalplus, evalplus/data/mbpp.py, which lists per task what was a tuple, a set or a complex number
(Liu et al., arXiv 2305.01210). HumanEval+ needs none of this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Inputs = list[Any]


def restored(task_id: str, inputs: list[Inputs]) -> list[list[Any]]:
    """The argument lists of a task (`Mbpp/N`) with their types; unchanged where its tests need only what JSON has.

    Raises ValueError, TypeError, IndexError or AttributeError for inputs of another form.
    """
    restore = _RESTORE.get(int(task_id.rpartition("/")[2]))
    return [list(restore(arguments) if restore else arguments) for arguments in inputs]


def _all(arguments: Inputs) -> Inputs:
    return [tuple(one) for one in arguments]


def _first(arguments: Inputs) -> Inputs:
    return [tuple(arguments[0]), *arguments[1:]]


def _second(arguments: Inputs) -> Inputs:
    return [arguments[0], tuple(arguments[1])]


def _items(arguments: Inputs) -> Inputs:
    return [_all(one) for one in arguments]


def _items_of_first(arguments: Inputs) -> Inputs:
    return [_all(arguments[0]), arguments[1]]


def _all_and_items(arguments: Inputs) -> Inputs:
    return _all(_items(arguments))


def _mixed(arguments: Inputs) -> Inputs:
    return [tuple(tuple(item) if isinstance(item, list) else item for item in arguments[0])]


def _deep(value: Any) -> Any:
    return tuple(map(_deep, value)) if isinstance(value, list) else value


def _values(arguments: Inputs) -> Inputs:
    return [{key: tuple(value) for key, value in arguments[0].items()}, *arguments[1:]]


def _sets(arguments: Inputs) -> Inputs:
    # an empty one becomes a dict, as upstream
    return [[set(item) if isinstance(item, list) and item else {} for item in arguments[0]]]


def _complex(arguments: Inputs) -> Inputs:
    return [complex(arguments[0])]


def _float_and_complex(arguments: Inputs) -> Inputs:
    return [float(arguments[0]), complex(arguments[1])]


_TASKS: dict[Callable[[Inputs], Inputs], tuple[int, ...]] = {
    _all: (2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
    _items: (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    _items_of_first: (75, 413, 444, 753),
    _second: (106, 750),
    _sets: (115,),
    _float_and_complex: (124,),
    _first: (250, 307, 405, 446, 617, 720, 763, 808),
    _all_and_items: (259, 401, 445),
    _mixed: (278,),
    _values: (722,),
    _complex: (252,),
    _deep: (580, 615, 791),
}
_RESTORE = {number: restore for restore, numbers in _TASKS.items() for number in numbers}
