"""An answer in OpenAI's protocol, read into completions; one that is not whole is a ValueError."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from evaluation.endpoint.protocol import Completion, Sampling, cut_at_stop


def read_answer(reply: Any, num_samples: int, sampling: Sampling) -> list[Completion]:
    """The completions of a chat or text answer, at most `num_samples`, in the order of their `index`.

    A choice is finished when its finish_reason is "stop" or a stop text is in it. A choice without finish_reason is
    half an answer: ValueError, as for whatever is not such an answer at all.
    """
    choices = reply["choices"] if isinstance(reply, dict) else None
    if not isinstance(choices, list) or not choices:
        raise ValueError("no choices in it")
    texts, ends = [], []
    for choice in sorted(choices, key=lambda choice: choice.get("index", 0))[:num_samples]:
        text = choice["message"].get("content") if "message" in choice else choice["text"]
        if not isinstance(choice.get("finish_reason"), str) or not isinstance(text, str | None):
            raise ValueError("a choice in it has no finish_reason or no text")
        texts.append(text or "")
        ends.append(choice["finish_reason"] == "stop")
    usage = reply.get("usage")
    counted = usage.get("completion_tokens") if isinstance(usage, dict) else None
    counts = _shares(counted if isinstance(counted, int) else 0, texts)
    completions = []
    for text, count, ended in zip(texts, counts, ends, strict=True):
        cut = cut_at_stop(text, sampling.stop)
        completions.append(Completion(text, count, ended) if cut is None else Completion(cut, count, True))
    return completions


def _shares(total: int, texts: list[str]) -> list[int]:
    """`total` tokens divided among texts by their length; the shares sum to it."""
    lengths = [len(text) + 1 for text in texts]
    bounds = [round(total * sum(lengths[:place]) / sum(lengths)) for place in range(len(texts) + 1)]
    return [after - before for before, after in pairwise(bounds)]
