"""The real Prefect services, for the tests that ask for them."""

from tests.services.prefect import prefect_services

__all__ = ["prefect_services"]
