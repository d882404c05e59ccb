"""Which endpoint: one string chooses, on the command line as in a recipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from evaluation.endpoint.openai import OpenAIEndpoint
from evaluation.endpoint.protocol import Endpoint, EndpointError
from evaluation.endpoint.recording import RecordingEndpoint
from evaluation.endpoint.transformers import TransformersEndpoint
from evaluation.endpoint.vllm import VllmEndpoint

KEY_VARIABLES = ("STEPCODE_API_KEY", "OPENAI_API_KEY")
FORMS = (
    "FOLDER (a saved model, run by transformers), vllm:FOLDER, openai:MODEL@BASE_URL (chat),"
    " openai-completions:MODEL@BASE_URL, recording:FILE"
)


def open_endpoint(
    spec: str, *, record: Path | str | None = None, api_key: str | None = None, **options: Any
) -> Endpoint:
    """The endpoint that `spec` names: a folder, `vllm:FOLDER`, `openai:MODEL@BASE_URL` (the chat protocol),
    `openai-completions:MODEL@BASE_URL` (prompts as they stand) or `recording:FILE`.

    `record` is a file that keeps the answers, and gives those it has without asking again. `options` are the
    endpoint's own keywords. A server's key is `api_key`, or else from STEPCODE_API_KEY or OPENAI_API_KEY. EndpointError
    says what is wrong with a spec, or that a model, a file or a package is missing.
    """
    kind, colon, rest = spec.partition(":")
    if not spec.strip():
        raise EndpointError(f"no model is named; give {FORMS}")
    endpoint: Endpoint
    if kind == "recording" and colon:
        if options or record is not None:
            raise EndpointError(f"{spec} replays a run: it takes no options, and is not recorded again")
        return RecordingEndpoint(rest)
    if kind in ("openai", "openai-completions") and colon:
        model, _, base_url = rest.rpartition("@")
        if not model or "://" not in base_url:
            raise EndpointError(
                f"{kind}: is followed by MODEL@BASE_URL, as in {kind}:my-model@http://localhost:8000/v1"
            )
        options.setdefault("chat", kind == "openai")
        endpoint = OpenAIEndpoint(base_url, model, api_key or _key(), **options)
    elif kind == "vllm" and colon:
        endpoint = VllmEndpoint(rest, **options)
    elif colon and kind.replace("-", "").isalpha() and not Path(spec).exists():
        raise EndpointError(f"no kind of endpoint is called {kind!r}; give {FORMS}")
    else:
        endpoint = TransformersEndpoint(spec, **options)
    return endpoint if record is None else RecordingEndpoint(record, endpoint)


def _key() -> str | None:
    return next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), None)
