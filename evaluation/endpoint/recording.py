"""A recording of an endpoint: replays a run without the model, and keeps every answer as it comes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.endpoint.protocol import Completion, Endpoint, EndpointError, Known, OnAnswer, Progress, Sampling


class RecordingEndpoint:
    """Replays completions from a JSONL file; asks `inner` for what is not there, and records it.

    Without `inner` an unknown prompt is an EndpointError. A line is one prompt with its settings' key and its
    completions, or a part of them where they come one by one; it is written whole and synced as soon as the answer
    is there, so that a kill loses what was being answered and nothing else. A torn last line is dropped.
    """

    def __init__(self, path: Path | str, inner: Endpoint | None = None) -> None:
        self.path = Path(path)
        self.inner = inner
        self.known: dict[str, dict[int, Completion]] = {}
        if self.path.exists():
            self._read()
        elif inner is None:
            raise EndpointError(f"no recording {self.path}, and no model to make one")

    def _read(self) -> None:
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                row = json.loads(line)
                samples = row["samples"] if "samples" in row else range(len(row["completions"]))
                completions = [Completion(**completion) for completion in row["completions"]]
                self.known.setdefault(row["key"], {}).update(zip(samples, completions, strict=True))
            except (ValueError, KeyError, TypeError) as error:
                raise EndpointError(f"line {number} of the recording {self.path} can't be read: {error}") from error
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        temperature: float = 0.0,
        num_samples: int = 1,
        seed: int = 0,
        progress: Progress | None = None,
        *,
        stop: Sequence[str] = (),
        top_p: float = 1.0,
        on_answer: OnAnswer | None = None,
        known: Known | None = None,
    ) -> list[list[Completion]]:
        """As the protocol says. Prompts that are the same text are asked once; `known` is recorded too."""
        sampling = Sampling(max_new_tokens, temperature, num_samples, seed, tuple(stop), top_p)
        keys = [request_key(prompt, sampling) for prompt in prompts]
        for place, samples in (known or {}).items():
            self._record(keys[place], prompts[place], samples, num_samples)
        places: dict[str, list[int]] = {}
        for place, key in enumerate(keys):
            places.setdefault(key, []).append(place)
        missing = [key for key in places if len(self.known.get(key, {})) < num_samples]
        if missing and self.inner is None:
            raise EndpointError(
                f"{len(missing)} of {len(places)} prompts are not in the recording {self.path} with these settings;"
                f" the first: {prompts[places[missing[0]][0]][:200]!r}"
            )
        if on_answer is not None:
            for place, key in enumerate(keys):
                if key in self.known:
                    on_answer(place, dict(self.known[key]))

        done = sum(len(self.known.get(key, {})) for key in keys)

        def hear(asked: int, samples: Mapping[int, Completion]) -> None:
            nonlocal done
            key = missing[asked]
            new = self._record(key, prompts[places[key][0]], samples, num_samples)
            for place in places[key]:
                done += len(new)
                if on_answer is not None:
                    on_answer(place, new)
            if progress is not None:
                progress(done)

        if missing and self.inner is not None:
            self.inner.generate(
                [prompts[places[key][0]] for key in missing],
                max_new_tokens,
                temperature,
                num_samples,
                seed,
                stop=stop,
                top_p=top_p,
                on_answer=hear,
                known={asked: dict(self.known.get(key, {})) for asked, key in enumerate(missing)},
            )
        if progress is not None:
            progress(len(prompts) * num_samples)
        return [[self.known[key][number] for number in range(num_samples)] for key in keys]

    def _record(
        self, key: str, prompt: str, samples: Mapping[int, Completion], num_samples: int
    ) -> dict[int, Completion]:
        """Writes the samples that are not there yet; returns them."""
        there = self.known.setdefault(key, {})
        new = {number: samples[number] for number in sorted(samples) if number not in there}
        if not new:
            return new
        row: dict[str, Any] = {"key": key, "prompt": prompt, "completions": [asdict(one) for one in new.values()]}
        if list(new) != list(range(num_samples)):
            row["samples"] = list(new)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        there.update(new)
        return new


def request_key(prompt: str, sampling: Sampling) -> str:
    """Identity of a request. At temperature 0 neither the seed nor `top_p` says anything; nor does the order of stop
    texts. Without stop texts and `top_p` it is the key that recordings had before there were any."""
    drawn = sampling.temperature > 0
    settings: list[Any] = [prompt, sampling.max_new_tokens, float(sampling.temperature), sampling.num_samples]
    settings.append(sampling.seed if drawn else 0)
    if sampling.stop or (drawn and sampling.top_p != 1):
        settings += [sorted(set(sampling.stop)), float(sampling.top_p) if drawn else 1.0]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]
