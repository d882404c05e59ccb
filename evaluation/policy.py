"""Policies: what the gate asks of a candidate, read from TOML files of this folder's `policies/` or from any path.

A metric is named "benchmark/task" for right final answers, "benchmark/task/step" for the share of right steps and
"benchmark/task/all" for responses right in every step and at the end. "benchmark/task/official" is right final answers
by the published scorer, for figures that are to be held against published ones; all else is by the strict verdict.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from evaluation.prompts import CODE, TASKS

FOLDER = Path(__file__).parent / "policies"
MEASURES = ("final", "step", "all", "official")
# Limits on answers that earn without following the execution, by benchmark/task (see `evaluation.sentinels`).
SENTINELS = (
    "max_wrong_logic",
    "max_constant_share",
    "max_constant_excess",
    "max_echoed",
    "max_shuffled_share",
    "max_unrelated_steps",
)


class PolicyError(ValueError):
    """A policy that is not there or says something that a policy can't; the message names what can."""


@dataclass(frozen=True)
class Policy:
    """What must hold for a promotion. Shares lie between 0 and 1; all tests are at `level`, clustered by program.

    min_items, min_programs: fewer judged items or programs of a metric decide nothing.
    max_not_judged: share of rows of a benchmark and task that our own failures may leave unjudged.
    floors: metric -> least value. floors_above_constant: metrics whose interval must lie above the best constant
    answer. no_regression: metrics that may not be significantly worse than the champion's by more than
    `regression_margin`. improve_one_of: at least one of these must be significantly better (at a level corrected for
    their number); empty asks for no improvement.
    Sentinels, benchmark/task -> limit. max_wrong_logic: share of answers that are right with a wrong step.
    max_constant_share: share of one and the same answer, however it is written. max_constant_excess: how much more of
    the answers the one, two or three most common ones may make up than those of the truth do. max_echoed: share of
    steps that repeat the anchor, the program or the step before in place of a value. max_shuffled_share: share of the
    step accuracy that may remain when another program's trace is the truth. max_unrelated_steps: share of the right
    answers whose steps fit another program's trace as well as their own.
    first_needs_floors_only: onto an empty registry nothing is compared; False holds until a champion is set by hand.
    """

    name: str
    description: str = ""
    level: float = 0.95
    min_items: int = 100
    min_programs: int = 20
    max_not_judged: float = 0.02
    first_needs_floors_only: bool = True
    floors: dict[str, float] = field(default_factory=dict)
    floors_above_constant: tuple[str, ...] = ()
    no_regression: tuple[str, ...] = ()
    regression_margin: float = 0.0
    improve_one_of: tuple[str, ...] = ()
    max_wrong_logic: dict[str, float] = field(default_factory=dict)
    max_constant_share: dict[str, float] = field(default_factory=dict)
    max_constant_excess: dict[str, float] = field(default_factory=dict)
    max_echoed: dict[str, float] = field(default_factory=dict)
    max_shuffled_share: dict[str, float] = field(default_factory=dict)
    max_unrelated_steps: dict[str, float] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that the policy names, in the order of its keys."""
        asked = (*self.floors, *self.floors_above_constant, *self.no_regression, *self.improve_one_of)
        return (*asked, *(metric for name in SENTINELS for metric in getattr(self, name)))

    def __post_init__(self) -> None:
        shares = {"level": self.level, "max_not_judged": self.max_not_judged}
        for table in ("floors", *SENTINELS):
            shares |= {f"{table}.{key}": value for key, value in getattr(self, table).items()}
        for name, value in shares.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise PolicyError(f"policy {self.name}: {name} is {value!r}; it is a share between 0 and 1")
        if not 0 < self.level < 1:
            raise PolicyError(f"policy {self.name}: level is {self.level}; it lies between 0 and 1")
        for metric in self.metrics:
            split_metric(metric)
        for metric in (metric for name in SENTINELS for metric in getattr(self, name)):
            if split_metric(metric)[2] != "final":
                raise PolicyError(f"policy {self.name}: {metric!r} is to be benchmark/task")


def split_metric(metric: str) -> tuple[str, str, str]:
    """ "reval/state/step" -> ("reval", "state", "step"); without a measure it is "final". PolicyError otherwise."""
    parts = metric.split("/")
    if len(parts) == 2:
        parts.append("final")
    if len(parts) != 3 or parts[1] not in (*TASKS, CODE) or parts[2] not in MEASURES or not parts[0]:
        raise PolicyError(
            f"no metric {metric!r}: it is benchmark/task or benchmark/task/measure, task one of"
            f" {', '.join((*TASKS, CODE))}, measure one of {', '.join(MEASURES)}"
        )
    return parts[0], parts[1], parts[2]


def load_policy(name_or_path: str | Path) -> Policy:
    """The policy of that name (a file of `policies/`, without .toml) or in that file."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise PolicyError(f"no policy {str(name_or_path)!r}; the policies are {known}, or give the path of a TOML file")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{path} is no TOML: {error}") from error
    return _policy(raw, path)


def _policy(raw: dict[str, Any], path: Path) -> Policy:
    kinds: dict[str, type | tuple[type, ...]] = {
        "str": str,
        "float": (int, float),
        "int": int,
        "bool": bool,
        "dict[str, float]": dict,
        "tuple[str, ...]": list,
    }
    known = {one.name: kinds[str(one.type)] for one in fields(Policy)}
    raw = {"name": path.stem, **raw}
    for key, value in raw.items():
        if key not in known:
            raise PolicyError(f"{path}: no key {key!r} in a policy; the keys are {', '.join(known)}")
        if not isinstance(value, known[key]) or (isinstance(value, bool) and known[key] is not bool):
            raise PolicyError(f"{path}: {key} can't be {value!r}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    return Policy(**values)
