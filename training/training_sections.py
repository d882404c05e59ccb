"""Sections of a recipe that are about learning: the model, SFT and RL.

Defaults of `[rl]` are those of StepCodeReasoner (arXiv 2605.11922, section 4.1 and equations 8-15) where the
paper gives one, and the project's own measured choice where it is silent.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from training.section import LORA_TARGETS, Section

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
