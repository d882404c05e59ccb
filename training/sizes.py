"""Sizes of a decoder (Llama and Qwen2 layers) and the numbers that follow from them, without torch.

Every count is exact and tested against `numel()` of real models; see `training.memory` for what is estimated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.config import Recipe
from training.training_sections import ModelSection

ARCHITECTURES = ("llama", "qwen2")


@dataclass(frozen=True)
class Sizes:
    """What config.json says of a model."""

    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate: int
    vocab: int
    tied: bool
    max_positions: int
    attention_bias: bool = False
    mlp_bias: bool = False

    @property
    def query_width(self) -> int:
        return self.heads * self.head_size

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_size

    def linear_layers(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of the linear layers of one decoder layer."""
        h, q, kv, i = self.hidden, self.query_width, self.kv_width, self.intermediate
        attention = {"q_proj": (h, q), "k_proj": (h, kv), "v_proj": (h, kv), "o_proj": (q, h)}
        return attention | {"gate_proj": (h, i), "up_proj": (h, i), "down_proj": (i, h)}

    @property
    def matrices_per_layer(self) -> int:
        """Weights of the linear layers of one decoder layer."""
        return sum(inputs * outputs for inputs, outputs in self.linear_layers().values())

    @property
    def layer_parameters(self) -> int:
        """Matrices, biases and the two norms of one decoder layer."""
        biases = 0
        if self.architecture == "qwen2":
            biases += self.query_width + 2 * self.kv_width
        elif self.attention_bias:
            biases += self.query_width + 2 * self.kv_width + self.hidden
        if self.mlp_bias:
            biases += 2 * self.intermediate + self.hidden
        return self.matrices_per_layer + biases + 2 * self.hidden

    @property
    def embedding_parameters(self) -> int:
        """Input embeddings, and the output head where it is not tied to them."""
        return self.vocab * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        return self.embedding_parameters + self.layers * self.layer_parameters + self.hidden

    def lora_parameters(self, rank: int, targets: tuple[str, ...]) -> int:
        """Each target gets rank x inputs and outputs x rank."""
        layers = self.linear_layers()
        return self.layers * sum(rank * sum(layers[target]) for target in targets)

    def kv_values_per_token(self) -> int:
        """Keys and values that a cache holds per token."""
        return self.layers * 2 * self.kv_width


def _qwen25(layers: int, hidden: int, heads: int, kv_heads: int, intermediate: int, vocab: int, tied: bool) -> Sizes:
    return Sizes(
        "qwen2", layers, hidden, heads, kv_heads, hidden // heads, intermediate, vocab, tied, max_positions=32768
    )


# From the config.json of these models, for a machine that has not fetched them yet.
KNOWN = {
    "Qwen/Qwen2.5-Coder-0.5B-Instruct": _qwen25(24, 896, 14, 2, 4864, 151936, True),
    "Qwen/Qwen2.5-Coder-7B-Instruct": _qwen25(28, 3584, 28, 4, 18944, 152064, False),
    "Qwen/Qwen2.5-Coder-14B-Instruct": _qwen25(48, 5120, 40, 8, 13824, 152064, False),
}


class UnknownSizes(ValueError):
    """A model whose sizes can't be told; the message says what to do."""


def sizes_of_config(raw: dict[str, Any], where: str) -> Sizes:
    """The sizes that a config.json states; UnknownSizes for other architectures and missing keys."""
    architecture = raw.get("model_type")
    if architecture not in ARCHITECTURES:
        raise UnknownSizes(f"{where}: model_type {architecture!r}; the dry run knows {', '.join(ARCHITECTURES)}")
    try:
        heads, hidden = int(raw["num_attention_heads"]), int(raw["hidden_size"])
        return Sizes(
            architecture=architecture,
            layers=int(raw["num_hidden_layers"]),
            hidden=hidden,
            heads=heads,
            kv_heads=int(raw.get("num_key_value_heads") or heads),
            head_size=int(raw.get("head_dim") or hidden // heads),
            intermediate=int(raw["intermediate_size"]),
            vocab=int(raw["vocab_size"]),
            tied=bool(raw.get("tie_word_embeddings", False)),
            max_positions=int(raw["max_position_embeddings"]),
            attention_bias=bool(raw.get("attention_bias", False)),
            mlp_bias=bool(raw.get("mlp_bias", False)),
        )
    except KeyError as error:
        raise UnknownSizes(f"{where}: no key {error.args[0]}") from error


def sizes_of_section(section: ModelSection, vocab: int) -> Sizes:
    """The sizes of a model that is made from scratch."""
    return Sizes(
        architecture=section.architecture,
        layers=section.num_layers,
        hidden=section.hidden_size,
        heads=section.num_heads,
        kv_heads=section.num_kv_heads,
        head_size=section.hidden_size // section.num_heads,
        intermediate=section.intermediate_size,
        vocab=vocab,
        tied=section.tie_embeddings,
        max_positions=section.max_positions,
    )


def model_folder(name_or_path: str) -> Path | None:
    """The folder of a model that is on this machine, also in the Hub's cache; None where it is not."""
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return path
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(name_or_path, "config.json")
    except HFValidationError:
        return None
    return Path(cached).parent if isinstance(cached, str) else None


def sizes_of_recipe(recipe: Recipe) -> tuple[Sizes, str]:
    """The sizes of a recipe's model and where they were read; UnknownSizes where they can't be."""
    section = recipe.model
    if section.kind == "scratch":
        return sizes_of_section(section, recipe.tokenizer.vocab_size), "the recipe"
    folder = model_folder(section.name_or_path)
    if folder is not None and (folder / "config.json").is_file():
        path = folder / "config.json"
        try:
            return sizes_of_config(json.loads(path.read_text("utf-8")), str(path)), str(path)
        except json.JSONDecodeError as error:
            raise UnknownSizes(f"{path}: no valid JSON: {error}") from error
    if section.name_or_path in KNOWN:
        return replace(KNOWN[section.name_or_path]), "the table of known models"
    raise UnknownSizes(
        f"no config.json of {section.name_or_path} on this machine: fetch the model"
        f" (`hf download {section.name_or_path}`) or give the path of its folder"
    )
