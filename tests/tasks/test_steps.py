"""Steps: done once for the same job, parameters, inputs and code; never half."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from infra.settings import Settings
from tasks.steps import Made, Output, StepResult, fetch, run_step
from tasks.workspace import Workspace, code_version, open_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(Settings(home=tmp_path / "home"))  # type: ignore[call-arg]


class Work:
    """Writes `text` and counts how often it was asked to."""

    def __init__(self, text: str) -> None:
        self.text, self.times = text, 0

    def __call__(self, folder: Path) -> Made:
        self.times += 1
        made = Made(summary={"length": len(self.text)})
        (folder / "out.txt").write_text(self.text, "utf-8")
        made.add("text", "text", "text", folder / "out.txt")
        return made


def step(workspace: Workspace, work: Callable[[Path], Made], **changes: object) -> StepResult:
    return run_step(workspace, "write", params={"code": "1", **changes}, inputs={}, work=work)


def test_the_same_step_is_found_with_its_outputs_and_figures(workspace: Workspace, tmp_path: Path) -> None:
    work = Work("abc")
    first, second = step(workspace, work), step(workspace, work)
    assert work.times == 1 and (first.reused, second.reused) == (False, True)
    assert second.outputs == first.outputs and second.summary == {"length": 3}
    assert fetch(workspace, second.outputs["text"], tmp_path).read_text("utf-8") == "abc"


def test_another_parameter_is_another_step(workspace: Workspace) -> None:
    work = Work("abc")
    step(workspace, work)
    assert not step(workspace, work, code="2").reused and work.times == 2


def test_another_content_of_an_input_is_another_step(workspace: Workspace) -> None:
    results = []
    for text in ("a", "b"):
        source = step(workspace, Work(text), text=text).outputs["text"]
        results.append(run_step(workspace, "use", params={}, inputs={"text": source}, work=Work("same")))
    assert results[0].step_id != results[1].step_id
    assert results[0].outputs["text"].digest == results[1].outputs["text"].digest


def test_work_that_fails_leaves_no_row_and_its_folder_for_the_next_try(workspace: Workspace) -> None:
    def fail(folder: Path) -> Made:
        (folder / "half.txt").write_text("half", "utf-8")
        raise ValueError("stop here")

    with pytest.raises(ValueError, match="stop here"):
        step(workspace, fail)
    assert workspace.lineage.runs() == []
    seen = []
    work = Work("whole")

    def go_on(folder: Path) -> Made:
        seen.append((folder / "half.txt").read_text("utf-8"))
        return work(folder)

    assert not step(workspace, go_on).reused and seen == ["half"]
    assert not list((workspace.home / "work").iterdir())


def test_a_kill_right_after_the_record_leaves_no_work_once_the_step_is_found(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path, ignore_errors: bool) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tasks.steps.shutil.rmtree", killed)
        step(workspace, Work("abc"))
    assert list((workspace.home / "work").iterdir())
    assert step(workspace, Work("abc")).reused
    assert not list((workspace.home / "work").iterdir())


def test_a_recorded_step_whose_bytes_are_gone_is_done_again_and_its_new_bytes_are_found(workspace: Workspace) -> None:
    work = Work("abc")
    result = step(workspace, work)
    workspace.store.backend.remove(result.outputs["text"].digest)
    work.text = "another text, as a repeated training would give"
    again = step(workspace, work)
    assert not again.reused and work.times == 2
    assert workspace.store.get_bytes(again.outputs["text"].digest).decode() == work.text
    assert step(workspace, work).outputs == again.outputs and work.times == 2


def test_the_inputs_of_a_step_are_its_edges(workspace: Workspace) -> None:
    source: Output = step(workspace, Work("a")).outputs["text"]
    used = run_step(workspace, "use", params={}, inputs={"text": source}, work=Work("b"))
    assert [a.artifact_id for a in workspace.lineage.ancestors(used.outputs["text"].artifact_id)] == [
        source.artifact_id
    ]


def test_the_code_version_depends_on_the_packages_named() -> None:
    assert code_version("execution") == code_version("execution") != code_version("execution", "corpus")
    with pytest.raises(ValueError, match="no package"):
        code_version("no_such_package_of_ours")


def test_threads_that_want_the_same_step_do_it_once(workspace: Workspace) -> None:
    work, begun = Work("abc"), Barrier(2)

    def slowly(folder: Path) -> Made:
        time.sleep(0.3)  # a second one would be at work by then
        return work(folder)

    def run(_: int) -> StepResult:
        begun.wait()
        return step(workspace, slowly)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(run, range(2)))
    assert work.times == 1 and sorted(one.reused for one in found) == [False, True]
    assert found[0].run_id == found[1].run_id
