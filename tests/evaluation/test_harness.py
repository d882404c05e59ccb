"""The harness: what is asked, what a row says, and that a kill loses nothing and asks nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.cruxeval import CruxevalRow
from evaluation.endpoint import Completion
from evaluation.harness import LIST_COLUMNS, Item, evaluate, items_from_cruxeval, items_from_traces, judge, summarise
from execution.observe import observe
from execution.sandbox import Sandbox
from execution.traces import SetAside, Trace
from tests.evaluation.conftest import Tracer

SOURCES = [f"def f(n):\n    m = n * {k}\n    if m > 100:\n        m = 0\n    return m + 1\n" for k in (2, 3, 5)]


@pytest.fixture(scope="module")
def traces(trace_of: Tracer) -> list[Trace]:
    return [trace_of(source, f"f({n})") for source in SOURCES for n in (3, 60)]


class Scripted:
    """An endpoint that answers by a function of the prompt, counts what it was asked, and may be killed."""

    def __init__(self, answer: Callable[[str], str], die_after: int | None = None) -> None:
        self.answer = answer
        self.die_after = die_after
        self.asked: list[str] = []
        self.num_calls = 0

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        temperature: float = 0.0,
        num_samples: int = 1,
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Completion]]:
        if self.die_after is not None and self.num_calls >= self.die_after:
            raise KeyboardInterrupt
        self.num_calls += 1
        self.asked += prompts
        if progress is not None:
            progress(len(prompts))
        return [[Completion(self.answer(prompt), 3, True)] for prompt in prompts]


def right_answers(items: Sequence[Item]) -> Callable[[str], str]:
    """For each prompt the response that is right in every step."""
    texts = {}
    for item in items:
        if item.question is not None or item.trace is None:
            texts[item.prompt] = f"<answer>{item.expected[0] if item.expected else ''}</answer>"
            continue
        steps = "".join(f"<print>{state.text}</print>" for state in item.trace.states)
        committed = f"<input>{item.trace.program.arguments}</input>" if item.task == "input" else ""
        texts[item.prompt] = f"{committed}{steps}<answer>{item.trace.result}</answer>"
    return texts.__getitem__


def test_items_cover_every_task_with_distinct_ids_and_prompts(traces: list[Trace]) -> None:
    items = items_from_traces(traces)
    assert {item.task for item in items} == {"output", "input", "coverage", "state", "path"}
    assert len({item.item_id for item in items}) == len(items) == 5 * 6
    assert {item.cluster for item in items} == {trace.program.source_id for trace in traces}
    assert all("print(f'" in item.prompt for item in items if item.task in ("output", "input"))
    assert not any("print(f'" in item.prompt for item in items if item.question is not None)


def test_no_prompt_gives_its_answer_away(traces: list[Trace]) -> None:
    for item in items_from_traces(traces[::2], tasks=["output"]):  # 7, 10 and 16
        assert item.trace is not None
        assert item.trace.result not in item.prompt.split()
    for item in items_from_traces(traces, tasks=["input"]):
        assert item.trace is not None
        assert item.trace.program.call not in item.prompt


def test_right_responses_are_right_in_all_tasks(traces: list[Trace], sandbox: Sandbox, tmp_path: Path) -> None:
    items = items_from_traces(traces, style="instruct")
    endpoint = Scripted(right_answers(items))
    rows = evaluate(items, endpoint, tmp_path / "rows.jsonl", sandbox, max_new_tokens=9)
    assert [row["item_id"] for row in rows] == [item.item_id for item in items]
    assert all(row["final_correct"] is True and row["judged"] for row in rows)
    assert all(all(row["step_correct"]) for row in rows)
    steps = [row for row in rows if row["task"] in ("output", "input")]
    assert all(row["num_states"] == len(row["states_true"]) == len(row["states_predicted"]) > 0 for row in steps)
    assert all(isinstance(row[column], list) for row in rows for column in LIST_COLUMNS)
    for summary in summarise(rows):
        assert summary.final.mean == 1.0
        assert summary.num_not_judged == 0
        assert summary.num_extraction_failures == 0


def test_a_killed_evaluation_goes_on_without_asking_twice(
    traces: list[Trace], sandbox: Sandbox, tmp_path: Path
) -> None:
    items = items_from_traces(traces)
    path = tmp_path / "rows.jsonl"
    killed = Scripted(right_answers(items), die_after=2)
    with pytest.raises(KeyboardInterrupt):
        evaluate(items, killed, path, sandbox, max_new_tokens=9, batch_size=7)
    with path.open("ab") as file:
        file.write(b'{"item_id": "torn')  # killed while writing
    again = Scripted(right_answers(items))
    rows = evaluate(items, again, path, sandbox, max_new_tokens=9, batch_size=7)
    assert len(killed.asked) == 14
    assert sorted(killed.asked + again.asked) == sorted(item.prompt for item in items)
    once = evaluate(items, Scripted(right_answers(items)), tmp_path / "whole.jsonl", sandbox, max_new_tokens=9)
    assert rows == once
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == len({line["item_id"] for line in lines}) == len(items)
    finished = Scripted(right_answers(items))
    assert evaluate(items, finished, path, sandbox, max_new_tokens=9) == rows
    assert finished.asked == []


def test_a_row_of_another_prompt_is_asked_again(traces: list[Trace], sandbox: Sandbox, tmp_path: Path) -> None:
    compact = items_from_traces(traces[:1], style="compact", tasks=["output"])
    instruct = items_from_traces(traces[:1], style="instruct", tasks=["output"])
    path = tmp_path / "rows.jsonl"
    evaluate(compact, Scripted(right_answers(compact)), path, sandbox, max_new_tokens=9)
    endpoint = Scripted(right_answers(instruct))
    [row] = evaluate(instruct, endpoint, path, sandbox, max_new_tokens=9)
    assert len(endpoint.asked) == 1
    assert row["prompt"] == instruct[0].prompt
    assert len(path.read_text().splitlines()) == 1


def test_progress_reaches_the_total_and_never_falls(traces: list[Trace], sandbox: Sandbox, tmp_path: Path) -> None:
    items = items_from_traces(traces)
    heard: list[tuple[int, int]] = []
    evaluate(
        items,
        Scripted(right_answers(items)),
        tmp_path / "rows.jsonl",
        sandbox,
        max_new_tokens=9,
        batch_size=4,
        progress=lambda done, total: heard.append((done, total)),
    )
    assert heard == sorted(heard)
    assert heard[-1] == (len(items), len(items))


def test_without_anchors_the_prompt_has_the_original_program_and_no_steps_are_judged(
    traces: list[Trace], sandbox: Sandbox
) -> None:
    [item] = items_from_traces(traces[:1], style="instruct", tasks=["output"], anchored=False)
    assert "print(f'" not in item.prompt
    assert "<print>" not in item.prompt
    assert item.trace is not None
    scored = judge(item, f"<answer>{item.trace.result}</answer>", sandbox)
    assert scored.final_correct is True
    assert scored.step_correct == ()


def test_input_prediction_without_a_sandbox_is_refused(traces: list[Trace]) -> None:
    [item] = items_from_traces(traces[:1], tasks=["input"])
    with pytest.raises(ValueError, match="sandbox"):
        judge(item, "<input>3</input><answer>1</answer>", None)


CRUXEVAL = [
    CruxevalRow("sample_0", "def f(a, b):\n    c = a + b\n    return c", "1, b=2", "3"),
    CruxevalRow("sample_1", "def f(a):\n    c = a\n    return c", "1", "2"),  # the output is not what it returns
    CruxevalRow("sample_2", "def f(a):\n    c = a / 0\n    return c", "1", "1"),
]


def test_cruxeval_rows_become_items_or_are_left_out_with_a_reason(
    sandboxes: tuple[Sandbox, Sandbox], tmp_path: Path
) -> None:
    outcomes = [outcome for row in CRUXEVAL for outcome in observe([row.program], sandboxes)]
    assert isinstance(outcomes[2], SetAside)
    items = items_from_cruxeval(CRUXEVAL, [outcomes[2], outcomes[0], outcomes[1]])
    left_out = {(item.item_id, item.left_out) for item in items if item.left_out}
    assert left_out == {
        (f"cruxeval/sample_{number}/{task}", reason)
        for number, reason in ((1, "truth_differs"), (2, "exception"))
        for task in ("output", "input")
    }
    endpoint = Scripted(right_answers(items))
    rows = evaluate(items, endpoint, tmp_path / "rows.jsonl", sandboxes[0], max_new_tokens=9)
    assert len(endpoint.asked) == 2, "what is left out is not asked"
    for summary in summarise(rows):
        assert (summary.num_rows, summary.num_judged, summary.num_left_out) == (3, 1, 2)
        assert summary.final.mean == 1.0


def test_a_cruxeval_row_without_a_trace_is_left_out() -> None:
    items = items_from_cruxeval(CRUXEVAL[:1], [], tasks=["output"])
    assert [item.left_out for item in items] == ["not_traced"]


def test_two_items_of_one_name_are_refused(traces: list[Trace], tmp_path: Path) -> None:
    [item] = items_from_traces(traces[:1], tasks=["output"])
    with pytest.raises(ValueError, match="same item_id"):
        evaluate([item, replace(item)], Scripted(str), tmp_path / "rows.jsonl", None, max_new_tokens=1)
