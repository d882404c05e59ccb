"""Fixtures that every test may use: real servers, started once per session when first asked for."""

from tests.services.postgres import postgres_server, postgres_tcp_server, postgres_url, reused_postgres_url
from tests.services.radosgw import radosgw

__all__ = ["postgres_server", "postgres_tcp_server", "postgres_url", "radosgw", "reused_postgres_url"]
