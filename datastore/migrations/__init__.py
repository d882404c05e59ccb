"""The schema's history, one file per change; applied when a database is opened."""
