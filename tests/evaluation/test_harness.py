"""The harness: what is asked, what a row says, and that a kill loses nothing and asks nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.harness import LIST_COLUMNS, Decoding, evaluate, row_id
from evaluation.items import Item, Judge, Judged
from evaluation.jails import Jails
from evaluation.scorers.judgement import SKIPPED, Judgement
from evaluation.summary import summarise
from evaluation.trace_items import items_from_traces
from execution.traces import Trace
from tests.evaluation.conftest import Tracer
from tests.evaluation.scripted import Scripted

SOURCES = [f"def f(n):\n    m = n * {k}\n    if m > 100:\n        m = 0\n    return m + 1\n" for k in (2, 3, 5)]


@pytest.fixture(scope="module")
def traces(trace_of: Tracer) -> list[Trace]:
    return [trace_of(source, f"f({n})") for source in SOURCES for n in (3, 60)]


GREEDY = Decoding(max_new_tokens=9)


@pytest.fixture(scope="module")
def jails() -> Iterator[Jails]:
    with Jails() as opened:
        yield opened


def right_answers(items: Sequence[Item], traces: Sequence[Trace]) -> Callable[[str], str]:
    """For each prompt the response that is right in every step."""
    by_name = {trace.program.program_id: trace for trace in traces}
    texts = {}
    for item in items:
        if item.task not in ("output", "input"):
            texts[item.prompt] = f"<answer>{item.expected[0]}</answer>"
            continue
        trace = by_name[item.item_id.split("/")[1]]
        steps = "".join(f"<print>{state.text}</print>" for state in trace.states) if item.form == "steps" else ""
        committed = f"<input>{trace.program.arguments}</input>" if item.task == "input" else ""
        texts[item.prompt] = f"{committed}{steps}<answer>{trace.result}</answer>"
    return texts.__getitem__


def test_items_cover_every_task_with_distinct_ids_and_prompts(traces: list[Trace]) -> None:
    items = items_from_traces(traces)
    assert {item.task for item in items} == {"output", "input", "coverage", "state", "path"}
    assert len({item.item_id for item in items}) == len(items) == 5 * 6
    assert {item.cluster for item in items} == {trace.program.source_id for trace in traces}
    assert all("print(f'" in item.prompt for item in items if item.task in ("output", "input"))
    assert not any("print(f'" in item.prompt for item in items if item.covered is not None)


def test_questions_about_one_execution_are_asked_and_judged_like_the_others(
    traces: list[Trace], jails: Jails, tmp_path: Path
) -> None:
    for style in ("compact", "instruct"):
        items = items_from_traces(traces, style, ["next_statement", "variable"], questions_per_task=2)
        assert {item.task for item in items} == {"next_statement", "variable"}
        assert len({item.prompt for item in items}) == len(items)
        answer = right_answers(items, traces)
        rows = evaluate(items, Scripted(answer), tmp_path / f"{style}.jsonl", jails, GREEDY)
        assert all(row["final_correct"] for row in rows)
        wrong = evaluate(items, Scripted(lambda prompt: "<answer>7; str</answer>"), tmp_path / "w", jails, GREEDY)
        assert not any(row["final_correct"] for row in wrong)


def test_no_prompt_gives_its_answer_away(traces: list[Trace]) -> None:
    for trace in traces[::2]:  # 7, 10 and 16
        [item] = items_from_traces([trace], tasks=["output"])
        assert item.expected == (trace.result,)
        assert trace.result not in item.prompt.split()
    for trace in traces:
        [item] = items_from_traces([trace], tasks=["input"])
        assert trace.program.call not in item.prompt


def test_right_responses_are_right_in_all_tasks(traces: list[Trace], jails: Jails, tmp_path: Path) -> None:
    items = items_from_traces(traces, style="instruct")
    endpoint = Scripted(right_answers(items, traces))
    rows = evaluate(items, endpoint, tmp_path / "rows.jsonl", jails, GREEDY)
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


def test_a_killed_evaluation_goes_on_without_asking_twice(traces: list[Trace], jails: Jails, tmp_path: Path) -> None:
    items = items_from_traces(traces)
    path = tmp_path / "rows.jsonl"
    killed = Scripted(right_answers(items, traces), die_after=2)
    with pytest.raises(KeyboardInterrupt):
        evaluate(items, killed, path, jails, GREEDY, batch_size=7)
    with path.open("ab") as file:
        file.write(b'{"item_id": "torn')  # killed while writing
    again = Scripted(right_answers(items, traces))
    rows = evaluate(items, again, path, jails, GREEDY, batch_size=7)
    assert len(killed.asked) == 14
    assert sorted(killed.asked + again.asked) == sorted(item.prompt for item in items)
    once = evaluate(items, Scripted(right_answers(items, traces)), tmp_path / "whole.jsonl", jails, GREEDY)
    assert rows == once
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == len({line["item_id"] for line in lines}) == len(items)
    finished = Scripted(right_answers(items, traces))
    assert evaluate(items, finished, path, jails, GREEDY) == rows
    assert finished.asked == []


def test_a_row_of_another_prompt_is_asked_again(traces: list[Trace], jails: Jails, tmp_path: Path) -> None:
    compact = items_from_traces(traces[:1], style="compact", tasks=["output"])
    instruct = items_from_traces(traces[:1], style="instruct", tasks=["output"])
    path = tmp_path / "rows.jsonl"
    evaluate(compact, Scripted(right_answers(compact, traces)), path, jails, GREEDY)
    endpoint = Scripted(right_answers(instruct, traces))
    [row] = evaluate(instruct, endpoint, path, jails, GREEDY)
    assert len(endpoint.asked) == 1
    assert row["prompt"] == instruct[0].prompt
    assert len(path.read_text().splitlines()) == 1


def test_progress_reaches_the_total_and_never_falls(traces: list[Trace], jails: Jails, tmp_path: Path) -> None:
    items = items_from_traces(traces)
    heard: list[tuple[int, int]] = []
    evaluate(
        items,
        Scripted(right_answers(items, traces)),
        tmp_path / "rows.jsonl",
        jails,
        GREEDY,
        batch_size=4,
        progress=lambda done, total: heard.append((done, total)),
    )
    assert heard == sorted(heard)
    assert heard[-1] == (len(items), len(items))


def test_without_anchors_the_prompt_has_the_original_program_and_no_steps_are_judged(
    traces: list[Trace], jails: Jails, tmp_path: Path
) -> None:
    items = items_from_traces(traces[:1], style="instruct", tasks=["output", "input"], form="plain")
    assert not any("print(f'" in item.prompt or "<print>" in item.prompt for item in items)
    rows = evaluate(items, Scripted(right_answers(items, traces)), tmp_path / "rows.jsonl", jails, GREEDY)
    assert [row["final_correct"] for row in rows] == [True, True]
    assert [row["step_correct"] for row in rows] == [[], []]
    assert {row["benchmark"] for row in rows} == {"held_out:plain"}


def answered(item_id: str, judge: Judge | None, **changes: Any) -> Item:
    return replace(Item(item_id, "p", "made", "output", "direct", f"say {item_id}", judge), **changes)


def by_text(text: str, jails: Jails) -> Judged:
    """Right where the text says so; the published rule skips what starts with f(."""
    official = Judgement(None, SKIPPED) if text.startswith("f(") else Judgement.of("yes" in text)
    return Judged(Judgement.of(text == "yes"), official, answer=text)


def test_rows_keep_both_verdicts_and_their_figures(jails: Jails, tmp_path: Path) -> None:
    items = [answered(name, by_text) for name in ("yes", "yes!", "f(yes)", "no")]
    endpoint = Scripted(lambda prompt: prompt.removeprefix("say "))
    rows = evaluate(items, endpoint, tmp_path / "rows.jsonl", jails, GREEDY)
    assert [row["final_correct"] for row in rows] == [True, False, False, False]
    assert [row["official_correct"] for row in rows] == [True, True, None, False]
    [summary] = summarise(rows)
    assert summary.benchmark == "made:direct"
    assert summary.final.mean == 0.25
    assert summary.official is not None
    assert (summary.official.mean, summary.official.num_items) == (0.5, 4), "skipped alone counts as wrong"
    assert summary.num_official_skipped == 1


def test_samples_give_pass_at_1_and_5_by_both_rules(jails: Jails, tmp_path: Path) -> None:
    said = ["yes", "yes!", "f(yes)", "no", "no"]
    endpoint = Scripted(lambda prompt, sample: said[sample])
    drawn = Decoding(9, temperature=0.8, num_samples=5)
    rows = evaluate([answered("a", by_text)], endpoint, tmp_path / "rows.jsonl", jails, drawn)
    assert [row["sample"] for row in rows] == [0, 1, 2, 3, 4]
    [summary] = summarise(rows)
    assert summary.final.mean == pytest.approx(1 / 5)
    assert summary.official is not None
    assert summary.official.mean == pytest.approx(2 / 4), "the skipped answer leaves n"
    assert summary.pass_5 == (1.0, 1.0)


def test_other_decoding_is_asked_anew(jails: Jails, tmp_path: Path) -> None:
    path, items = tmp_path / "rows.jsonl", [answered("yes", by_text)]
    for decoding, times in ((GREEDY, 1), (GREEDY, 0), (Decoding(10), 1)):
        endpoint = Scripted(lambda prompt: "yes")
        evaluate(items, endpoint, path, jails, decoding)
        assert len(endpoint.asked) == times


def test_an_answer_that_our_failure_left_unjudged_is_judged_again_and_not_asked_again(
    jails: Jails, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    failing = [answered("a", lambda text, jails: Judged(Judgement(None, "sandbox_failed")))]
    [row] = evaluate(failing, Scripted(lambda prompt: "yes"), path, jails, GREEDY)
    assert (row["judged"], row["reason"]) == (False, "sandbox_failed")
    silent = Scripted(lambda prompt: "asked again")
    [row] = evaluate([answered("a", by_text)], silent, path, jails, GREEDY)
    assert (row["final_correct"], row["response"], silent.asked) == (True, "yes", [])


def test_items_of_one_prompt_are_asked_once(jails: Jails, tmp_path: Path) -> None:
    items = [answered("a", by_text, prompt="the same"), answered("b", by_text, prompt="the same", task="input")]
    endpoint = Scripted(lambda prompt: "yes")
    rows = evaluate(items, endpoint, tmp_path / "rows.jsonl", jails, GREEDY)
    assert endpoint.asked == ["the same"]
    assert [row["final_correct"] for row in rows] == [True, True]


def test_what_is_left_out_is_not_asked_and_is_counted(jails: Jails, tmp_path: Path) -> None:
    items = [answered("a", by_text), answered("b", None, left_out="exception", prompt="")]
    endpoint = Scripted(lambda prompt: "yes")
    rows = evaluate(items, endpoint, tmp_path / "rows.jsonl", jails, GREEDY)
    assert endpoint.asked == ["say a"]
    assert [(row["left_out"], row["reason"]) for row in rows] == [(False, "right"), (True, "exception")]
    [summary] = summarise(rows)
    assert (summary.num_rows, summary.num_judged, summary.num_left_out) == (2, 1, 1)


def test_forms_of_one_item_are_told_apart(traces: list[Trace]) -> None:
    both = [one for form in ("steps", "plain") for one in items_from_traces(traces[:1], tasks=["output"], form=form)]
    assert len({row_id(item) for item in both}) == 2


def test_two_items_of_one_name_are_refused(traces: list[Trace], jails: Jails, tmp_path: Path) -> None:
    [item] = items_from_traces(traces[:1], tasks=["output"])
    with pytest.raises(ValueError, match="same item_id"):
        evaluate([item, replace(item)], Scripted(str), tmp_path / "rows.jsonl", jails, GREEDY)
