"""The files that describe what Stepcode runs on agree with each other, with the settings and with the code."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import Settings

ROOT = Path(__file__).parent.parent.parent
INFRA = ROOT / "infra"
SETTINGS = {f"STEPCODE_{name.upper()}" for name in Settings.model_fields}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


COMPOSE = read(INFRA / "compose.yaml")
RAY_CLUSTER = read(INFRA / "ray-cluster.yaml")
PREFECT = read(ROOT / "prefect.yaml")


@pytest.mark.parametrize("deployment", PREFECT["deployments"], ids=lambda one: one["entrypoint"])
def test_deployments_name_flows_of_ours_with_parameters_that_they_take(deployment: dict[str, Any]) -> None:
    path, _, name = deployment["entrypoint"].partition(":")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    (decorator,) = function.decorator_list
    assert isinstance(decorator, ast.Call)
    flow_name = next(keyword.value for keyword in decorator.keywords if keyword.arg == "name")
    assert isinstance(flow_name, ast.Constant)
    assert flow_name.value == name.replace("_", "-") == Path(path).stem.replace("_", "-")
    assert set(deployment.get("parameters", {})) <= {argument.arg for argument in function.args.args}


def test_compose_gives_processes_of_ours_known_settings_only() -> None:
    given = {name for one in COMPOSE["services"].values() for name in one.get("environment", {})}
    assert {name for name in given if name.startswith("STEPCODE_")} <= SETTINGS
    assert {"STEPCODE_DATABASE_URL", "STEPCODE_ARTIFACTS_URL", "STEPCODE_RAY_ADDRESS"} <= given


def test_compose_services_wait_for_healthy_ones_that_have_a_check() -> None:
    services = COMPOSE["services"]
    for name, one in services.items():
        for other, how in one.get("depends_on", {}).items():
            assert other in services, name
            if how["condition"] == "service_healthy":
                assert {"test", "interval", "timeout", "retries"} <= set(services[other]["healthcheck"])


def test_compose_volumes_and_configs_are_declared() -> None:
    for one in COMPOSE["services"].values():
        assert {volume.partition(":")[0] for volume in one.get("volumes", [])} <= set(COMPOSE["volumes"])
        assert {config["source"] for config in one.get("configs", [])} <= set(COMPOSE["configs"])


def test_compose_listens_on_the_loopback_interface_only() -> None:
    ports = [port for one in COMPOSE["services"].values() for port in one.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_secrets_come_from_the_env_file_and_the_example_holds_none() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (INFRA / "compose.yaml").read_text("utf-8")))
    example = dict(
        line.split("=", 1)
        for line in (INFRA / ".env.example").read_text("utf-8").splitlines()
        if "=" in line and line[0] != "#"
    )
    assert set(example) == asked
    assert all(not value for name, value in example.items() if "PASSWORD" in name or "TOKEN" in name)
    ignored = subprocess.run(["git", "check-ignore", "-q", "infra/.env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_only_containers_that_run_programs_are_less_confined() -> None:
    relaxed = {name for name, one in COMPOSE["services"].items() if "security_opt" in one}
    assert relaxed == {"ray-head", "ray-worker", "worker"}


def test_ray_cluster_is_of_the_version_that_is_pinned() -> None:
    assert RAY_CLUSTER["apiVersion"] == "ray.io/v1"
    assert RAY_CLUSTER["kind"] == "RayCluster"
    assert RAY_CLUSTER["spec"]["rayVersion"] == importlib.metadata.version("ray")


def test_ray_workers_have_bounds_resources_and_the_token_of_the_cluster() -> None:
    spec = RAY_CLUSTER["spec"]
    for group in spec["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    templates = [group["template"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]
    for container in [one for template in templates for one in template["spec"]["containers"]]:
        assert {"requests", "limits"} <= set(container["resources"])
        token = next(variable for variable in container["env"] if variable["name"] == "RAY_AUTH_TOKEN")
        assert set(token) == {"name", "valueFrom"}


def test_image_installs_the_pinned_environment_from_files_that_are_there() -> None:
    text = (INFRA / "images" / "Dockerfile").read_text("utf-8")
    assert "-c constraints.txt" in text
    for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split()), line
    pinned = re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert pinned
    for place in (INFRA / "setup.sh", INFRA / "images" / "Dockerfile", ROOT / "pyproject.toml"):
        assert f"torch=={pinned[1]}" in place.read_text("utf-8"), place.name


def test_every_make_target_is_there_and_explained() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony
    explained = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(re.findall(r"^  make ([\w-]+) ", explained.stdout, re.MULTILINE)) == set(phony[1].split())
    named = {"setup", "demo", "test", "lint", "up", "down", "deploy", "bench", "bench-bilevel", "clean", "help"}
    assert set(phony[1].split()) == named


@pytest.mark.parametrize("script", [".ci/run", "infra/setup.sh", "infra/debian/install.sh"])
def test_scripts_stop_at_the_first_fault_and_can_be_executed(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    lines = path.read_text("utf-8").splitlines()
    assert any(re.match(r"set -eu", line) for line in lines)
    subprocess.run([lines[0].removeprefix("#!").split()[-1], "-n", str(path)], check=True)
