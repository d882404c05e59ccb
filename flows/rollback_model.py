"""rollback-model: put an earlier champion back."""

from prefect import flow

from tasks.rollback import roll_back


@flow(name="rollback-model", validate_parameters=True, persist_result=False)
def rollback_model(reason: str, version: int | None = None) -> str:
    """Make `version` (default: the previous champion) champion again; `reason` goes to the history."""
    return roll_back(version, reason)
