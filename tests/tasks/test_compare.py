"""`stepcode compare` on files as evaluations write them and on a registry in a home of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import stepcode
from evaluation.harness import Decoding, evaluate
from evaluation.jails import Jails
from evaluation.trace_items import items_from_traces
from execution.traces import Trace
from infra.settings import Settings
from tasks import workspace as workspaces
from tasks.compare import compare_models, in_words
from tasks.errors import NothingToCompare
from tasks.evaluation_rows import recorded_rows, write_rows_file
from tasks.show_comparison import page
from tasks.steps import Made, Output, StepResult, run_step
from tasks.workspace import Workspace, open_workspace
from tests.evaluation.conftest import Tracer
from tests.evaluation.scripted import Scripted
from tests.tasks.test_pages import Page

SOURCES = [f"def f(n):\n    m = n * {k}\n    for i in range(2):\n        m += i\n    return m\n" for k in range(2, 8)]


@pytest.fixture(scope="module")
def traces(trace_of: Tracer) -> list[Trace]:
    return [trace_of(source, f"f({n})") for source in SOURCES for n in (3, 60)]


@pytest.fixture(scope="module")
def recordings(traces: list[Trace], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two evaluations of output prediction, as the harness writes them: one model is right on the programs with an
    even factor in every step, the other in the end on all."""
    items = items_from_traces(traces, tasks=["output"])
    by_prompt = {item.prompt: trace for item, trace in zip(items, traces, strict=True)}

    def response(prompt: str, steps_right: bool, final_right: bool) -> str:
        trace = by_prompt[prompt]
        steps = "".join(f"<print>{state.text if steps_right else 'm: 0'}</print>" for state in trace.states)
        return f"{steps}<answer>{trace.result if final_right else 0}</answer>"

    def even(prompt: str) -> bool:
        return any(f"* {k}" in prompt for k in (2, 4, 6))

    folder = tmp_path_factory.mktemp("recordings")
    answers = {
        "first": lambda prompt: response(prompt, even(prompt), even(prompt)),
        "second": lambda prompt: response(prompt, False, True),
    }
    with Jails("local") as jails:
        for name, answer in answers.items():
            evaluate(items, Scripted(answer), folder / f"{name}.jsonl", jails, Decoding(64))
    return folder / "first.jsonl", folder / "second.jsonl"


