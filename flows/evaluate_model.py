"""evaluate-model: a registered model on the public benchmarks, in every form asked for, by both rules."""

from prefect import flow

from tasks.evaluation_run import evaluate_registered
from tasks.workspace import current_workspace


@flow(name="evaluate-model", validate_parameters=True, persist_result=False)
def evaluate_model(
    model: str = "champion",
    benchmarks: list[str] | None = None,
    forms: list[str] | None = None,
    style: str = "instruct",
    limit: int | None = None,
    max_new_tokens: int = 4096,
) -> str:
    """Evaluate a version or an alias; the rows are kept with their lineage. Returns the link of the page.

    benchmarks: names, default all of the benchmarks folder. forms: of steps, plain, direct, cot; default all four.
    style: instruct for chat models, compact for models made from scratch. limit: rows of each benchmark.
    """
    return evaluate_registered(
        current_workspace(),
        model,
        benchmarks=tuple(benchmarks or ()),
        forms=tuple(forms or ("steps", "plain", "direct", "cot")),
        style=style,
        limit=limit,
        max_new_tokens=max_new_tokens,
    )
