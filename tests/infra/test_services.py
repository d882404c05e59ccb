"""`up` and `down` with a real Prefect server and worker: the faults that show in no package's metadata show here."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest

from infra import services
from infra.services import ServiceError
from infra.settings import Settings
from tests.services.prefect import PrefectServices, wait_for
from tests.services.processes import free_port

live = [pytest.mark.services, pytest.mark.slow]


def deployments(up: PrefectServices) -> dict[str, dict]:  # type: ignore[type-arg]
    flows = {flow["id"]: flow["name"] for flow in up.ask("/flows/filter", {})}
    return {f"{flows[one['flow_id']]}/{one['name']}": one for one in up.ask("/deployments/filter", {})}


class TestUp:
    pytestmark = live

    def test_server_answers_that_it_is_healthy(self, prefect_services: PrefectServices) -> None:
        assert prefect_services.ask("/health") is True

    def test_everything_in_prefect_yaml_is_deployed(self, prefect_services: PrefectServices) -> None:
        found = deployments(prefect_services)
        assert {"train-bilevel/nightly", "refresh-data/nightly", "rollback-model/by-hand"} <= set(found)
        nightly = found["train-bilevel/nightly"]
        assert nightly["parameters"] == {"recipe": "tiny"}
        assert nightly["work_queue_name"] == "pipeline"
        assert nightly["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert nightly["global_concurrency_limit"]["limit"] == 1

    def test_cron_schedules_create_scheduled_runs(self, prefect_services: PrefectServices) -> None:
        for name in ("train-bilevel/nightly", "refresh-data/nightly"):
            found = deployments(prefect_services)[name]
            wanted = {
                "deployments": {"id": {"any_": [found["id"]]}},
                "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
            }
            num = wait_for(lambda: prefect_services.ask("/flow_runs/count", wanted), lambda num: num > 0)  # noqa: B023
            assert num >= 1
            prefect_services.ask(f"/deployments/{found['id']}/schedule", {})

    def test_runs_that_write_wait_for_each_other_in_one_queue(self, prefect_services: PrefectServices) -> None:
        queue = prefect_services.ask("/work_pools/local/queues/pipeline")
        assert queue["concurrency_limit"] == 1

    def test_worker_runs_a_deployment_with_the_settings_of_up(self, prefect_services: PrefectServices) -> None:
        ended = prefect_services.run("rollback-model/by-hand", {"reason": "a test"})
        assert ended["state"]["type"] == "FAILED"
        assert "has no champion yet" in ended["state"]["message"]
        # Opened by the flow run: the database is in the home folder that `up` was told, not in the project.
        assert (prefect_services.settings.home / "stepcode.db").is_file()

    def test_reports_are_served(self, prefect_services: PrefectServices) -> None:
        (prefect_services.settings.home / "reports" / "page.html").write_text("a report", "utf-8")
        url = f"http://127.0.0.1:{prefect_services.settings.reports_port}/page.html"
        assert urllib.request.urlopen(url, timeout=10).read() == b"a report"

    def test_second_up_is_refused_and_names_what_runs(self, prefect_services: PrefectServices) -> None:
        with pytest.raises(
            ServiceError, match=r"already up: worker \(process \d+\), server .* `stepcode down` stops it"
        ):
            services.up(prefect_services.settings)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, prefect_port=free_port(), reports_port=free_port(), _env_file=None)


def test_up_on_a_port_in_use_names_the_setting_and_starts_nothing(settings: Settings) -> None:
    with (
        socket.create_server(("127.0.0.1", settings.reports_port)),
        pytest.raises(ServiceError, match=f"port {settings.reports_port} is in use.*STEPCODE_REPORTS_PORT"),
    ):
        services.up(settings)
    assert not (settings.home / "logs").exists()


def test_up_without_prefect_yaml_says_where_it_looked(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=f"no prefect.yaml in {tmp_path / 'empty'}"):
        services.up(settings, tmp_path / "empty")


def test_up_while_another_is_at_work_is_refused(settings: Settings) -> None:
    with services._only_one(settings.home), pytest.raises(ServiceError, match="another `stepcode up`"):
        services.up(settings)


def test_down_where_nothing_is_up_says_so(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    services.down(settings)
    assert capsys.readouterr().out == f"nothing is up in {settings.home}\n"


def test_deploy_without_a_server_says_how_to_get_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(
        ServiceError, match=rf"no Prefect server at http://127.0.0.1:{settings.prefect_port}/api: `stepcode up`"
    ):
        services.deploy(settings)


def test_settings_that_were_set_reach_the_worker_as_variables(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, s3_secret_key="hush", s3_secure=False, benchmarks=tmp_path / "b", _env_file=None)
    assert services._as_variables(settings) == {
        "STEPCODE_HOME": str(tmp_path),
        "STEPCODE_S3_SECRET_KEY": "hush",
        "STEPCODE_S3_SECURE": "False",
        "STEPCODE_BENCHMARKS": str(tmp_path / "b"),
    }
