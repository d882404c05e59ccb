"""Endpoints: what answers prompts. A transformers model on CPU or GPU, and a recording that replays another one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Completion:
    """One response. `finished` is False where the token limit cut it. `token_count` is of what was generated."""

    text: str
    token_count: int
    finished: bool


class Endpoint(Protocol):
    """Anything that answers prompts."""

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        temperature: float = 0.0,
        num_samples: int = 1,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        """`num_samples` completions of each prompt, in order; `progress` hears how many are complete so far."""
        ...


class EndpointError(RuntimeError):
    """A model that can't be loaded, or a recording without the answer asked for."""


class TransformersEndpoint:
    """A `save_pretrained` folder of model and tokenizer, loaded once, sampled by `evaluation.sampler`.

    A prompt goes in as it stands, unless the tokenizer has a chat template (`chat` None) or `chat` is True: then as
    one user turn. `device` "auto" is the GPU where there is one. Weights are float32 on the CPU (the dtype of
    training and sampling there) and as stored on a GPU.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        device: str = "auto",
        max_batch_tokens: int = 32768,
        threads: int | None = None,
        chat: bool | None = None,
    ) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from evaluation.sampler import Sampler

        folder = Path(folder)
        if not (folder / "config.json").is_file():
            raise EndpointError(f"no model in {folder}: config.json is missing; give a save_pretrained folder")
        if threads:
            torch.set_num_threads(threads)
        self.device = _device(device)
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
            dtype = torch.float32 if self.device.type == "cpu" else "auto"
            model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype)
        except (OSError, ValueError) as error:
            raise EndpointError(f"the model in {folder} can't be loaded: {error}") from error
        self.model = model.to(self.device)
        self.chat = self.tokenizer.chat_template is not None if chat is None else chat
        self.sampler = Sampler(self.model, self.tokenizer, max_batch_tokens=max_batch_tokens)
        ends = self.model.generation_config.eos_token_id if self.model.generation_config is not None else None
        listed = ends if isinstance(ends, list) else [ends]
        self.stop_ids = sorted({end for end in (*listed, self.tokenizer.eos_token_id) if isinstance(end, int)})

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        temperature: float = 0.0,
        num_samples: int = 1,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        groups = self.sampler.generate(
            [self._encode(prompt) for prompt in prompts],
            num_samples=num_samples,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            seed=seed,
            stop_ids=self.stop_ids,
            progress=progress,
        )
        return [
            [Completion(self._decode(sample.token_ids), len(sample.token_ids), sample.finished) for sample in group]
            for group in groups
        ]

    def _encode(self, prompt: str) -> list[int]:
        if self.chat:
            prompt = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
            )
        ids: list[int] = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        return ids

    def _decode(self, token_ids: Sequence[int]) -> str:
        silent = {*self.stop_ids, self.tokenizer.pad_token_id}
        ids = list(token_ids)
        while ids and ids[-1] in silent:
            ids.pop()
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


class RecordingEndpoint:
    """Replays completions from a JSONL file; asks `inner` for what is not there, and records it.

    Without `inner` an unknown prompt is an EndpointError. A line is one prompt with its settings and completions,
    written whole and synced; a torn last line (a kill while writing) is dropped.
    """

    def __init__(self, path: Path | str, inner: Endpoint | None = None) -> None:
        self.path = Path(path)
        self.inner = inner
        self.known: dict[str, list[Completion]] = {}
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
                self.known[row["key"]] = [Completion(**completion) for completion in row["completions"]]
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
    ) -> list[list[Completion]]:
        keys = [_key(prompt, max_new_tokens, temperature, num_samples, seed) for prompt in prompts]
        missing = [place for place, key in enumerate(keys) if key not in self.known]
        if missing and self.inner is None:
            raise EndpointError(
                f"{len(missing)} of {len(prompts)} prompts are not in the recording {self.path} with these settings;"
                f" the first: {prompts[missing[0]][:200]!r}"
            )
        if missing and self.inner is not None:
            asked = [prompts[place] for place in missing]
            answers = self.inner.generate(asked, max_new_tokens, temperature, num_samples, seed)
            self._record(
                {keys[place]: (prompts[place], answer) for place, answer in zip(missing, answers, strict=True)}
            )
        if progress is not None:
            progress(len(prompts) * num_samples)
        return [self.known[key] for key in keys]

    def _record(self, answers: dict[str, tuple[str, list[Completion]]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            for key, (prompt, completions) in answers.items():
                row = {"key": key, "prompt": prompt, "completions": [asdict(one) for one in completions]}
                file.write(json.dumps(row) + "\n")
                self.known[key] = completions
            file.flush()
            os.fsync(file.fileno())


def _key(prompt: str, max_new_tokens: int, temperature: float, num_samples: int, seed: int) -> str:
    """Identity of a request. At temperature 0 the seed says nothing."""
    settings = [prompt, max_new_tokens, float(temperature), num_samples, seed if temperature else 0]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]
