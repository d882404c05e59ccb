"""One Prefect task per step: fetch, call one function, store, record."""
