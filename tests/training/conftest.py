"""A dataset and an SFT model of a few thousand parameters, made once for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evaluation.unit_tests import PROGRAM_LIMITS
from execution.sandbox import Sandbox, open_sandbox
from tests.training.tiny_data import taught_recipe, tiny_recipe, write_dataset

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "dataset")


@pytest.fixture(scope="session")
def sft_folder(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    """The output folder of an SFT run of six updates that was never interrupted."""
    import torch

    from training.sft import run_sft

    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("sft") / "out"
    run_sft(tiny_recipe(), dataset, out)
    return out


@pytest.fixture(scope="session")
def tokenizer(sft_folder: Path) -> PreTrainedTokenizerFast:
    from training.model import load_tokenizer

    return load_tokenizer(str(sft_folder / "model"))


@pytest.fixture(scope="module")
def jail() -> Iterator[Sandbox]:
    """What runs programs that were asked for."""
    with open_sandbox("bubblewrap", 0, PROGRAM_LIMITS) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def taught_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs so few that a tiny model learns some of their answers in seconds."""
    return write_dataset(tmp_path_factory.mktemp("data") / "taught", 6, 4)


@pytest.fixture(scope="session")
def taught_model(tmp_path_factory: pytest.TempPathFactory, taught_dataset: Path) -> Path:
    """A model whose rollouts earn some rewards and miss others, so that an RL update has a gradient."""
    import torch

    from training.sft import run_sft

    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("taught") / "out"
    run_sft(taught_recipe(sft__updates=300, sft__checkpoint_every=1000, sft__evaluate_every=1000), taught_dataset, out)
    return out / "model"
