"""The weights of the trainer's model as an engine takes them: whole, merged, and named as in a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

# In the path of a layer whose activations are computed again, not in its weights' names.
WRAPPED = "_checkpoint_wrapped_module."
ADAPTER = "default"  # peft's name of the additions that are trained


def weights_of(model: PreTrainedModel) -> Iterator[tuple[str, torch.Tensor]]:
    """Names and weights as a checkpoint has them, with the output head spelt out where it is tied to the embedding.

    An engine that keeps a copy of the head would otherwise go on with the old one, silently (vLLM on the CPU does).
    LoRA's additions are merged into what is given, and the model stays as it is, to the bit. Where weights are split
    over processes all of them take part, each going through all weights.
    """
    tensors = model.state_dict(keep_vars=True)  # unlike a checkpoint, this has tied weights under both names
    scaling = {name.replace(WRAPPED, ""): layer.scaling for name, layer in _layers_with_additions(model)}
    for name, weight in tensors.items():
        if ".lora_" in name:
            continue
        path, _, kind = name.rpartition(".base_layer.")
        found = whole(weight)
        if path in scaling and kind == "weight":
            inner, outer = (whole(tensors[f"{path}.{part}.{ADAPTER}.weight"]) for part in ("lora_A", "lora_B"))
            addition = (outer @ inner) * scaling[path][ADAPTER]
            found = (found + addition).to(found.dtype)
        yield name.removeprefix("base_model.model.").replace(".base_layer.", "."), found


def whole(weight: torch.Tensor) -> torch.Tensor:
    """A weight that may be split over processes: by FSDP2, or by DeepSpeed's ZeRO 3. A joint act where it is."""
    if isinstance(weight, DTensor):
        # NCCL gathers what is on a GPU alone (parallel.cpu_offload)
        on_device: Any = weight.cuda() if weight.device.type == "cpu" and torch.cuda.is_available() else weight
        gathered: torch.Tensor = on_device.detach().full_tensor()
        return gathered
    if hasattr(weight, "ds_id"):
        import deepspeed

        with deepspeed.zero.GatheredParameters([weight]):
            return weight.detach().clone()  # DeepSpeed frees it again
    return weight.detach()


def _layers_with_additions(model: Any) -> Iterator[tuple[str, Any]]:
    return ((name, layer) for name, layer in model.named_modules() if hasattr(layer, "lora_A"))
