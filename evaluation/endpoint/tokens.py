"""Between text and token ids: the same for every endpoint that runs a model itself, so that their answers compare."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.endpoint.protocol import Completion, EndpointError, cut_at_stop


def check_folder(folder: Path | str) -> Path:
    """The folder, or an EndpointError where no model is in it."""
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise EndpointError(f"no model in {folder}: config.json is missing; give a save_pretrained folder")
    return folder


def encode(tokenizer: Any, prompt: str, chat: bool) -> list[int]:
    """Token ids of a prompt: as it stands, or with `chat` as one user turn of the tokenizer's chat template."""
    if chat:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
    ids: list[int] = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    return ids


def stream_of(prompt: str) -> int:
    """31 bits that stand for a prompt, so that its samples depend on it, their number and the seed, and not on its
    place: a run that goes on after a kill draws what it would have drawn."""
    return int.from_bytes(hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()[:4], "big") >> 1


def decode(tokenizer: Any, token_ids: Sequence[int], stop_ids: Sequence[int]) -> str:
    """Text of what was generated, without the stop tokens and padding at its end."""
    silent = {*stop_ids, tokenizer.pad_token_id}
    ids = list(token_ids)
    while ids and ids[-1] in silent:
        ids.pop()
    text: str = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text


def completion(
    tokenizer: Any, token_ids: Sequence[int], finished: bool, stop_ids: Sequence[int], stop: Sequence[str]
) -> Completion:
    """The completion of generated tokens. Where a stop text is in it, tokens after it count for nothing."""
    text = decode(tokenizer, token_ids, stop_ids)
    cut = cut_at_stop(text, stop)
    if cut is None:
        return Completion(text, len(token_ids), finished)

    def stopped(count: int) -> bool:
        return cut_at_stop(decode(tokenizer, token_ids[:count], stop_ids), stop) is not None

    needed = bisect_left(range(len(token_ids)), True, key=stopped)
    return Completion(cut, needed, True)


def stop_ids_of(tokenizer: Any, generation_config: Any) -> list[int]:
    """Tokens that end a generation, by the model's generation config (None where there is none) and its tokenizer."""
    ends = generation_config.eos_token_id if generation_config is not None else None
    listed = ends if isinstance(ends, list) else [ends]
    return sorted({end for end in (*listed, tokenizer.eos_token_id) if isinstance(end, int)})
