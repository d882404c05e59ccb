"""The comparison of stages: its figures by hand, and the whole of it at its smallest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.stages_figures import Figure, as_json, figures, table
from infra.settings import Settings
from tasks.workspace import open_workspace
from tests.benchmarks.running import run_python


def row(item: str, task: str, steps: list[bool], final: bool, judged: bool = True) -> dict[str, Any]:
    return {
        "item_id": item,
        "cluster": item[0],
        "task": task,
        "step_correct": steps,
        "final_correct": final if judged else None,
        "judged": judged,
    }


WORSE = [row("a", "code", [True, False], False), row("b", "code", [False], False), row("c", "output", [True], False)]
BETTER = [row("a", "code", [True, True], True), row("b", "code", [False], False), row("c", "output", [True], True)]
BOTH = [row("a", "code", [True, True], True), row("b", "code", [True], True), row("c", "output", [False], True)]
ARMS = {"SFT": [WORSE, WORSE], "code": [WORSE, BETTER], "execution, code": [BETTER, BOTH]}


def figure(found: list[Figure], arm: str, measure: str) -> Figure:
    [one] = [one for one in found if (one.arm, one.measure) == (arm, measure)]
    return one


def test_arms_are_compared_item_by_item_and_seed_by_seed() -> None:
    found = figures(ARMS, "code")
    passed = figure(found, "execution, code", "pass")
    assert passed.value.mean == pytest.approx(3 / 4)
    assert passed.change is not None and passed.change.mean == pytest.approx(3 / 4 - 1 / 4)
    assert figure(found, "SFT", "tests").value.mean == pytest.approx(1 / 3), "of three tests"
    assert figure(found, "execution, code", "step").value.mean == pytest.approx(1 / 2)
    assert figure(found, "code", "pass").change is None
    assert (passed.num_items, passed.num_programs) == (2, 2)
    assert len(table(found, 2).rows) == 3
    assert json.loads(json.dumps(as_json(found, 2)))["num_seeds"] == 2


def test_an_item_that_one_model_was_not_judged_on_leaves_all() -> None:
    lost = [row("a", "code", [False, False], False, judged=False), *BETTER[1:]]
    found = figures({**ARMS, "code": [WORSE, lost]}, "code")
    assert figure(found, "execution, code", "pass").num_items == 1
    assert figure(found, "execution, code", "pass").value.mean == pytest.approx(1 / 2)


def test_models_that_were_asked_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        figures({**ARMS, "code": [WORSE, BETTER[1:]]}, "code")


@pytest.mark.slow
def test_the_whole_comparison_runs_and_is_found_again(tmp_path: Path, prefect_api: str) -> None:
    def run() -> str:
        given = ["--seeds", "1", "--start-states", "3", "--home", str(tmp_path / "home")]
        run_python("-m", "benchmarks.stages", *given, PREFECT_API_URL=prefect_api)
        return (tmp_path / "home" / "reports" / "stages.json").read_text("utf-8")

    first = run()
    found = json.loads(first)
    assert {one["arm"] for one in found["figures"]} == {"SFT", "code", "code, code", "execution", "execution, code"}
    assert {one["measure"] for one in found["figures"]} == {"pass", "tests", "step", "final"}
    assert all(one["num_items"] for one in found["figures"])
    lineage = open_workspace(Settings(home=tmp_path / "home")).lineage  # type: ignore[call-arg]
    runs = [run for run in lineage.runs(limit=100) if run.job.startswith("train-")]
    shown = {(run.job, run.params["recipe"]["slice"]["max_states"]) for run in runs}
    assert shown == {("train-sft", 3), ("train-rl", 6)}, "SFT alone has short programs only"
    before = sorted((tmp_path / "home" / "artifacts").rglob("*"))
    assert run() == first
    assert sorted((tmp_path / "home" / "artifacts").rglob("*")) == before, "nothing was trained or asked again"
