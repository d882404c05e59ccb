"""Great Expectations' rules of our own, for columns that hold JSON text. Imported only by `quality.py`, when used.

Importing this module registers the rules under their names, as the built-in ones are.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import jsonschema
import pandas
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import (
    ColumnAggregateExpectation,
    ColumnMapExpectation,
    ColumnPairMapExpectation,
)
from great_expectations.expectations.metrics.column_aggregate_metric_provider import (
    ColumnAggregateMetricProvider,
    column_aggregate_value,
)
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    ColumnPairMapMetricProvider,
    column_condition_partial,
    column_pair_condition_partial,
)


class ColumnValuesJson(ColumnMapMetricProvider):
    condition_metric_name = "column_values.json_document"
    condition_value_keys = ("json_schema",)

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: pandas.Series, json_schema: dict[str, Any], **_: object) -> pandas.Series:
        validator = jsonschema.Draft202012Validator(json_schema)
        return column.map(lambda text: _is_valid(text, validator)).astype(bool)


class ColumnPairJsonLength(ColumnPairMapMetricProvider):
    condition_metric_name = "column_pair_values.json_length"
    condition_domain_keys = (
        "batch_id",
        "table",
        "column_A",
        "column_B",
        "row_condition",
        "condition_parser",
        "ignore_row_if",
    )
    condition_value_keys = ()

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_A: pandas.Series, column_B: pandas.Series, **_: object) -> pandas.Series:
        return column_A.map(_list_length) == column_B


class ColumnMostCommonShare(ColumnAggregateMetricProvider):
    metric_name = "column.most_common_share"

    @column_aggregate_value(engine=PandasExecutionEngine)
    def _pandas(cls, column: pandas.Series, **_: object) -> float:
        counts = column.value_counts()
        return float(counts.iloc[0] / counts.sum()) if len(counts) else 1.0


class ExpectColumnMostCommonShareToBeAtMost(ColumnAggregateExpectation):
    """No single value fills more than this share (0 to 1) of the rows that have a value."""

    max_share: float | dict[str, Any]
    metric_dependencies: ClassVar[tuple[str, ...]] = ("column.most_common_share",)
    success_keys: ClassVar[tuple[str, ...]] = ("max_share",)
    args_keys: ClassVar[tuple[str, ...]] = ("column", "max_share")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: object = None,
    ) -> dict[str, Any]:
        share = metrics["column.most_common_share"]
        return {"success": share <= self._get_success_kwargs()["max_share"], "result": {"observed_value": share}}


class ExpectColumnValuesToBeJson(ColumnMapExpectation):
    """Every value is JSON text that fits the schema.

    The built-in rule of this kind raises on text that is no JSON at all; here it is one more bad row.
    """

    json_schema: dict[str, Any]
    map_metric: ClassVar[str] = "column_values.json_document"
    success_keys: ClassVar[tuple[str, ...]] = ("json_schema", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "json_schema")


class ExpectColumnPairJsonLengthToBeEqual(ColumnPairMapExpectation):
    """`column_A` is a JSON list with as many items as `column_B` says."""

    ignore_row_if: str = "both_values_are_missing"
    map_metric: ClassVar[str] = "column_pair_values.json_length"
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "ignore_row_if")
    args_keys: ClassVar[tuple[str, ...]] = ("column_A", "column_B")


def _is_valid(text: object, validator: Any) -> bool:
    try:
        return bool(validator.is_valid(json.loads(text)))  # type: ignore[arg-type]
    except (ValueError, TypeError, RecursionError):
        return False


def _list_length(text: object) -> int:
    """The length of a JSON list, -1 where the text is none."""
    try:
        value = json.loads(text)  # type: ignore[arg-type]
    except (ValueError, TypeError, RecursionError):
        return -1
    return len(value) if isinstance(value, list) else -1
