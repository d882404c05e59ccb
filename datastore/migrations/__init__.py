"""The schema's history, one file per change; applied when a database is opened.

A new one: change `tables.py`, then, with an open Database of the old schema,
`command.revision(alembic_config(connection), "What changes", autogenerate=True, rev_id="0002")`
(`alembic.command`, `datastore.database.alembic_config`), read what it wrote, and run the tests.
"""
