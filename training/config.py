"""A recipe: one TOML file with every knob of a nightly run; unknown keys fail.

Defaults of `[rl]` are those of StepCodeReasoner (arXiv 2605.11922, section 4.1 and equations 8-15) where the
paper gives one, and the project's own measured choice where it is silent.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from training.section import LORA_TARGETS, LoggingSection, ParallelSection, Section

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
ModeName = Literal[
    "terminal",
    "step",
    "bilevel",
    "outcome",
    "whitebox",
    "whitebox_gated",
    "first_divergence",
    "discounted",
    "dependence",
    "own_state",
]
# Modes that give all tokens of a response one advantage.
WHOLE_RESPONSE_MODES = frozenset({"terminal", "outcome", "whitebox", "whitebox_gated"})
CISPO_BOUND = (
    "rl.loss_type = 'cispo' cuts every ratio down to epsilon_high, which falls back to epsilon: below 1 all tokens"
    " count the same share less; set rl.epsilon_high to 1 or more (TRL recommends 5)"
)
TRAINED_TASKS: tuple[Task, ...] = ("output", "input", "coverage", "state", "path")
QuestionTask = Literal["coverage", "state", "path", "next_statement", "variable"]
QUESTION_TASKS: tuple[QuestionTask, ...] = ("coverage", "state", "path")


class RecipeError(ValueError):
    """A recipe that can't be used; the message names the file, the key and what is allowed there."""


class CorpusSection(Section):
    """[corpus]: which programs are collected."""

    programs_per_level: dict[int, int] = Field(
        default={1: 500, 2: 500, 3: 500, 4: 500, 5: 500, 6: 500},
        description="Synthesised programs per level of difficulty.",
    )
    inputs_per_program: int = Field(default=3, ge=1, description="Calls per synthesised program.")
    profile: Literal["tiny", "tiny_chains", "general"] = Field(
        default="general", description="What the synthesiser may use."
    )
    max_bad_share: float = Field(
        default=0.05, ge=0, le=1, description="Share of unusable rows above which the run fails."
    )

    @field_validator("programs_per_level", mode="before")
    @classmethod
    def _list_or_table(cls, value: Any) -> Any:
        """A list counts levels from 1; a table names them."""
        if isinstance(value, list):
            return dict(enumerate(value, start=1))
        return value

    @field_validator("programs_per_level")
    @classmethod
    def _known_levels(cls, value: dict[int, int]) -> dict[int, int]:
        if bad := [level for level in value if not 1 <= level <= 6]:
            raise ValueError(f"levels are 1 to 6, not {bad}")
        if any(count < 0 for count in value.values()):
            raise ValueError("a level can't have a negative number of programs")
        return {level: count for level, count in sorted(value.items()) if count}


class TraceSection(Section):
    """[trace]: how programs are run."""

    max_states: int = Field(default=10, ge=1, description="Programs that print more lines are set aside (paper: 10).")
    min_traces: int = Field(default=100, ge=1, description="Fewer traces than this fail the run.")
    hash_seeds: tuple[int, int] = Field(default=(0, 1), description="Seeds of the two runs that must agree.")


class DatasetSection(Section):
    """[dataset]: how traces become a dataset version."""

    held_out_share: float = Field(default=0.1, gt=0, lt=1, description="Share of near-duplicate clusters held out.")
    near_duplicate_threshold: float = Field(default=0.8, gt=0, le=1, description="Jaccard similarity of sources.")
    decontaminate_ngram: int = Field(
        default=10, ge=1, description="Shared n-grams with a benchmark drop a program (paper: 10)."
    )


