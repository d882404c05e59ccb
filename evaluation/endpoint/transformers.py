"""A transformers model on the CPU or a GPU, sampled by the project's own sampler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.endpoint.protocol import (
    Completion,
    EndpointError,
    Known,
    OnAnswer,
    Progress,
    Sampling,
    cut_at_stop,
)
from evaluation.endpoint.tokens import check_folder, completion, encode, stop_ids_of, stream_of

if TYPE_CHECKING:
    import torch

    from evaluation.sampler import Sample


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

        folder = check_folder(folder)
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
        self.stop_ids = stop_ids_of(self.tokenizer, self.model.generation_config)

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
        """As the protocol says; `known` is ignored: what is computed here costs nothing to compute again."""
        sampling = Sampling(max_new_tokens, temperature, num_samples, seed, tuple(stop), top_p)
        groups: list[dict[int, Completion]] = [{} for _ in prompts]

        def hear(place: int, first: int, samples: Sequence[Sample]) -> None:
            made = {number: self._completion(sample, sampling) for number, sample in enumerate(samples, first)}
            groups[place] |= made
            if on_answer is not None:
                on_answer(place, made)

        self.sampler.generate(
            [self._encode(prompt) for prompt in prompts],
            num_samples=num_samples,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            seed=seed,
            stop_ids=self.stop_ids,
            progress=progress,
            streams=[stream_of(prompt) for prompt in prompts],
            top_p=top_p,
            ends=self._ends(sampling.stop),
            on_samples=hear,
        )
        return [[group[number] for number in range(num_samples)] for group in groups]

    def _encode(self, prompt: str) -> list[int]:
        return encode(self.tokenizer, prompt, self.chat)

    def _completion(self, sample: Sample, sampling: Sampling) -> Completion:
        return completion(self.tokenizer, sample.token_ids, sample.finished, self.stop_ids, sampling.stop)

    def _ends(self, stop: Sequence[str]) -> Callable[[Sequence[int]], bool] | None:
        """Whether generated ids hold a stop text, for the sampler, which asks every ENDS_EVERY tokens.

        A token is at least a byte, so only the last tokens need a look; what is seen there is looked up in the whole.
        """
        if not stop:
            return None
        from evaluation.sampler import ENDS_EVERY

        reach = ENDS_EVERY + max(len(text.encode("utf-8", "surrogatepass")) for text in stop)

        def ends(ids: Sequence[int]) -> bool:
            return all(
                cut_at_stop(self.tokenizer.decode(part, clean_up_tokenization_spaces=False), stop) is not None
                for part in (ids[-reach:], ids)
            )

        return ends


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
