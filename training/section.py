"""Sections of a recipe that are about machines, not about learning: how a run is spread, and where its figures go."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LoggerName = Literal["tensorboard", "wandb", "mlflow"]
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values can't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ParallelSection(Section):
    """[parallel]: the devices that a stage is spread over, and the engine that spreads it.

    "ddp" keeps the whole model on every device, "fsdp2" and "deepspeed" (ZeRO stage 3) keep 1/devices of it.
    """

    strategy: Literal["ddp", "fsdp2", "deepspeed"] = "ddp"
    devices: int = Field(default=1, ge=1, description="GPUs, one process each; 1 also for a run without GPU.")
    max_failures: int = Field(
        default=3, ge=0, description="How often a stage on several devices goes on after it lost a worker."
    )
    device_memory_gib: float | None = Field(
        default=None, gt=0, description="Memory of a device that the recipe is meant for; for the dry run."
    )
    cpu_offload: bool = Field(default=False, description="Weights, gradients and optimiser in the host's memory.")
    reshard: bool = Field(default=True, description="Give gathered weights back after a layer's forward pass.")
    engine_devices: int = Field(default=1, ge=1, description="Devices that share one vLLM engine (tensor parallel).")
    engine_memory_share: float = Field(default=0.3, gt=0, lt=1, description="Share of a device that vLLM takes.")

    @model_validator(mode="after")
    def _consistent(self) -> ParallelSection:
        if self.cpu_offload and self.strategy == "ddp":
            raise ValueError('cpu_offload needs strategy = "fsdp2" or "deepspeed"')
        if self.devices % self.engine_devices:
            raise ValueError(f"devices {self.devices} is no multiple of engine_devices {self.engine_devices}")
        return self


class LoggingSection(Section):
    """[logging]: where figures go besides metrics.jsonl, which is always written, and which rollouts are kept."""

    to: tuple[LoggerName, ...] = ()
    project: str = Field(default="stepcode", min_length=1, description="Project of W&B, experiment of MLflow.")
    rollouts_every: int = Field(default=10, ge=0, description="Updates between those whose rollouts are kept; 0: none.")
    rollout_groups: int = Field(default=2, ge=1, description="Groups kept of such an update.")
