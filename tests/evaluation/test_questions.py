"""Questions from traces: labels worked out by hand, and REval's own truth where the benchmark is at hand."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

from evaluation import reval
from evaluation.questions import Question, questions
from evaluation.visits import line_visits
from execution.sandbox import Job, Sandbox
from execution.values import equal_literals
from tests.evaluation.conftest import Tracer

SOURCE = """\
def down(n):
    if n == 0:
        return 0
    rest = down(n - 1)
    return rest


def f(xs):
    total = 0
    for x in xs:
        if x > 2:
            total += x
        else:
            total -= 1
    seen = [
        total,
        down(1),
    ]
    try:
        bad = xs[10]
    except IndexError:
        bad = None
    if total < 0:
        total = 7
    seen.append(bad)
    return seen
"""


def asked(trace_of: Tracer, source: str, call: str, per_task: int = 100) -> dict[tuple[str, int], Question]:
    return {(one.task, one.line): one for one in questions(trace_of(source, call), 0, per_task)}


def test_labels_worked_by_hand(trace_of: Tracer) -> None:
    found = asked(trace_of, SOURCE, "f([1, 5, 3])")
    accepted = {key: set(question.accepted) for key, question in found.items()}
    assert accepted["coverage", 12] == {"YES"}
    assert accepted["coverage", 24] == {"NO"}  # total = 7
    assert accepted["state", 9] == {"0; int"}
    assert accepted["state", 12] == {"4; int", "7; int"}  # every visit counts
    assert accepted["state", 14] == {"-1; int"}
    assert accepted["state", 22] == {"None; NoneType"}
    assert accepted["state", 24] == {"Nil"}
    assert accepted["state", 25] == {"[7, 0, None]; list"}  # the receiver of append, after it
    assert accepted["path", 9] == {"for x in xs:"}
    assert accepted["path", 10] == {"if x > 2:", "seen = ["}
    assert accepted["path", 11] == {"total += x", "total -= 1"}
    assert accepted["path", 24] == {"-1"}
    assert accepted["path", 26] == {"-1"}


def test_values_and_next_lines_stay_in_their_frame(trace_of: Tracer) -> None:
    found = asked(trace_of, SOURCE, "f([1, 5, 3])")
    # A flattened trace says that `return 0` of the inner call is followed by a line of the outer one.
    assert found["path", 3].accepted == ("-1",)
    assert found["path", 4].accepted == ("return rest",)
    assert found["state", 4].accepted == ("0; int",)


def test_a_line_that_raised_has_no_value_and_is_followed_by_its_handler(trace_of: Tracer) -> None:
    found = asked(trace_of, SOURCE, "f([1, 5, 3])")
    assert ("state", 20) not in found
    assert found["path", 20].accepted == ("except IndexError:",)


def test_statements_over_several_lines_are_not_asked_about(trace_of: Tracer) -> None:
    assert not {line for _, line in asked(trace_of, SOURCE, "f([1, 5, 3])")} & {15, 16, 17, 18}


def test_what_runs_on_import_does_not_count(trace_of: Tracer) -> None:
    source = "def g(x):\n    y = x + 1\n    return y\n\n\ndef f(x):\n    z = x * 2\n    return z\n\n\nFIRST = g(1)\n"
    found = asked(trace_of, source, "f(3)")
    assert found["coverage", 2].accepted == ("NO",)
    assert found["coverage", 7].accepted == ("YES",)


def test_a_value_that_is_no_literal_is_not_asked_for(trace_of: Tracer) -> None:
    source = "def f(x):\n    numbers = iter([x])\n    y = next(numbers)\n    return y\n"
    found = asked(trace_of, source, "f(3)")
    assert ("state", 2) not in found
    assert found["state", 3].accepted == ("3; int",)


def test_one_line_loops_are_told_apart_by_visit(trace_of: Tracer) -> None:
    source = "def f(n):\n    while True:\n        n -= 1\n        if n < 0:\n            break\n    return n\n"
    assert set(asked(trace_of, source, "f(2)")["state", 3].accepted) == {"1; int", "0; int", "-1; int"}


def test_cut_events_give_no_questions(trace_of: Tracer) -> None:
    trace = trace_of(SOURCE, "f([1])")
    assert questions(replace(trace, events_cut=True), 0, 3) == []


def test_questions_depend_on_the_seed_and_on_nothing_else(trace_of: Tracer) -> None:
    trace = trace_of(SOURCE, "f([1, 5, 3])")
    assert questions(trace, 4, 3) == questions(trace, 4, 3)
    assert questions(trace, 4, 3) != questions(trace, 5, 3)
    assert all(
        len({one.line for one in questions(trace, seed, 3) if one.task == task}) == 3
        for seed in range(5)
        for task in ("coverage", "state", "path")
    )


def test_coverage_is_asked_half_and_half_where_there_are_both(trace_of: Tracer) -> None:
    trace = trace_of(SOURCE, "f([1, 5, 3])")
    first = [questions(trace, seed, 1)[0] for seed in range(200)]
    assert {one.task for one in first} == {"coverage"}
    share = sum(one.accepted == ("NO",) for one in first) / 200
    assert 0.4 < share < 0.6, "one line of seventeen is not executed"


def test_labels_agree_with_revals_truth_but_for_its_flattened_frames(benchmarks: Path, sandbox: Sandbox) -> None:
    """All points of REval's HumanEval programs. REval reads one list of events over all functions, so that programs
    with more than one frame may differ in path and state; coverage must always agree."""
    truth = {}
    with (benchmarks / "reference" / "reval_ground_truth_py311.jsonl").open() as file:
        for line in file:
            row = json.loads(line)
            truth[row["task_id"], row["input_idx"], row["point"]] = row
    num_points = differences = 0
    for program in reval.load(benchmarks):
        if program.test is not None:
            continue
        tree = ast.parse(program.source)
        jobs = [
            Job(program.source, f"{program.entry_point}{pair.input.strip()[:-2]})", events=True)
            for pair in program.pairs
        ]
        for pair, seen in zip(program.pairs, sandbox.run_together(jobs), strict=True):
            if seen.events_cut:
                continue
            visits = line_visits(seen.events, tree)
            several = len({event.frame for event in seen.events if event.depth}) > 1
            for number, point in enumerate(pair.points):
                row = truth[program.item_id, pair.input_index, number]
                here = visits.get(point.line)
                num_points += 1
                assert (here is not None) == row["covered"], (program.item_id, pair.input, point)
                if here is None:
                    continue
                path = {-1 if line is None else line for line in here.next_lines}
                values = [after[point.variable] for after in here.after if point.variable in after]
                known = [(kind, text) for kind, text in row["values"] or [] if point.variable.isidentifier()]
                agree = path == set(row["next_lines"]) and all(is_among(value, known) for value in values)
                agree = agree and all(is_among(value, values) for value in known)
                if not agree:
                    assert several, (program.item_id, pair.input, point)
                    differences += 1
    assert num_points > 450
    assert differences <= 8


def is_among(value: tuple[str, str], others: list[tuple[str, str]]) -> bool:
    return any(
        value[0] == kind and (value[1] == text or equal_literals(value[1], text) is True) for kind, text in others
    )
