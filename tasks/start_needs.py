"""What the dry run says of `model.start_from`: looked up where there is a database, and none is made."""

from __future__ import annotations

from pathlib import Path

from infra.settings import Settings
from training.config import Recipe
from training.needs import Need

WHAT = "starting model"


def start_needs(settings: Settings, recipe: Recipe) -> list[Need]:
    """The registered model that a run of the recipe starts from; nothing where it starts from the recipe's own."""
    name = recipe.model.start_from
    if not name:
        return []
    unknown = f"model.start_from = {name!r} was not looked up"
    file = settings.database.removeprefix("sqlite:///")
    if file != settings.database and not Path(file).exists():
        return [Need(WHAT, name, f"{unknown}: there is no database at {file} yet", fatal=False)]

    from datastore.database import open_database  # takes a second, which few dry runs need
    from datastore.errors import DatabaseError, LineageError
    from datastore.registry import Registry

    try:
        with open_database(settings.database) as database:
            version = Registry(database).resolve(settings.model, name)
    except LineageError as error:
        return [Need(WHAT, name, f"recipe {recipe.name} starts from {name!r} (model.start_from): {error}")]
    except DatabaseError as error:
        return [Need(WHAT, name, f"{unknown}: {error}", fatal=False)]
    return [Need(WHAT, f"{name}: version {version.number}")]