def as_parquet(path: Path, folder: Path) -> Path:
    """The same rows as the evaluate step keeps them."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    write_rows_file(rows, folder / f"{path.stem}.parquet")
    return folder / f"{path.stem}.parquet"


def run(*arguments: object) -> tuple[int, str, str]:
    ended = CliRunner().invoke(stepcode.app, ["compare", *map(str, arguments)])
    return ended.exit_code, ended.stdout, ended.stderr


def test_two_recordings_give_the_paired_figures(recordings: tuple[Path, Path]) -> None:
    code, shown, _ = run(*recordings, "--json")
    assert code == 0
    found = json.loads(shown)
    (task,) = found["tasks"]
    assert (task["num_items"], task["num_programs"]) == (12, 6)
    assert (task["final"]["a"]["mean"], task["final"]["b"]["mean"]) == (0.5, 1.0)
    assert (task["only_a_right"], task["only_b_right"]) == (0, 6)
    assert task["final"]["difference"]["low"] > 0
    assert (task["step"]["a"]["mean"], task["step"]["b"]["mean"]) == (0.5, 0.0)
    assert task["wrong_logic"]["b"]["mean"] == 1.0
    assert found["a"] == {"name": "first.jsonl", "source": str(recordings[0]), "num_rows": 12}


def test_parquet_and_jsonl_hold_the_same_rows(recordings: tuple[Path, Path], tmp_path: Path) -> None:
    kept = as_parquet(recordings[0], tmp_path)
    assert recorded_rows(kept) == recorded_rows(recordings[0])
    renamed = kept.rename(tmp_path / "no-ending")
    assert compare_models(str(renamed), str(recordings[1])).tasks[0].final.b.mean == 1.0


def test_the_table_says_which_is_which_and_marks_what_is_significant(recordings: tuple[Path, Path]) -> None:
    code, shown, _ = run(*recordings)
    assert code == 0
    assert "A: first.jsonl" in shown and "B: second.jsonl" in shown
    final = next(line for line in shown.splitlines() if "held_out/output" in line)
    assert re.search(r"final +12 +50\.0 +100\.0 +\+50\.0 \[\+.*\] \* +0 / 6", final)


def test_the_page_has_the_figures_the_differences_and_fetches_nothing(
    recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    code, _, _ = run(*recordings, "--out", tmp_path / "page.html")
    assert code == 0
    html = (tmp_path / "page.html").read_text("utf-8")
    shown = Page(html)
    for said in ("A: first.jsonl, B: second.jsonl", "12 common items, 6 programs", "0 / 6", "B − A, points"):
        assert said in shown.text
    assert not {tag for tag, _ in shown.tags} & {"script", "link", "img", "iframe"}
    assert "://" not in html
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]


def test_a_page_that_cannot_be_written_is_a_message(recordings: tuple[Path, Path], tmp_path: Path) -> None:
    code, _, said = run(*recordings, "--out", tmp_path / "none" / "page.html")
    assert code == 1
    assert "can't write the page" in said


def test_names_on_the_page_are_text(recordings: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [json.loads(line) for line in recordings[0].read_text("utf-8").splitlines()]
    hostile = tmp_path / "<script>.jsonl"
    hostile.write_text("".join(json.dumps({**one, "benchmark": "<script>"}) + "\n" for one in rows), "utf-8")
    html = page(compare_models(str(hostile), str(hostile)))
    assert "<script>" not in html
    assert "&lt;script&gt;/output" in html


def test_names_in_the_terminal_are_shown_as_they_are(recordings: tuple[Path, Path], tmp_path: Path) -> None:
    odd = tmp_path / "[bold]rows.jsonl"
    odd.write_bytes(recordings[0].read_bytes())
    assert "A: [bold]rows.jsonl" in run(odd, recordings[1])[1]


def test_what_is_not_paired_is_said(recordings: tuple[Path, Path], tmp_path: Path) -> None:
    lines = recordings[0].read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "part.jsonl").write_text("".join(lines[:9]), "utf-8")
    _, shown, _ = run(tmp_path / "part.jsonl", recordings[1])
    assert "held_out/output: not paired: 3 only asked of B" in shown


def test_one_program_has_no_interval_and_is_no_gain(recordings: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [[json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in recordings]
    odd = next(one for one in rows[0] if not one["final_correct"])["cluster"]
    parts = []
    for name, of in zip("ab", rows, strict=True):
        parts.append(tmp_path / f"{name}.jsonl")
        parts[-1].write_text("".join(json.dumps(one) + "\n" for one in of if one["cluster"] == odd), "utf-8")
    code, shown, _ = run(*parts)
    assert code == 0 and "+100.0 [one program: no interval]" in shown
    found = json.loads(run(*parts, "--json")[1])
    assert found["tasks"][0]["final"]["difference"]["low"] is None
    assert "inf" not in Page(page(compare_models(*map(str, parts)))).text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("not json\n", "can't be read as rows"),
        ('{"id": "sample_0", "generations": []}\n', "row 1: no item_id, cluster"),
        ("3\n", "row 1: no item_id"),
        ("PAR1 and nothing", "can't be read as rows"),
    ],
)
def test_a_file_of_something_else_is_a_message(
    text: str, message: str, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text(text)
    code, _, said = run(tmp_path / "rows.jsonl", recordings[0])
    assert code == 1
    assert message in said


def test_a_torn_last_line_is_passed_over_and_a_whole_one_without_its_line_end_is_not(
    recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    content = recordings[0].read_bytes()
    for name, cut, num_rows in (("torn", -20, 11), ("whole", -1, 12)):
        (tmp_path / name).write_bytes(content[:cut])
        assert len(recorded_rows(tmp_path / name)) == num_rows


def test_files_without_common_items_are_a_message(recordings: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [json.loads(line) for line in recordings[0].read_text("utf-8").splitlines()]
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps({**one, "item_id": f"x/{one['item_id']}"}) + "\n" for one in rows), "utf-8")
    code, _, said = run(other, recordings[0])
    assert code == 1
    assert "no common items: held_out/output: 12 only asked of A, 12 only asked of B" in said


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The workspace that the command finds in the environment, empty."""
    for name in ("STEPCODE_DATABASE_URL", "STEPCODE_ARTIFACTS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STEPCODE_HOME", str(tmp_path / "home"))
    workspaces.current_workspace.cache_clear()
    yield open_workspace(Settings(home=tmp_path / "home"))  # type: ignore[call-arg]
    workspaces.current_workspace.cache_clear()


