"""What is asked of a Prefect server over its REST API: whether it answers, and whether a worker is there."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

TIMEOUT_S = 10.0


def call(url: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
    """Status and JSON of a request to Prefect's API: GET, or POST where there is a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            text = response.read()
            return response.status, json.loads(text) if text.startswith((b"{", b"[", b"t", b'"')) else None
    except urllib.error.HTTPError as error:
        return error.code, None


def answers(url: str) -> bool:
    """Whether a GET of the address ends well."""
    try:
        return call(url)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def worker_online(api: str, pool: str) -> bool:
    """Whether a worker of the pool has been heard of lately."""
    try:
        status, workers = call(f"{api}/work_pools/{pool}/workers/filter", {})
    except (OSError, http.client.HTTPException):
        return False
    return status == 200 and any(worker["status"] == "ONLINE" for worker in workers)
