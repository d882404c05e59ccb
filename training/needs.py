"""What a recipe needs on the machine it runs on: files, folders, packages. Nothing is opened that is large."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from evaluation.policy import PolicyError, load_policy
from training.config import Recipe
from training.sizes import model_folder

WEIGHTS = ("*.safetensors", "*.bin")
TOKENIZERS = ("tokenizer.json",)
PACKAGES = {
    "lora": ("peft", "peft", 'model.adapter = "lora"'),
    "vllm": ("vllm", "stepcode[gpu]", 'rl.engine = "vllm"'),
    "deepspeed": ("deepspeed", "deepspeed", 'parallel.strategy = "deepspeed"'),
    "tensorboard": ("tensorboard", "tensorboard", "logging.to"),
    "wandb": ("wandb", "wandb", "logging.to"),
    "mlflow": ("mlflow", "mlflow-skinny", "logging.to"),
}


@dataclass(frozen=True)
class Need:
    """Something that has to be there; `problem` says what to do where it is not, `fatal` whether a run can't work."""

    what: str
    found: str
    problem: str = ""
    fatal: bool = True


def file_needs(recipe: Recipe, programs: Path | None, benchmarks: Path | None) -> list[Need]:
    """The model's folder, the user's programs and the benchmarks that the recipe names."""
    needs = [_model(recipe)] if recipe.model.kind == "pretrained" else []
    needs.append(_policy(recipe))
    if recipe.slice.problems:
        there = Path(recipe.slice.problems).is_file()
        problem = "" if there else f"no file at {recipe.slice.problems}: correct slice.problems"
        needs.append(Need("code problems", recipe.slice.problems, problem))
    if programs is not None:
        there = programs.expanduser().exists()
        problem = "" if there else f"no programs at {programs}: give a folder of Python files, or JSONL or Parquet"
        needs.append(Need("programs", str(programs), problem))
    if benchmarks is not None and not benchmarks.is_dir():
        needs.append(
            Need("benchmarks", str(benchmarks), f"no folder {benchmarks}: unset STEPCODE_BENCHMARKS or correct it")
        )
    elif recipe.evaluation.benchmark_rows:
        folder = benchmarks or Path()
        missing = [name for name in recipe.evaluation.benchmarks if benchmarks is None or not _any(folder, name)]
        found = "all there" if not missing else f"not there: {', '.join(missing)}"
        problem = f"benchmarks left out, as they are not there: {', '.join(missing)}" if missing else ""
        needs.append(Need("benchmarks", found, problem, fatal=False))
    return needs


def _policy(recipe: Recipe) -> Need:
    try:
        load_policy(recipe.gate.policy)
    except PolicyError as error:
        return Need("gate policy", recipe.gate.policy, str(error))
    return Need("gate policy", recipe.gate.policy)


def _any(folder: Path, name: str) -> bool:
    """A benchmark's folder; "livecodebench" stands for those whose names begin so."""
    return any(path.is_dir() for path in folder.glob(f"{name}*"))


def _model(recipe: Recipe) -> Need:
    name = recipe.model.name_or_path
    folder = model_folder(name)
    if folder is None:
        looks_like_path = name.startswith(("/", ".", "~")) or name.count("/") != 1
        if looks_like_path:
            return Need("model", name, f"no model folder at {name}: correct model.name_or_path")
        offline = os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0")
        problem = f"{name} is not on this machine"
        if offline:
            return Need("model", name, f"{problem} and HF_HUB_OFFLINE is set: fetch it first (`hf download {name}`)")
        return Need("model", name, f"{problem}: the first run fetches it from the Hub", fatal=False)
    missing = [
        kind
        for kind, patterns in (("config.json", ("config.json",)), ("tokenizer.json", TOKENIZERS), ("weights", WEIGHTS))
        if not any(any(folder.glob(pattern)) for pattern in patterns)
    ]
    problem = f"the model folder {folder} lacks {', '.join(missing)}" if missing else ""
    return Need("model", str(folder), problem)


def package_needs(recipe: Recipe, elsewhere: bool) -> list[Need]:
    """Optional packages that the recipe uses; missing ones are fatal unless the run is planned for elsewhere."""
    used: list[str] = list(recipe.logging.to)
    if recipe.model.adapter == "lora":
        used.append("lora")
    if recipe.rl.engine in ("vllm", "vllm_actor"):
        used.append("vllm")
    if recipe.parallel.strategy == "deepspeed":
        used.append("deepspeed")
    needs = []
    for name in used:
        module, package, why = PACKAGES[name]
        there = find_spec(module) is not None
        problem = "" if there else f"{why} needs the package {module}: pip install '{package}' -c constraints.txt"
        needs.append(Need(f"package {module}", "installed" if there else "not installed", problem, not elsewhere))
    return needs