class SliceSection(Section):
    """[slice]: which part of the dataset the model is trained on, and in which tasks.

    `output`, `input`, `questions` and `code` are shares of the SFT rows; `rl_input`, `rl_questions` and `rl_code` those
    of input prediction, questions about the trace and programs to write among the RL prompts (the rest is output
    prediction).
    """

    levels: tuple[int, ...] | None = Field(default=None, description="Synthesised levels used; none: all.")
    real_programs: bool = Field(default=True, description="Whether real programs (no level) are used too.")
    min_states: int = Field(default=1, ge=0, description="Fewest anchors of a program that is used.")
    max_states: int = Field(default=10, ge=1, description="Most anchors of a program that is used.")
    max_prompt_tokens: int = Field(default=1024, ge=8)
    max_response_tokens: int = Field(default=4096, ge=8)
    output: float = Field(default=0.5, ge=0, le=1)
    input: float = Field(default=0.5, ge=0, le=1)
    questions: float = Field(default=0.0, ge=0, le=1)
    code: float = Field(default=0.0, ge=0, le=1)
    rl_input: float = Field(default=0.5, ge=0, le=1)
    rl_code: float = Field(default=0.0, ge=0, le=1)
    rl_questions: float = Field(default=0.0, ge=0, le=1)
    question_tasks: tuple[QuestionTask, ...] = Field(
        default=QUESTION_TASKS,
        min_length=1,
        description="Kinds of question: REval's coverage, state, path; ExecVerify's next_statement, variable.",
    )
    code_hole: Literal["statement", "body", "either"] = Field(
        default="statement", description="What is left out of a program that is to be written: one statement, or all."
    )
    problems: str = Field(
        default="", description="JSONL file of problems with tests (docs/training.md); empty: from the corpus."
    )
    rl_share: float = Field(
        default=0.5, ge=0, lt=1, description="Share of sources kept for RL alone; 0: RL repeats those of SFT."
    )
    verbosity: Literal["compact", "full"] = Field(default="full", description="How the teacher words its reasoning.")
    prompt_style: Literal["compact", "instruct"] = Field(default="instruct", description="How prompts are worded.")

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> SliceSection:
        total = self.output + self.input + self.questions + self.code
        if abs(total - 1) > 1e-6:
            raise ValueError(f"output, input, questions and code are shares and must sum to 1, not {total:g}")
        asked = self.rl_input + self.rl_questions + self.rl_code
        if asked > 1 + 1e-6:
            raise ValueError(f"rl_input, rl_questions and rl_code are shares and sum to {asked:g}, above 1")
        return self


class TokenizerSection(Section):
    """[tokenizer]: used where the model is made from scratch."""

    vocab_size: int = Field(default=512, ge=288)
    sample_rows: int = Field(default=4000, ge=1, description="Rows of text that the merges are learned from.")


class ModelSection(Section):
    """[model]: made from scratch with these sizes, or a pretrained one named by `name_or_path`."""

    kind: Literal["scratch", "pretrained"] = "scratch"
    architecture: Literal["llama", "qwen2"] = "llama"
    hidden_size: int = Field(default=128, ge=8)
    num_layers: int = Field(default=3, ge=1)
    num_heads: int = Field(default=4, ge=1)
    num_kv_heads: int = Field(default=2, ge=1)
    intermediate_size: int = Field(default=384, ge=8)
    max_positions: int = Field(default=1024, ge=16)
    tie_embeddings: bool = True
    name_or_path: str = ""
    start_from: str = Field(
        default="",
        coerce_numbers_to_str=True,
        description="Registered version or alias that the first stage starts from; empty: `kind` says.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Of the forward pass; weights that are trained and optimiser are float32."
    )
    adapter: Literal["none", "lora"] = Field(
        default="none", description="none: all weights are trained; lora: low-rank additions, merged at the end."
    )
    lora_rank: int = Field(default=32, ge=1)
    lora_alpha: int = Field(default=64, ge=1, description="Additions are scaled by lora_alpha / lora_rank.")
    lora_targets: tuple[str, ...] = Field(
        default=LORA_TARGETS, min_length=1, description="Linear layers with an addition; lm_head can't be one."
    )

    @model_validator(mode="after")
    def _consistent(self) -> ModelSection:
        if self.kind == "pretrained" and not self.name_or_path:
            raise ValueError('kind = "pretrained" needs name_or_path')
        if self.kind == "scratch" and self.hidden_size % self.num_heads:
            raise ValueError(f"hidden_size {self.hidden_size} is no multiple of num_heads {self.num_heads}")
        if unknown := sorted(set(self.lora_targets) - set(LORA_TARGETS)):
            raise ValueError(f"lora_targets can't be {', '.join(unknown)}: use some of {', '.join(LORA_TARGETS)}")
        if self.kind == "scratch" and self.num_heads % self.num_kv_heads:
            raise ValueError(f"num_heads {self.num_heads} is no multiple of num_kv_heads {self.num_kv_heads}")
        return self