def made(workspace: Workspace, job: str, role: str, content: bytes | Path, **inputs: Output) -> StepResult:
    def work(folder: Path) -> Made:
        one = Made()
        one.add(role, role, job, content)
        return one

    params = {"size": content.stat().st_size if isinstance(content, Path) else len(content)}
    return run_step(workspace, job, params=params, inputs=inputs, work=work)


def registered(workspace: Workspace, weights: bytes) -> tuple[int, Output]:
    """A model version with these weights, under the alias champion."""
    trained = made(workspace, "train", "model", weights)
    model = workspace.settings.model
    version = workspace.registry.register(model, trained.outputs["model"].artifact_id, {}, trained.run_id)
    current = workspace.registry.alias(model, "champion")
    expected = current.revision if current else None
    workspace.registry.move_alias(model, "champion", version.number, expected=expected, reason="test", decision={})
    return version.number, trained.outputs["model"]


def test_versions_and_aliases_are_compared_by_their_kept_evaluations_on_the_same_data(
    workspace: Workspace, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    old_data, data = (made(workspace, "publish", "dataset", text).outputs["dataset"] for text in (b"old", b"newer"))
    first, second = (as_parquet(path, tmp_path) for path in recordings)
    part = tmp_path / "part.parquet"
    pq.write_table(pq.read_table(second).slice(0, 4), part)
    one, model_one = registered(workspace, b"weights")
    two, model_two = registered(workspace, b"other weights")
    made(workspace, "evaluate", "rows", first, model=model_one, dataset=data)
    made(workspace, "evaluate", "rows", second, model=model_two, dataset=data)
    made(workspace, "evaluate", "rows", part, model=model_two, dataset=old_data)  # newer, and on other data
    code, shown, said = run(one, "champion", "--json")
    assert code == 0, said
    found = json.loads(shown)
    assert [found[side]["name"] for side in "ab"] == ["version 1", "version 2 (champion)"]
    assert found["tasks"][0]["num_items"] == 12
    assert found["tasks"][0]["final"]["b"]["mean"] == 1.0
    assert two == 2
    code, shown, _ = run(recordings[1], one, "--json")
    assert code == 0 and json.loads(shown)["tasks"][0]["final"]["difference"]["mean"] == -0.5
    code, _, said = run(two, "champion")
    assert code == 1 and "the same model: version 2" in said


def test_an_unknown_model_is_a_message_that_names_the_aliases(
    workspace: Workspace, recordings: tuple[Path, Path]
) -> None:
    registered(workspace, b"weights")
    for name, message in (("7", "version 7"), ("winner", "aliases: champion"), ("rows.jsonl", "no file rows.jsonl")):
        code, _, said = run(name, recordings[0])
        assert code == 1
        assert message in said


def test_a_model_without_a_kept_evaluation_is_a_message(
    workspace: Workspace, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    _, model = registered(workspace, b"weights")
    with pytest.raises(NothingToCompare, match=r"no evaluation of champion \(version 1\) is kept$"):
        compare_models("champion", str(recordings[0]), workspace)
    data = made(workspace, "publish", "dataset", b"data").outputs["dataset"]
    evaluated = made(workspace, "evaluate", "rows", as_parquet(recordings[0], tmp_path), model=model, dataset=data)
    assert compare_models("champion", str(recordings[0]), workspace).tasks[0].final.difference.mean == 0.0
    workspace.store.backend.remove(evaluated.outputs["rows"].digest)
    with pytest.raises(NothingToCompare, match="rows of 1 are no longer in the store"):
        compare_models("champion", str(recordings[0]), workspace)


def test_unpaired_items_in_words() -> None:
    from evaluation.comparison import Unpaired

    assert in_words(Unpaired(1, 0, 2, 3)) == (
        "1 only asked of A, 2 without a verdict for one of them, 3 with another truth or program under the same name"
    )
    assert in_words(Unpaired(0, 0, 0, 0)) == ""
