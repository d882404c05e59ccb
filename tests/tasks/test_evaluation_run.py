"""`stepcode evaluate`: benchmarks in every form, asked of a recorded model, judged, shown on a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import stepcode
from evaluation.benchmark_items import benchmark_items
from evaluation.endpoint import RecordingEndpoint
from evaluation.harness import Decoding, evaluate, row_id
from evaluation.items import FORMS, Item
from evaluation.jails import Jails
from tasks.evaluation_rows import recorded_rows
from tests.evaluation.chat_server import ChatServer, served
from tests.evaluation.scripted import Scripted
from tests.tasks.test_pages import Page
from tests.tasks.test_score import DATA, TASKS, written

SOURCE = "def f(n):\n    m = n * {k}\n    return m + 1"
CRUXEVAL = [
    {
        "id": f"sample_{k}",
        "code": f"def f(n):\n    m = n * {k}\n    return m + 1",
        "input": "3",
        "output": str(3 * k + 1),
    }
    for k in range(2, 8)
]
COLUMNS = ["--style", "compact", "--max-new-tokens", "50"]


@pytest.fixture
def benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "benchmarks"
    (folder / "reval").mkdir(parents=True)
    written(folder / "cruxeval" / "cruxeval.jsonl", CRUXEVAL)
    written(folder / "reval" / "data" / "DREval_data.jsonl", [{**DATA, "test": None}])
    written(folder / "reval" / "data" / "DREval_tasks.jsonl", [TASKS])
    monkeypatch.setenv("STEPCODE_BENCHMARKS", str(folder))
    monkeypatch.setenv("STEPCODE_HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def jails() -> Iterator[Jails]:
    with Jails() as opened:
        yield opened


def response(item: Item, jails: Jails) -> str:
    """The right response to the item in its form; `0` where it is about sample_7."""
    assert item.judge is not None
    answer = "0" if "sample_7" in item.item_id else item.expected[0] if item.expected else "3"
    asked = re.findall(r"f\(\?\?\) == (.+)", item.prompt)
    if item.form in ("direct", "cot"):
        if item.task == "input":
            answer = f"f({answer}) == {asked[-1]}"
        if item.benchmark == "reval" and item.task == "output":
            answer = f"assert double(2) == {answer}"
        return answer if item.form == "direct" else f"so\n[/THOUGHT]\n[ANSWER]{answer}"
    committed = f"<input>{answer}</input>" if item.task == "input" else ""
    states = item.judge(f"{committed}<answer>0</answer>", jails).true_states
    steps = "".join(f"<print>{state}</print>" for state in states)
    return f"{committed}{steps}<answer>{asked[-1] if item.task == 'input' else answer}</answer>"


@pytest.fixture
def recording(benchmarks: Path, jails: Jails, tmp_path: Path) -> Path:
    path = tmp_path / "answers.jsonl"
    items = benchmark_items(benchmarks, [], FORMS, "compact", jails).items
    texts = {item.prompt: response(item, jails) for item in items}
    endpoint = RecordingEndpoint(path, Scripted(texts.__getitem__))
    evaluate(items, endpoint, tmp_path / "first.jsonl", jails, Decoding(50))
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    ended = CliRunner().invoke(stepcode.app, ["evaluate", *map(str, arguments)])
    return ended.exit_code, ended.stdout, ended.stderr


def test_every_form_is_judged_by_both_rules_and_shown(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text, err = run(f"recording:{recording}", "--forms", ",".join(FORMS), "--out", out, *COLUMNS)
    assert code == 0, err
    assert "cruxeval" in text and "reval" in text and "rows.parquet" in text
    rows = recorded_rows(out / "rows.parquet")
    assert {row["form"] for row in rows} == set(FORMS)
    assert len({row["item_id"] for row in rows}) == len(rows) == 4 * (2 * 6 + 3 * 2 + 1)
    for row in rows:
        right = "sample_7" not in row["item_id"]
        assert (row["final_correct"], row["official_correct"]) == (right, right), row
    page = Page((out / "evaluation.html").read_text("utf-8"))
    assert "incremental consistency" in page.text and "100.0" in page.text
    assert "83.3" in page.text, "five of six"
    assert "bubblewrap: programs ran isolated" in page.text
    assert not any(tag in ("script", "link", "iframe") for tag, _ in page.tags)
    figures = json.loads((out / "evaluation.json").read_text("utf-8"))
    [steps] = [one for one in figures["steps"] if one["name"] == "cruxeval · output"]
    assert steps["change"]["mean"] == 0.0
    assert steps["plain"]["mean"] == pytest.approx(5 / 6)


def test_figures_as_json_and_a_folder_of_another_model(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ["--benchmarks", "cruxeval", "--limit", "2", "--out", out, "--json", *COLUMNS]
    code, text, err = run(f"recording:{recording}", *given)
    assert code == 0, err
    assert {(one["benchmark"], one["task"], one["num_rows"]) for one in json.loads(text)} == {
        ("cruxeval", "output", 2),
        ("cruxeval", "input", 2),
    }
    other = tmp_path / "other.jsonl"
    other.write_bytes(recording.read_bytes())
    code, _, err = run(f"recording:{other}", *given)
    assert code == 1 and "another model" in err and "--out" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--benchmarks", "mmlu"], "no benchmark 'mmlu'"),
        (["--benchmarks", "humaneval"], "humaneval is not in"),
        (["--forms", "aloud"], "no form aloud"),
        (["--limit", "1", "--temperature", "0.5"], "not in the recording"),
    ],
)
def test_what_cannot_be_done_is_a_message(recording: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    code, _, err = run(f"recording:{recording}", "--out", tmp_path / "out", *COLUMNS, *arguments)
    assert (code, said in err) == (1, True), err
    assert "Traceback" not in err


def test_an_unknown_model_is_a_message(benchmarks: Path, tmp_path: Path) -> None:
    code, _, err = run("champion", "--out", tmp_path / "out")
    assert code == 1 and "no version or alias" in err and "stepcode models" in err


def test_without_a_benchmarks_folder_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEPCODE_BENCHMARKS", raising=False)
    monkeypatch.setenv("STEPCODE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    code, _, err = run("recording:x", "--out", tmp_path / "out")
    assert code == 1 and "STEPCODE_BENCHMARKS" in err


def test_a_server_is_never_paid_twice_and_its_cost_is_told(benchmarks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with served(ChatServer()) as server:
        given = ["--benchmarks", "cruxeval", "--forms", "direct", "--out", out, "--prompt-price", 1, *COLUMNS]
        code, _, err = run(f"openai:m@{server.url}", *given, "--limit", 3)
        assert code == 0, err
        assert len(server.prompts) == len(set(server.prompts)) == 6
        (out / "rows.jsonl").unlink()  # as after a kill before the batch was judged
        code, _, err = run(f"openai:m@{server.url}", *given)
        assert code == 0, err
        assert len(server.prompts) == len(set(server.prompts)) == 12
    page = Page((out / "evaluation.html").read_text("utf-8"))
    assert "6 requests, 60 prompt and 30 completion tokens, 0.0001 in money" in page.text


def test_forms_of_one_item_have_rows_of_their_own(benchmarks: Path, jails: Jails) -> None:
    items = benchmark_items(benchmarks, ["cruxeval"], FORMS, "instruct", jails, limit=1).items
    assert len({row_id(item) for item in items}) == len(items) == 8
