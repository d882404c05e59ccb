"""Incremental consistency from rows: worked by hand."""

from __future__ import annotations

import math

import pytest

from evaluation.reval_rows import Consistency, consistency_from_rows

Row = dict[str, object]


def rows(pair: str, output: bool | None, *points: tuple[bool | None, bool | None, bool | None]) -> list[Row]:
    made: list[Row] = [{"item_id": f"reval/{pair}/output@cot", "pair": pair, "task": "output", "strict": output}]
    for number, verdicts in enumerate(points):
        for task, verdict in zip(("coverage", "state", "path"), verdicts, strict=True):
            name = f"reval/{pair}/{number}/{task}@cot"
            made.append({"item_id": name, "pair": pair, "task": task, "strict": verdict})
    return made


def test_each_point_takes_its_pairs_output_and_the_worth_of_its_pattern() -> None:
    first = rows("P/0/0", True, (True, True, True), (True, True, False))  # 1, and 0: output right and path wrong
    second = rows("P/0/1", False, (True, True, True), (True, False, False))  # 0.5 and 0.125
    assert consistency_from_rows([*first, *second], "strict") == Consistency(100 * 1.625 / 4, 4, 0)


def test_the_order_of_rows_does_not_matter() -> None:
    both = [*rows("P/0/0", True, (True, True, True)), *rows("P/0/1", False, (True, False, False))]
    assert consistency_from_rows(both[::-1], "strict") == consistency_from_rows(both, "strict")


def test_a_point_that_lacks_a_verdict_is_left_out_and_counted() -> None:
    some = rows("P/0/0", True, (True, True, None), (True, True, True))
    unknown = rows("P/0/1", None, (True, True, True))
    without_output = rows("P/0/2", True, (True, True, True))[1:]
    assert consistency_from_rows([*some, *unknown, *without_output], "strict") == Consistency(100.0, 1, 3)


def test_rows_of_two_forms_and_repeated_rows_are_refused() -> None:
    once = rows("P/0/0", True, (True, True, True))
    with pytest.raises(ValueError, match="one form"):
        consistency_from_rows([*once, once[1]], "strict")


def test_rows_of_other_benchmarks_are_passed_over_and_no_rows_have_no_score() -> None:
    other = {"item_id": "cruxeval/sample_0/output@cot", "pair": "sample_0", "task": "output", "strict": True}
    found = consistency_from_rows([other], "strict")
    assert (math.isnan(found.score), found.num_points, found.num_left_out) == (True, 0, 0)
