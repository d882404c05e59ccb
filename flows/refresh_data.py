"""refresh-data: collect programs, trace them in the sandbox, validate the traces, publish a dataset version."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.collect import collect_programs, find_sources
from tasks.publish import publish_dataset
from tasks.steps import StepResult
from tasks.tell import tell_step
from tasks.trace import trace_programs
from tasks.validate import validate_traces
from tasks.workspace import current_workspace, single_run
from training.config import load_recipe

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "programs"


@flow(name="refresh-data", validate_parameters=True, persist_result=False)
def refresh_data(
    recipe: str = "tiny", programs: str | None = None, changes: dict[str, Any] | None = None
) -> StepResult:
    """Refresh the corpus and publish it as a dataset version; returns the publishing step.

    recipe: name of a shipped recipe or path of a TOML file. programs: your own programs, a folder of Python files
    with asserts or a JSONL/Parquet file with code, input and output. changes: dotted keys of the recipe with other
    values, such as {"seed": 1, "rl.updates": 20}.
    """
    loaded = load_recipe(recipe, changes)
    sources = find_sources(EXAMPLES, programs)
    workspace = current_workspace()
    with single_run(workspace):
        collected = tell_step(collect_programs(workspace, loaded, sources))
        traced = tell_step(trace_programs(workspace, loaded, collected.outputs["programs"]))
        traces = traced.outputs["traces"]
        quality = tell_step(validate_traces(workspace, loaded, traces))
        return tell_step(publish_dataset(workspace, loaded, traces, quality.outputs["quality"]))
