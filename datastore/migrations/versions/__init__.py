"""Migrations; `down_revision` chains them."""