class SftSection(Section):
    """[sft]: supervised fine-tuning on reason-then-print responses."""

    updates: int = Field(default=800, ge=1)
    batch_size: int = Field(default=32, ge=1, description="Rows per update.")
    micro_batches: int = Field(default=1, ge=1, description="Parts that a batch is split into, sorted by length.")
    optimizer: Literal["adamw", "muon"] = Field(default="adamw", description="muon: for matrices; AdamW for the rest.")
    learning_rate: float = Field(default=1e-5, gt=0, description="AdamW's.")
    muon_learning_rate: float = Field(default=0.02, gt=0)
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    warmup_share: float = Field(default=0.03, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    prompt_loss_weight: float = Field(default=0.0, ge=0, le=1, description="Weight of prompt tokens in the loss.")
    packing: bool = Field(
        default=False, description="Rows are put end to end in sequences, in place of padding each to the longest."
    )
    packed_tokens: int = Field(
        default=0, ge=0, description="Most tokens of a packed sequence of several rows; 0: those of the longest row."
    )
    gradient_checkpointing: bool = False
    checkpoint_every: int = Field(default=100, ge=1)
    evaluate_every: int = Field(default=100, ge=1)
    deadline_s: float = Field(default=86400, gt=0)


class RlSection(Section):
    """[rl]: Bi-Level GRPO (arXiv 2605.11922, section 3.3) and its parts.

    mode: which credit a step and a response get, see `training.credit.MODES` and docs/training.md.
    """

    mode: ModeName = "bilevel"
    lambda_intra: float = Field(default=0.3, ge=0, description="Weight of A_intra, eq. 12.")
    whitebox_weight: float = Field(
        default=0.5, ge=0, le=1, description="ExecVerify's a: the weight of right steps in the modes whitebox."
    )
    center_intra: bool = Field(default=False, description="Subtract the group's mean from A_intra; off in the paper.")
    credit_reasoning: bool = Field(
        default=True, description="Step tokens are reasoning and print block; false: print only."
    )
    step_mean: bool = Field(
        default=False, description="Divide a step's advantage by its number of tokens (mean per step)."
    )
    format_gate: bool = Field(default=True, description="No final reward where the number of print blocks is wrong.")
    format_bonus: float = Field(
        default=0.05,
        ge=0,
        lt=0.1,
        description="Added to the reward of a program of which some test passed, in a response without a fault.",
    )
    group_size: int = Field(default=5, ge=2, description="G, rollouts per prompt.")
    dynamic_sampling: int = Field(
        default=0,
        ge=0,
        description="Rounds in which groups without variance give their place to another prompt; 0: none (DAPO).",
    )
    curriculum: Literal["none", "anchors", "level"] = Field(
        default="none",
        description="Prompts of the run's thirds: the easiest third, the easier two, all; by anchors or level.",
    )
    prompts_per_update: int = Field(default=64, ge=1)
    micro_batches: int = Field(default=1, ge=1)
    updates: int = Field(default=1500, ge=1)
    learning_rate: float = Field(default=1e-6, gt=0)
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup_share: float = Field(default=0.0, ge=0, lt=1)
    max_grad_norm: float = Field(default=1.0, gt=0)
    temperature: float = Field(default=1.0, gt=0)
    beta: float = Field(default=0.001, ge=0, description="Weight of the KL term of eq. 15; the paper names no value.")
    epsilon: float = Field(default=0.2, gt=0, description="Clip range.")
    epsilon_high: float | None = Field(
        default=None,
        gt=0,
        description="Upper clip range; none: epsilon. With loss_type 'cispo' the most that a ratio counts, 5 in TRL.",
    )
    length_parts: int = Field(default=2, ge=1, description="Parts of similar length in a forward pass.")
    share_prompts: bool = Field(
        default=False, description="A forward pass has each prompt once, followed by all of its rollouts."
    )
    loss_type: Literal["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo"] = "dapo"
    importance_sampling_level: Literal["token", "sequence"] = "token"
    max_completion_tokens: int = Field(default=4096, ge=8)
    gradient_checkpointing: bool = False
    engine: Literal["sampler", "transformers", "vllm", "vllm_actor"] = Field(
        default="sampler", description="What generates rollouts; vllm: in the trainer's process, or in a Ray actor."
    )
    max_engine_difference: float | None = Field(
        default=None,
        gt=0,
        description="Nats per token by which engine and trainer may differ; none: 1e-4 (float32), 0.1 (bfloat16).",
    )
    checkpoint_every: int = Field(default=100, ge=1)
    evaluate_every: int = Field(default=50, ge=1)
    deadline_s: float = Field(default=604800, gt=0)

    @property
    def intra_weight(self) -> float:
        """lambda as the mode uses it: 0 in the modes without A_intra."""
        return 0.0 if self.mode == "step" or self.mode in WHOLE_RESPONSE_MODES else self.lambda_intra


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
