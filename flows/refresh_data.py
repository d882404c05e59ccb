"""refresh-data: collect programs, trace them in the sandbox, validate the traces, publish a dataset version."""

from typing import Any

from prefect import flow

from tasks.collect import collect_programs
from tasks.outcome import Refreshed
from tasks.preflight import read_inputs
from tasks.publish import publish_dataset
from tasks.tell import tell_step
from tasks.trace import trace_programs
from tasks.validate import validate_traces
from tasks.workspace import current_workspace, single_run


@flow(name="refresh-data", validate_parameters=True, persist_result=False)
def refresh_data(recipe: str = "tiny", programs: str | None = None, changes: dict[str, Any] | None = None) -> Refreshed:
    """Refresh the corpus and publish it as a dataset version; returns its steps.

    recipe: name of a shipped recipe or path of a TOML file. programs: your own programs, a folder of Python files
    with asserts or a JSONL/Parquet file with code, input and output. changes: dotted keys of the recipe with other
    values, such as {"seed": 1, "rl.updates": 20}.
    """
    loaded, sources = read_inputs(recipe, programs, changes)
    workspace = current_workspace()
    with single_run(workspace):
        collected = tell_step(collect_programs(workspace, loaded, sources))
        traced = tell_step(trace_programs(workspace, loaded, collected.outputs["programs"]))
        traces = traced.outputs["traces"]
        quality = tell_step(validate_traces(workspace, loaded, traces))
        published = tell_step(publish_dataset(workspace, loaded, traces, quality.outputs["quality"]))
    return Refreshed(collected, traced, quality, published)
