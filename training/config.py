"""A recipe: one TOML file with every knob of a nightly run; unknown keys fail."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from training.data_sections import CorpusSection, DatasetSection, SliceSection, TokenizerSection, TraceSection
from training.section import LoggingSection, ParallelSection, Section
from training.training_sections import CISPO_BOUND, WHOLE_RESPONSE_MODES, ModelSection, RlSection, SftSection

RECIPES = Path(__file__).parent / "recipes"
Task = Literal["output", "input", "coverage", "state", "path"]
AskedTask = Task | Literal["next_statement", "variable", "code"]
BenchmarkName = Literal[
    "cruxeval",
    "livecodebench_execution",
    "reval",
    "humaneval",
    "mbpp",
    "mbpp_sanitized",
    "humaneval_plus",
    "mbpp_plus",
    "livecodebench_code",
]
Form = Literal["steps", "plain", "direct", "cot"]
TRAINED_TASKS: tuple[Task, ...] = ("output", "input", "coverage", "state", "path")


class RecipeError(ValueError):
    """A recipe that can't be used; the message names the file, the key and what is allowed there."""


class EvaluationSection(Section):
    """[evaluation]: what the trained model is measured on."""

    held_out_programs: int = Field(default=600, ge=1, description="Held-out programs, each with all its tasks.")
    curve_programs: int = Field(default=64, ge=0, description="Held-out programs of the learning curve in training.")
    tasks: tuple[AskedTask, ...] = TRAINED_TASKS
    questions_per_task: int = Field(default=1, ge=0, description="REval questions per program and task.")
    benchmarks: tuple[str, ...] = Field(
        default=("cruxeval", "reval", "livecodebench"),
        description="Those of the benchmarks folder to ask, where there.",
    )
    forms: tuple[Form, ...] = Field(default=("steps",), description="How benchmarks are asked.")
    benchmark_rows: int = Field(default=800, ge=0, description="Rows of each benchmark; 0: none.")
    max_new_tokens: int = Field(default=4096, ge=1)


class GateSection(Section):
    """[gate]: which promotion policy decides."""

    policy: str = Field(
        default="standard", description="Name of a policy of the evaluation folder, or a path to a TOML file."
    )


class Recipe(Section):
    """Everything that a run's result depends on besides its data and its code."""

    name: str = Field(min_length=1)
    seed: int = Field(default=0, ge=0)
    threads: int = Field(default=0, ge=0, description="Threads of a training process; 0: all cores.")
    stages: tuple[Literal["sft", "rl"], ...] = Field(
        default=("sft", "rl"), description='What a run trains: SFT and RL, or ("rl") on model.start_from as it is.'
    )
    corpus: CorpusSection = CorpusSection()
    trace: TraceSection = TraceSection()
    dataset: DatasetSection = DatasetSection()
    slice: SliceSection = SliceSection()
    tokenizer: TokenizerSection = TokenizerSection()
    model: ModelSection = ModelSection()
    sft: SftSection = SftSection()
    rl: RlSection = RlSection()
    evaluation: EvaluationSection = EvaluationSection()
    gate: GateSection = GateSection()
    parallel: ParallelSection = ParallelSection()
    logging: LoggingSection = LoggingSection()

    @model_validator(mode="after")
    def _stages_have_a_start(self) -> Recipe:
        if self.stages not in (("sft", "rl"), ("rl",)):
            raise ValueError('stages is ["sft", "rl"] or ["rl"]')
        if self.stages == ("rl",) and not self.model.start_from:
            raise ValueError('stages = ["rl"] trains a registered model: name its version or alias in model.start_from')
        return self

    @model_validator(mode="after")
    def _what_breaks_silently_is_refused(self) -> Recipe:
        rl = self.rl
        by_step = rl.mode not in WHOLE_RESPONSE_MODES
        if by_step and rl.importance_sampling_level != "token":
            raise ValueError(
                "rl.importance_sampling_level = 'sequence' gives every token the same ratio, which cancels"
                " step credit: use 'token', or rl.mode = 'terminal'"
            )
        if by_step and rl.loss_type in ("vespo", "luspo"):
            raise ValueError(
                f"rl.loss_type = '{rl.loss_type}' is meant for one advantage per response and changes meaning"
                " with one per token: use 'dapo', or rl.mode = 'terminal'"
            )
        if rl.loss_type == "cispo" and (rl.epsilon_high is None or rl.epsilon_high < 1):
            raise ValueError(CISPO_BOUND)
        return self


def started_from(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with the model in `folder` as its start."""
    model = recipe.model.model_copy(update={"kind": "pretrained", "name_or_path": str(folder)})
    return recipe.model_copy(update={"model": model})


def recipe_names() -> list[str]:
    """Names of the recipes that come with the project."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def recipe_path(name_or_path: str | Path) -> Path:
    """The file of a recipe named as one of the project's, or by its path; RecipeError where there is none."""
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise RecipeError(f"no recipe file at {path}; the project's own recipes are {', '.join(recipe_names())}")
        return path
    found = RECIPES / f"{name_or_path}.toml"
    if path.name != str(name_or_path) or not found.is_file():
        raise RecipeError(
            f"no recipe named {str(name_or_path)!r}: use one of {', '.join(recipe_names())},"
            " or a path that ends in .toml"
        )
    return found


def load_recipe(name_or_path: str | Path, changes: dict[str, Any] | None = None) -> Recipe:
    """The recipe of that name or path; `changes` are dotted keys with values that replace the file's.

    RecipeError names the file, the key and the keys that are known there.
    """
    path = recipe_path(name_or_path)
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: no valid TOML: {error}") from error
    for key, value in (changes or {}).items():
        _set(raw, key, value, path)
    return parse_recipe(raw, str(path))


def parse_recipe(raw: dict[str, Any], where: str) -> Recipe:
    """The recipe of a dict as TOML or JSON gives it; `where` opens the message of a RecipeError."""
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        lines = [_explain(dict(one)) for one in error.errors()]
        raise RecipeError(f"{where}: " + "; ".join(lines)) from error


def _set(raw: dict[str, Any], key: str, value: Any, path: Path) -> None:
    *sections, last = key.split(".")
    table = raw
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise RecipeError(f"{path}: {key} can't be set: {section} is no section")
    table[last] = value


def _explain(error: dict[str, Any]) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        where = f"[{'.'.join(location[:-1])}]" if location[:-1] else "the top level"
        return f"unknown key {key}{hint}; keys known in {where}: {', '.join(known)}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _known_keys(sections: list[str]) -> list[str]:
    fields = Recipe.model_fields
    for section in sections:
        annotation = fields[section].annotation if section in fields else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            fields = annotation.model_fields
    return sorted(fields)
