"""Endpoints: what answers prompts. A transformers model, vLLM, an OpenAI-compatible server, a recording of any.

Importing this package imports no torch, no vLLM and no HTTP client: an endpoint does so when it is made.
"""

from evaluation.endpoint.openai import OpenAIEndpoint
from evaluation.endpoint.opening import open_endpoint
from evaluation.endpoint.pricing import Prices, Usage
from evaluation.endpoint.protocol import Completion, Endpoint, EndpointError, Known, OnAnswer, Progress, Sampling
from evaluation.endpoint.recording import RecordingEndpoint
from evaluation.endpoint.transformers import TransformersEndpoint
from evaluation.endpoint.vllm import VllmEndpoint

__all__ = [
    "Completion",
    "Endpoint",
    "EndpointError",
    "Known",
    "OnAnswer",
    "OpenAIEndpoint",
    "Prices",
    "Progress",
    "RecordingEndpoint",
    "Sampling",
    "TransformersEndpoint",
    "Usage",
    "VllmEndpoint",
    "open_endpoint",
]
