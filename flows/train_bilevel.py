"""train-bilevel: refresh the data, SFT, Bi-Level GRPO, evaluate, register, and let the gate decide."""

import time
from typing import Any

from prefect import flow

from flows.refresh_data import refresh_data
from tasks.evaluate import evaluate_model
from tasks.outcome import RunOutcome
from tasks.promote import decide_promotion
from tasks.register import register_model
from tasks.report import Trained, publish_report
from tasks.start import starting_model
from tasks.tell import tell_step
from tasks.train import train_stage
from tasks.workspace import current_workspace, single_run
from training.config import load_recipe


@flow(name="train-bilevel", validate_parameters=True, persist_result=False)
def train_bilevel(
    recipe: str = "tiny", programs: str | None = None, changes: dict[str, Any] | None = None
) -> RunOutcome:
    """The nightly job, whole; what has not changed since it was last done is found and not done again.

    recipe: name of a shipped recipe or path of a TOML file. programs: your own programs, a folder of Python files
    with asserts or a JSONL/Parquet file with code, input and output. changes: dotted keys of the recipe with other
    values, such as {"seed": 1, "rl.updates": 20}.
    """
    started = time.monotonic()
    loaded = load_recipe(recipe, changes)
    workspace = current_workspace()
    with single_run(workspace):
        start = starting_model(workspace, loaded)
        refreshed = refresh_data(recipe=recipe, programs=programs, changes=changes)
        dataset = refreshed.published.outputs["dataset"]
        first = {"dataset": dataset} if start is None else {"dataset": dataset, "model": start}
        sft = tell_step(train_stage(workspace, loaded, "sft", first)) if "sft" in loaded.stages else None
        inputs = first if sft is None else {"dataset": dataset, "model": sft.outputs["model"]}
        before = tell_step(evaluate_model(workspace, loaded, inputs["model"], dataset, "sft" if sft else "start"))
        rl = tell_step(train_stage(workspace, loaded, "rl", inputs))
        after = tell_step(evaluate_model(workspace, loaded, rl.outputs["model"], dataset, "bilevel"))
        version = register_model(workspace, rl, after.summary)
        promotion = decide_promotion(workspace, loaded, version, after, dataset)
        trained = Trained(sft, before, rl, after, version, promotion)
        return publish_report(workspace, loaded, refreshed, trained, started)
