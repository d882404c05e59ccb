"""Run by Alembic around every migration: uses the connection that `database.py` hands over."""

from __future__ import annotations

from alembic import context

from datastore.database import VERSION_TABLE
from datastore.tables import Table

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
