"""How much memory a stage needs on one device: one line per use, each with its formula in words.

An estimate of the worst case (every row as long as its limits allow) for attention that keeps no T x T matrix
(scaled_dot_product_attention; packed rows have one mask for all layers). Static lines are exact but for the allocator's
rounding; activations count what autograd saves in transformers' Llama and Qwen2 layers, tested against tensors saved by
a real layer.

Letters: P parameters, A those that are trained, D devices, S shards (D under fsdp2 and deepspeed, else 1), T tokens of
one forward pass on a device, c bytes of a value in the forward pass (2 in bfloat16).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.config import Recipe
from training.parallel import num_actors
from training.sizes import Sizes

GIB = 2**30
SAMPLER_TOKENS = 32768  # evaluation.sampler.Sampler(max_batch_tokens=...)
HEAD_TILE = (4096, 32768)  # tokens x words of a tile of TRL's fused head (trl.kernels.chunked_logprob)
CONTEXT_BYTES = GIB  # CUDA context, cuBLAS and NCCL buffers
SLACK = 0.05  # fragmentation, of everything else
LOGIT_BYTES = 12  # model's output and its shifted copy or float32 copy, log-softmax, gradient

Phase = Literal["always", "training", "generation"]
Stage = Literal["sft", "rl"]


@dataclass(frozen=True)
class MemoryLine:
    """One use of memory; `phase` says when: the larger of training and generation counts."""

    stage: Stage
    what: str
    num_bytes: int
    formula: str
    phase: Phase = "always"


@dataclass(frozen=True)
class StageShape:
    """What a stage puts through the model on one device in one pass, and what generates on it at once."""

    stage: Stage
    rows: int
    row_tokens: int
    generated_rows: int = 0


def base_bytes(recipe: Recipe) -> int:
    """Bytes of a stored weight: frozen ones under LoRA are bfloat16 where each device has its own copy."""
    frozen = recipe.model.adapter == "lora" and recipe.parallel.strategy == "ddp"
    return 2 if frozen and recipe.model.precision == "bfloat16" else 4


def trained_parameters(recipe: Recipe, sizes: Sizes) -> int:
    """A: all of the model, or what LoRA adds."""
    if recipe.model.adapter == "lora":
        return sizes.lora_parameters(recipe.model.lora_rank, recipe.model.lora_targets)
    return sizes.parameters


def activation_bytes_per_token(sizes: Sizes, compute_bytes: int) -> int:
    """What one layer saves for its backward pass, per token."""
    c = compute_bytes
    norms = 2 * (4 + 4) * sizes.hidden  # float32 input and normalised input of two norms
    inputs = 2 * c * sizes.hidden if c < 4 else 0  # their casts, inputs of the linear layers
    attention = c * (3 * sizes.query_width + sizes.query_width)  # queries, repeated keys and values, output
    mlp = 4 * c * sizes.intermediate  # gate, its activation, up, their product
    return norms + inputs + attention + mlp


def static_lines(recipe: Recipe, sizes: Sizes, stage: Stage) -> list[MemoryLine]:
    """Weights, gradients, optimiser, reference, and what the strategy gathers or buffers."""
    parallel = recipe.parallel
    shards = 1 if parallel.strategy == "ddp" else parallel.devices
    over = f" / {shards} shards" if shards > 1 else ""
    total, trained, lora = sizes.parameters, trained_parameters(recipe, sizes), recipe.model.adapter == "lora"
    on_host = parallel.cpu_offload
    each = base_bytes(recipe)
    stored = total * each + (trained * 4 if lora else 0)
    words = f"{total:,} parameters x {each} bytes" + (f" + {trained:,} of LoRA x 4" if lora else "")
    lines = [
        MemoryLine(
            stage, "weights", 0 if on_host else stored // shards, "in the host's memory" if on_host else words + over
        ),
    ]
    gradient = "in the host's memory" if on_host else f"{trained:,} trained parameters x 4 bytes{over}"
    lines.append(MemoryLine(stage, "gradients", 0 if on_host else trained * 4 // shards, gradient))
    if stage == "sft" and recipe.sft.optimizer == "muon" and not lora:
        matrices = sizes.layers * sizes.matrices_per_layer
        states = matrices * 4 + (trained - matrices) * 8
        optimiser = f"Muon: {matrices:,} in matrices x 4 bytes, {trained - matrices:,} others x 8{over}"
    else:
        states, optimiser = trained * 8, f"AdamW: {trained:,} trained parameters x 2 moments x 4 bytes{over}"
    optimiser = "in the host's memory" if on_host else optimiser
    lines.append(MemoryLine(stage, "optimiser", 0 if on_host else states // shards, optimiser))
    if stage == "rl" and recipe.rl.beta > 0 and not lora:
        words = f"beta > 0: {total:,} parameters x 4 bytes{over}"
        lines.append(MemoryLine(stage, "reference model", total * 4 // shards, words))
    return lines + _working_copies(recipe, sizes, stage, shards, trained)


def _working_copies(recipe: Recipe, sizes: Sizes, stage: Stage, shards: int, trained: int) -> list[MemoryLine]:
    compute = 2 if recipe.model.precision == "bfloat16" else 4
    if shards > 1 or recipe.parallel.cpu_offload:
        gathered = (2 * sizes.layer_parameters + sizes.embedding_parameters) * compute
        formula = f"two layers and the embeddings, gathered whole x {compute} bytes"
        if not recipe.parallel.reshard:
            gathered, formula = sizes.parameters * compute, f"reshard = false: all weights gathered x {compute} bytes"
        return [MemoryLine(stage, "gathered weights", gathered, formula, "training")]
    lines = []
    if compute < base_bytes(recipe):
        words = f"autocast keeps a copy of {sizes.parameters:,} parameters x {compute} bytes"
        lines.append(MemoryLine(stage, "casts of the weights", sizes.parameters * compute, words, "training"))
    if recipe.parallel.devices > 1:
        words = f"ddp sends {trained:,} gradients x 4 bytes from buffers of its own"
        lines.append(MemoryLine(stage, "buffers of ddp", trained * 4, words))
    return lines


def passing_lines(recipe: Recipe, sizes: Sizes, shape: StageShape) -> list[MemoryLine]:
    """Activations and logits of one pass, with or without gradient checkpointing."""
    compute = 2 if recipe.model.precision == "bfloat16" else 4
    stage, tokens = shape.stage, shape.rows * shape.row_tokens
    per_layer = activation_bytes_per_token(sizes, compute)
    checkpointed = recipe.sft.gradient_checkpointing if stage == "sft" else recipe.rl.gradient_checkpointing
    is_packed = stage == "sft" and recipe.sft.packing
    shown = f"{shape.rows} {'packed sequences' if is_packed else 'rows'} x {shape.row_tokens:,} tokens"
    if checkpointed:
        kept = tokens * (sizes.layers * sizes.hidden * 4 + per_layer)
        formula = f"{shown} x ({sizes.layers} layer inputs x {sizes.hidden} x 4 bytes + one layer x {per_layer:,})"
    else:
        kept = tokens * sizes.layers * per_layer
        formula = f"{shown} x {sizes.layers} layers x {per_layer:,} bytes; gradient checkpointing is off"
    lines = [MemoryLine(stage, "activations", kept, formula, "training")]
    if stage == "sft":
        words = f"{shown} x {sizes.vocab:,} words x {LOGIT_BYTES} bytes (logits, float32, log-softmax, gradient)"
        lines.append(MemoryLine(stage, "logits", tokens * sizes.vocab * LOGIT_BYTES, words, "training"))
    else:
        tile = min(HEAD_TILE[0], tokens) * min(HEAD_TILE[1], sizes.vocab)
        trained_head = 0 if recipe.model.adapter == "lora" else sizes.vocab
        kept = 2 * tile * 4 + (trained_head + tokens) * sizes.hidden * 4
        words = "TRL's fused head: two tiles of logits, float32 gradients of the head and of its input"
        lines.append(MemoryLine(stage, "logits", kept, words, "training"))
    if is_packed:
        words = f"{shown} x {shape.row_tokens:,} x (1 + {compute}) bytes (what sees what, and its form in the kernel)"
        lines.append(MemoryLine(stage, "mask", tokens * shape.row_tokens * (1 + compute), words, "training"))
    return lines


def engine_lines(recipe: Recipe, sizes: Sizes, shape: StageShape, device_bytes: float | None) -> list[MemoryLine]:
    """The KV cache of generation; vLLM takes its share of the device for as long as the stage runs."""
    if shape.stage == "sft":
        return []
    if num_actors(recipe):
        return [MemoryLine("rl", "vLLM", 0, "in actors, which have GPUs of their own")]
    if recipe.rl.engine in ("vllm", "vllm_actor"):
        share = recipe.parallel.engine_memory_share
        taken = int(share * (device_bytes or 0))
        return [MemoryLine("rl", "vLLM", taken, f"engine_memory_share {share:g} of the device: weights and KV cache")]
    per_token = sizes.kv_values_per_token() * base_bytes(recipe)
    tokens = shape.generated_rows * shape.row_tokens
    words = f"{shape.generated_rows} rows x {shape.row_tokens:,} tokens x {per_token:,} bytes"
    if recipe.rl.engine == "sampler" and tokens > SAMPLER_TOKENS:
        tokens = max(SAMPLER_TOKENS, shape.row_tokens)
        words = f"the sampler's batches of at most {tokens:,} tokens x {per_token:,} bytes"
    # a cache that grows is copied: old and new are there at once
    return [MemoryLine("rl", "KV cache", 2 * tokens * per_token, words + " x 2 while it grows", "generation")]


def stage_lines(recipe: Recipe, sizes: Sizes, shape: StageShape, device_bytes: float | None) -> list[MemoryLine]:
    """Every use of memory of a stage, the reserve last."""
    lines = static_lines(recipe, sizes, shape.stage) + passing_lines(recipe, sizes, shape)
    lines += engine_lines(recipe, sizes, shape, device_bytes)
    used = peak_bytes(lines)
    words = f"CUDA and NCCL 1 GiB + {SLACK:.0%} of the peak for fragmentation"
    return [*lines, MemoryLine(shape.stage, "reserve", CONTEXT_BYTES + int(used * SLACK), words)]


def peak_bytes(lines: list[MemoryLine]) -> int:
    """What is there always, and the larger of the two phases."""
    by_phase = {"always": 0, "training": 0, "generation": 0}
    for line in lines:
        by_phase[line.phase] += line.num_bytes
    return by_phase["always"] + max(by_phase["training"], by_phase["generation"])


def engine_needs(recipe: Recipe, sizes: Sizes) -> int:
    """Least bytes on each device of a vLLM engine: bfloat16 weights and the cache of one row of full length."""
    row = recipe.slice.max_prompt_tokens + recipe.rl.max_completion_tokens
    return (2 * sizes.parameters + 2 * row * sizes.kv_values_per_token()) // recipe.parallel.engine_devices
