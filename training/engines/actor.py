"""vLLM in a Ray actor: a process, and where asked a GPU, of its own; weights travel through Ray's object store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel

from evaluation.endpoint.vllm import CPU_ENVIRONMENT, ENVIRONMENT
from evaluation.sampler import Sample
from training.engines.protocol import Ids, Sampling
from training.engines.vllm import VllmEngine
from training.engines.weights import weights_of
from training.errors import EngineError

START_S, CALL_S = 600.0, 3600.0


class _Worker:
    """What runs in the actor."""

    def __init__(self, config: PretrainedConfig, dtype: str, max_tokens: int, options: dict[str, Any]) -> None:
        self.engine = VllmEngine(config, dtype, max_tokens, **options)

    def ready(self) -> bool:
        return True

    def load(self, arrays: dict[str, Any]) -> None:
        # Arrays of the object store are read-only, so they are copied.
        self.engine.load((name, torch.from_numpy(array.copy())) for name, array in arrays.items())

    def generate(self, *arguments: Any) -> list[list[Sample]]:
        return self.engine.generate(*arguments)

    def logprobs(self, *arguments: Any) -> list[list[float]]:
        return self.engine.logprobs(*arguments)


class VllmActorEngine:
    """`VllmEngine` in an actor of the Ray cluster that RAY_ADDRESS names, or of one started here.

    Where there are GPUs it takes as many as the engine is spread over, unless `num_gpus` says how many. EngineError
    where the cluster has fewer, which the actor would wait for.
    """

    def __init__(
        self, config: PretrainedConfig, dtype: str, max_tokens: int, num_gpus: float | None = None, **options: Any
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise EngineError("ray is not installed: pip install ray, or set rl.engine = 'vllm'") from error

        self._ray: Any = ray
        self._started_ray = not ray.is_initialized()
        if self._started_ray:
            ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
        spread = options.get("tensor_parallel_size", 1) if torch.cuda.is_available() else 0
        gpus = spread if num_gpus is None else num_gpus
        if (have := ray.cluster_resources().get("GPU", 0)) < gpus:
            self._leave()
            raise EngineError(
                f"vLLM's actor needs {gpus:g} GPUs (parallel.engine_devices), and the Ray cluster has {have:g}: lower"
                " parallel.engine_devices, or use rl.engine = 'vllm'"
            )
        variables = ENVIRONMENT | ({} if gpus else CPU_ENVIRONMENT)
        actor: Any = ray.remote(num_cpus=1, num_gpus=gpus, runtime_env={"env_vars": variables})(_Worker)
        self._worker: Any = actor.remote(config, dtype, max_tokens, options)
        try:
            self._get(self._worker.ready.remote(), START_S)
        except EngineError:
            self.close()
            raise

    def sync(self, model: PreTrainedModel) -> None:
        # numpy has no bfloat16; the engine rounds to its own precision.
        arrays = {name: weight.float().cpu().numpy() for name, weight in weights_of(model)}
        self._get(self._worker.load.remote(self._ray.put(arrays)), CALL_S)

    def generate(
        self, prompt_ids: Sequence[Ids], sampling: Sampling, streams: Sequence[int] | None = None
    ) -> list[list[Sample]]:
        call = self._worker.generate.remote([list(ids) for ids in prompt_ids], sampling, streams)
        samples: list[list[Sample]] = self._get(call, CALL_S)
        return samples

    def logprobs(self, prompt_ids: Sequence[Ids], completion_ids: Sequence[Ids]) -> list[list[float]]:
        call = self._worker.logprobs.remote([list(ids) for ids in prompt_ids], [list(ids) for ids in completion_ids])
        scores: list[list[float]] = self._get(call, CALL_S)
        return scores

    def close(self) -> None:
        self._ray.kill(self._worker)
        self._leave()

    def _leave(self) -> None:
        if self._started_ray:
            self._ray.shutdown()

    def _get(self, call: Any, timeout_s: float) -> Any:
        try:
            return self._ray.get(call, timeout=timeout_s)
        except self._ray.exceptions.RayError as error:
            raise EngineError(f"vLLM's actor failed, or took more than {timeout_s:.0f} s: {error}") from error
