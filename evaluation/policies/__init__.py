"""Promotion policies as TOML files, read by `evaluation.policy.load_policy`."""
