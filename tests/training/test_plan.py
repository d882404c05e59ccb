"""The dry run: figures worked by hand, problems that say what to change, and shipped recipes that fit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stepcode import app
from training.batch_plan import plan_updates
from training.config import Recipe, load_recipe, recipe_names
from training.device import Device, this_device
from training.memory import GIB, StageShape, activation_bytes_per_token, engine_needs, passing_lines, static_lines
from training.plan import plan
from training.rl import grpo_arguments
from training.sizes import KNOWN

QWEN7B = KNOWN["Qwen/Qwen2.5-Coder-7B-Instruct"]
P7B = 7_615_616_512
ONE_GPU: dict[str, Any] = {
    "parallel.strategy": "ddp",
    "parallel.devices": 1,
    "parallel.engine_devices": 1,
    "rl.engine": "sampler",
}


def recipe7b(**changes: Any) -> Recipe:
    return load_recipe("qwen7b", {key.replace("__", "."): value for key, value in changes.items()})


def static(recipe: Recipe, stage: Any = "rl") -> dict[str, int]:
    return {line.what: line.num_bytes for line in static_lines(recipe, QWEN7B, stage)}


def test_a_sharded_7b_model_by_hand() -> None:
    # 4 bytes of weights, 4 of gradients, 8 of moments, 4 of the reference, over 8 devices
    lines = static(recipe7b())
    assert lines["weights"] == lines["gradients"] == lines["reference model"] == P7B * 4 // 8 == 3_807_808_256
    assert lines["optimiser"] == P7B
    # two layers of 233,057,792 and 1,089,994,752 in embeddings, in bfloat16
    assert lines["gathered weights"] == (2 * 233_057_792 + 1_089_994_752) * 2
    assert "reference model" not in static(recipe7b(), "sft")
    assert "reference model" not in static(recipe7b(rl__beta=0.0))


def test_a_whole_7b_model_by_hand() -> None:
    lines = static(load_recipe("qwen7b", ONE_GPU))
    assert lines["weights"] == lines["gradients"] == P7B * 4
    assert lines["optimiser"] == P7B * 8
    assert lines["casts of the weights"] == P7B * 2
    assert "gathered weights" not in lines
    several = static(load_recipe("qwen7b", ONE_GPU | {"parallel.devices": 2}))
    assert several["buffers of ddp"] == P7B * 4


def test_lora_by_hand() -> None:
    lines = static(load_recipe("qwen7b", ONE_GPU | {"model.adapter": "lora", "model.lora_rank": 32}))
    # rank x (inputs + outputs): query and output 7168 each, key and value 4096 each, three of 22528, in 28 layers
    added = 28 * 32 * (2 * 7168 + 2 * 4096 + 3 * 22528)
    assert added == 80_740_352
    assert lines == {"weights": P7B * 2 + added * 4, "gradients": added * 4, "optimiser": added * 8}


def test_offloaded_weights_leave_the_device() -> None:
    lines = static(recipe7b(parallel__cpu_offload=True))
    assert lines["weights"] == lines["gradients"] == lines["optimiser"] == 0
    assert lines["gathered weights"] > 0


def test_muon_keeps_one_moment_of_matrices() -> None:
    recipe = load_recipe("qwen7b", ONE_GPU | {"sft.optimizer": "muon"})
    matrices = 28 * 233_046_016
    assert static(recipe, "sft")["optimiser"] == matrices * 4 + (P7B - matrices) * 8


def test_activations_with_and_without_checkpointing_by_hand() -> None:
    # two norms x 8 bytes x 3584, two casts x 2 x 3584, attention 4 x 2 x 3584, MLP 4 x 2 x 18944
    per_layer = 57_344 + 14_336 + 28_672 + 151_552
    assert activation_bytes_per_token(QWEN7B, 2) == per_layer == 251_904
    shape = StageShape("rl", 2, 5120)
    on = passing_lines(recipe7b(), QWEN7B, shape)[0]
    off = passing_lines(recipe7b(rl__gradient_checkpointing=False), QWEN7B, shape)[0]
    assert on.num_bytes == 10_240 * (28 * 3584 * 4 + per_layer)
    assert off.num_bytes == 10_240 * 28 * per_layer
    assert off.num_bytes > 10 * on.num_bytes


def test_logits_of_sft_by_hand() -> None:
    line = passing_lines(recipe7b(), QWEN7B, StageShape("sft", 1, 5120))[1]
    assert line.num_bytes == 5120 * 152_064 * 12


def test_an_engine_needs_its_weights_and_one_row() -> None:
    assert engine_needs(recipe7b(), QWEN7B) == (2 * P7B + 2 * 5120 * 28 * 2 * 512) // 4


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_fits_the_hardware_that_it_states(name: str) -> None:
    recipe = load_recipe(name)
    found = plan(recipe, gpu_memory_gib=recipe.parallel.device_memory_gib or 4)
    assert found.problems == ()
    assert [memory.fits for memory in found.memory] == [True, True]


@pytest.mark.parametrize("name", ["qwen7b", "qwen14b"])
def test_with_lora_one_gpu_of_80_gib_is_enough_and_without_it_is_not(name: str) -> None:
    assert plan(load_recipe(name, ONE_GPU | {"model.adapter": "lora"}), gpu_memory_gib=80).works
    found = plan(load_recipe(name, ONE_GPU), gpu_memory_gib=80)
    assert any("model.adapter = 'lora'" in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rl.prompts_per_update": 63}, "315 rollouts .* can't be cut into 40 micro-batches on 8 processes"),
        ({"rl.micro_batches": 36}, "rl.micro_batches 36 can't be shared by 8 processes: use 40"),
        (
            {"rl.dynamic_sampling": 2, "rl.prompts_per_update": 72, "parallel.devices": 16, "rl.micro_batches": 48},
            "16 processes can't share rl.prompts_per_update 72: use 80, or another multiple of 16",
        ),
        ({"sft.micro_batches": 20}, "sft.micro_batches 20 can't be shared by 8 processes: use 24"),
        ({"sft.batch_size": 16}, "at most sft.batch_size 16"),
        (
            {"rl.max_completion_tokens": 32768},
            r"slice.max_prompt_tokens 1024 \+ rl.max_completion_tokens 32768 is more",
        ),
        ({"rl.engine": "sampler"}, "use rl.engine = 'vllm'"),
        ({"sft.optimizer": "muon"}, "which parallel.strategy = 'fsdp2' splits: use 'adamw'"),
        ({"evaluation.curve_programs": 8}, "set evaluation.curve_programs = 0"),
        ({"parallel.engine_devices": 8}, "must divide the model's 28 heads and 4 key-value heads"),
        ({"parallel.engine_memory_share": 0.05}, "vLLM gets 2.0 GiB of a device and needs 3.6"),
        ({"rl.gradient_checkpointing": False}, "activations with .*: set rl.gradient_checkpointing = true"),
        ({"sft.micro_batches": 8}, "logits with .*: raise sft.micro_batches"),
        ({"model.adapter": "lora"}, "merged at the end of a stage .* use parallel.strategy = 'ddp'"),
        ({"model.architecture": "llama"}, "set model.architecture = 'qwen2'"),
        ({"gate.policy": "lenient"}, "lenient"),
        ({"model.name_or_path": "./nowhere"}, "no model folder at ./nowhere"),
    ],
)
def test_what_cannot_work_is_said_with_what_to_change(changes: dict[str, Any], message: str) -> None:
    found = plan(load_recipe("qwen7b", changes), gpu_memory_gib=40)
    assert not found.works
    assert any(re.search(message, problem) for problem in found.problems), found.problems


@pytest.mark.parametrize(("prompts", "devices", "works"), [(3, 1, True), (4, 2, True), (3, 2, False)])
def test_dynamic_sampling_needs_whole_groups_on_every_process(prompts: int, devices: int, works: bool) -> None:
    changes = {"rl.prompts_per_update": prompts, "rl.group_size": 4, "parallel.devices": devices}
    recipe = load_recipe("tiny", changes | {"rl.micro_batches": 2, "sft.micro_batches": 4})
    assert plan_updates(recipe).problems == ()
    sampled = load_recipe("tiny", changes | {"rl.micro_batches": 2, "sft.micro_batches": 4, "rl.dynamic_sampling": 1})
    assert (plan_updates(sampled).problems == ()) is works


@pytest.mark.parametrize(
    "changes",
    [
        {"model.adapter": "lora", "parallel.strategy": "ddp"},
        {"model.adapter": "lora", "parallel.strategy": "ddp", "parallel.devices": 1, "parallel.engine_devices": 1},
        {"parallel.strategy": "deepspeed"},
    ],
)
def test_vllm_takes_merged_and_gathered_weights(changes: dict[str, Any]) -> None:
    assert plan(load_recipe("qwen7b", changes), gpu_memory_gib=80).problems == ()


def test_a_machine_without_the_gpus_is_told() -> None:
    found = plan(recipe7b(), device=Device(2, 40.0, "two GPUs"))
    assert any("this machine has 2 GPUs" in problem for problem in found.problems)


def test_actors_have_gpus_of_their_own() -> None:
    recipe = recipe7b(rl__engine="vllm_actor")
    few = plan(recipe, device=Device(39, 40.0, "39 GPUs"))
    assert any(
        "8 workers and an actor of 4 GPUs for each (rl.engine = 'vllm_actor') need 40 GPUs, and this machine has 39"
        in problem
        for problem in few.problems
    )
    enough = plan(recipe, device=Device(40, 40.0, "40 GPUs"))
    assert not any("GPUs for each" in problem for problem in enough.problems)
    assert any("an actor with so many GPUs of its own, 40 in all" in note for note in enough.notes)
    taken = {line.what: line.num_bytes for line in plan(recipe, gpu_memory_gib=40).memory[1].lines}
    assert taken["vLLM"] == 0
    assert plan(recipe, gpu_memory_gib=40).works


def test_an_engine_on_the_workers_devices_is_explained() -> None:
    found = plan(recipe7b(), gpu_memory_gib=40)
    assert any("the 8 workers hold 2 engines on their own devices" in note for note in found.notes)


def test_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    recipe = load_recipe("qwen05b", {"model.name_or_path": str(tmp_path / "model")})
    found = plan(recipe, programs=tmp_path / "none", benchmarks=tmp_path / "missing", gpu_memory_gib=80)
    text = "\n".join(found.problems)
    assert "lacks tokenizer.json, weights" in text
    assert f"no programs at {tmp_path / 'none'}" in text
    assert f"no folder {tmp_path / 'missing'}" in text
    assert any("no memory estimate" in note for note in found.notes)


def test_a_stage_on_several_workers_is_told_about_shared_storage() -> None:
    found = plan(load_recipe("qwen7b"), gpu_memory_gib=40)
    assert found.works
    assert any("8: each stage runs on so many Ray Train workers" in note for note in found.notes)
    assert not any("Ray Train" in note for note in plan(load_recipe("tiny"), gpu_memory_gib=40).notes)


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_batches_are_those_that_trl_gets(tmp_path: Path, processes: int) -> None:
    changes = {"parallel.devices": processes, "rl.prompts_per_update": 8, "rl.group_size": 4, "rl.micro_batches": 4}
    recipe = load_recipe("tiny", changes)
    lines = {line.what: line.value for line in plan_updates(recipe).lines if line.stage == "rl"}
    args = grpo_arguments(recipe, tmp_path, processes)
    assert lines["rollouts per update"] == 32
    for key in ("per_device_train_batch_size", "gradient_accumulation_steps", "steps_per_generation"):
        assert lines[key] == getattr(args, key)
    assert args.per_device_train_batch_size * args.steps_per_generation * processes == 32


def test_the_command_answers_with_tables_json_and_exit_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    good = run(app, ["train", "--dry-run", "--recipe", "qwen7b", "--gpu-memory", "40"])
    assert good.exit_code == 0, good.output
    assert "at the peak" in good.output
    bad = run(app, ["train", "--dry-run", "--recipe", "qwen7b", "--gpu-memory", "24", "--json"])
    assert bad.exit_code == 1
    found = json.loads(bad.stdout)
    assert found["works"] is False
    assert found["memory"][1]["total_gib"] > 24
    lone = run(app, ["train", "--gpu-memory", "24"])
    assert lone.exit_code == 2
    assert not (tmp_path / ".stepcode" / "stepcode.db").exists()


def test_total_is_the_peak_of_the_phases() -> None:
    found = plan(load_recipe("qwen05b"), gpu_memory_gib=80).memory[1]
    phases = {phase: sum(x.num_bytes for x in found.lines if x.phase == phase) for phase in ("training", "generation")}
    always = sum(x.num_bytes for x in found.lines if x.phase == "always")
    assert found.total_gib == pytest.approx((always + max(phases.values())) / GIB, abs=0.01)


def test_the_smallest_gpu_that_nvidia_smi_lists_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 81920\necho 40960\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    found = this_device()
    assert (found.count, found.gib) == (2, 40.0)
    command.write_text("#!/bin/sh\nexit 9\n")
    assert this_device().count == 0
