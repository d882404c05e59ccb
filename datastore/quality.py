"""Data quality: a suite of expectations, written as data, checked on a table by Great Expectations.

A suite is `{"name": …, "parameters": {…}, "expectations": [{"type": …, "kwargs": {…}, "description": …}]}`.
A value in kwargs of the form `{"$PARAMETER": "min_rows"}` is taken from the parameters, where the caller
overrides the suite's own. Importing Great Expectations takes seconds, so it is done when first used.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datastore.errors import QualityError

if TYPE_CHECKING:
    import pandas

__all__ = ["QualityCheck", "QualityError", "QualityReport", "load_suite", "validate"]

SUITES = Path(__file__).parent / "suites"
NUM_EXAMPLES = 5
EXAMPLE_CHARS = 200
_SUITE_KEYS = {"name", "parameters", "expectations"}
_EXPECTATION_KEYS = {"type", "kwargs", "description"}


@dataclass(frozen=True)
class QualityCheck:
    """The outcome of one expectation.

    `observed` is what was measured (rules about a whole column); `unexpected_count` of `num_rows` rows
    failed (rules about each row; rows without a value are not counted), `examples` are some of their
    values, cut to EXAMPLE_CHARS. `exception` tells why a rule could not be evaluated, which fails it too.
    """

    expectation: str
    column: str | None
    kwargs: dict[str, Any]
    success: bool
    observed: Any
    unexpected_count: int | None
    num_rows: int | None
    examples: tuple[str, ...]
    exception: str | None
    description: str


@dataclass(frozen=True)
class QualityReport:
    """All checks of a suite, in its order. `success` when every one holds."""

    suite: str
    success: bool
    num_rows: int
    checks: tuple[QualityCheck, ...]

    @property
    def failed(self) -> tuple[QualityCheck, ...]:
        return tuple(check for check in self.checks if not check.success)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=1)

    @staticmethod
    def from_json(text: str) -> QualityReport:
        raw = json.loads(text)
        checks = tuple(QualityCheck(**{**check, "examples": tuple(check["examples"])}) for check in raw["checks"])
        return QualityReport(**{**raw, "checks": checks})


def load_suite(name_or_path: str | Path) -> dict[str, Any]:
    """A suite by the name of one that comes with Stepcode ("traces"), or from a JSON file. Raises QualityError."""
    path = Path(name_or_path)
    if path.suffix != ".json":
        path = SUITES / f"{name_or_path}.json"
    try:
        suite = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(sorted(found.stem for found in SUITES.glob("*.json")))
        raise QualityError(f"no suite {str(name_or_path)!r}: {error}. Use a JSON file, or one of: {known}.") from error
    except ValueError as error:
        raise QualityError(f"{path}: not JSON: {error}.") from error
    return _checked(suite)


def validate(
    frame: pandas.DataFrame, suite: Mapping[str, Any], parameters: Mapping[str, Any] | None = None
) -> QualityReport:
    """Check every row of the frame. Raises QualityError when the suite is malformed, never because of the data."""
    suite = _checked(suite)
    values = dict(suite.get("parameters", {}))
    unknown = sorted(set(parameters or {}) - set(values))
    if unknown:
        raise QualityError(f"suite {suite['name']!r} has no parameter {unknown[0]!r} (it has: {', '.join(values)}).")
    values |= parameters or {}

    os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")  # read when imported
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    import datastore.expectations  # noqa: F401  registers our own rules

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    table = context.data_sources.add_pandas("frame").add_dataframe_asset("rows")
    batch = table.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    try:
        # Not add_expectation_configuration: it replaces an earlier rule of the same type on the same column.
        configurations = [
            ExpectationConfiguration(
                type=rule["type"],
                kwargs=rule["kwargs"],
                meta={"position": position},  # results come back in another order
                description=rule["description"],
            )
            for position, rule in enumerate(suite["expectations"])
        ]
        rules = gx.ExpectationSuite(name=suite["name"], expectations=[one.to_domain_obj() for one in configurations])
        result_format: Any = {"result_format": "SUMMARY", "partial_unexpected_count": NUM_EXAMPLES}
        result = batch.validate(rules, result_format=result_format, expectation_parameters=values)
    except (GreatExpectationsError, ValueError, TypeError, KeyError) as error:
        raise QualityError(f"suite {suite['name']!r} cannot be run: {error}") from error
    found = sorted(result.to_json_dict()["results"], key=lambda one: one["expectation_config"]["meta"]["position"])
    checks = tuple(_check(one) for one in found)
    if len(checks) != len(suite["expectations"]):
        raise QualityError(f"suite {suite['name']!r}: {len(checks)} of {len(suite['expectations'])} rules were run.")
    return QualityReport(suite["name"], all(check.success for check in checks), len(frame), checks)


def _checked(suite: Any) -> dict[str, Any]:
    """The suite, when it has the shape that the module's docstring gives."""
    if not isinstance(suite, Mapping) or not isinstance(suite.get("name"), str) or set(suite) - _SUITE_KEYS:
        raise QualityError(
            f"a suite is an object with the keys {', '.join(sorted(_SUITE_KEYS))}, of which name is text."
        )
    rules = suite.get("expectations")
    if not isinstance(rules, list) or not rules:
        raise QualityError(f"suite {suite['name']!r}: expectations must be a list that is not empty.")
    for position, rule in enumerate(rules):
        if not isinstance(rule, Mapping) or set(rule) != _EXPECTATION_KEYS or not isinstance(rule["kwargs"], Mapping):
            keys = ", ".join(sorted(_EXPECTATION_KEYS))
            raise QualityError(f"suite {suite['name']!r}, expectation {position}: an object with exactly {keys}.")
    return dict(suite)


def _check(one: dict[str, Any]) -> QualityCheck:
    config, result = one["expectation_config"], one["result"]
    kwargs = {key: value for key, value in config["kwargs"].items() if key != "batch_id"}
    exception = _exception(one["exception_info"])
    columns = [str(kwargs[key]) for key in ("column", "column_A", "column_B") if key in kwargs]
    return QualityCheck(
        expectation=config["type"],
        column=", ".join(columns) or None,
        kwargs=kwargs,
        success=bool(one["success"]) and exception is None,
        observed=result.get("observed_value"),
        unexpected_count=result.get("unexpected_count"),
        num_rows=result.get("element_count"),
        examples=tuple(_cut(value) for value in (result.get("partial_unexpected_list") or [])[:NUM_EXAMPLES]),
        exception=exception,
        description=config.get("description") or "",
    )


def _exception(info: dict[str, Any]) -> str | None:
    """The message, from either of two shapes: one record, or one per metric that raised."""
    records = [info] if "raised_exception" in info else list(info.values())
    messages = [str(record["exception_message"]) for record in records if record["raised_exception"]]
    return "; ".join(dict.fromkeys(messages)) or None


def _cut(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= EXAMPLE_CHARS else f"{text[:EXAMPLE_CHARS]}…"
